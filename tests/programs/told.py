"""told.py SECONDS CODE: computes in work() for so much CPU time, prints "PID WALL CPU", exits with CODE."""

import os
import sys
import time


def work(seconds):
    wall, cpu = time.perf_counter(), time.process_time()
    x = 0
    while time.process_time() < cpu + seconds:
        x += 1
    print(os.getpid(), time.perf_counter() - wall, time.process_time() - cpu, flush=True)


work(float(sys.argv[1]))
sys.exit(int(sys.argv[2]))
