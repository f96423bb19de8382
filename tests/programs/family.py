"""family.py HOW SECONDS: a parent whose children compute in work(), started in the way HOW."""

import multiprocessing
import os
import subprocess
import sys
import time


def work(seconds):
    end = time.perf_counter() + seconds
    x = 0
    while time.perf_counter() < end:
        x += 1
    return x


def main():
    how, seconds = sys.argv[1], float(sys.argv[2])
    if how == "work":
        work(seconds)
    elif how == "os.fork":
        pid = os.fork()
        if pid == 0:
            work(seconds)
            os._exit(0)
        os.waitpid(pid, 0)
    elif how in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(how).Pool(2) as pool:
            pool.map(work, [seconds] * 2)
    elif how == "subprocess":
        subprocess.run([sys.executable, __file__, "work", str(seconds)], check=True)
    elif how == "shell":
        subprocess.run(f"'{sys.executable}' '{__file__}' work {seconds}; true", shell=True, check=True)
    elif how == "exec":
        os.execv(sys.executable, [sys.executable, __file__, "work", str(seconds)])


if __name__ == "__main__":
    main()
