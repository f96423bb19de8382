"""family.py HOW SECONDS [MEGABYTES]: a parent whose children compute in work(), started in the way HOW.

With MEGABYTES, `work` and `os.fork` fill so much memory, and leave it to the kernel to give back.
"""

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
    ballast = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    if how == "work":
        memory = b"x" * (ballast << 20)
        work(seconds)
        if memory:
            os._exit(0)
    elif how == "os.fork":
        pid = os.fork()
        if pid == 0:
            memory = b"x" * (ballast << 20)
            work(seconds)
            os._exit(len(memory) and 0)
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
