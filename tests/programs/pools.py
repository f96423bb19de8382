"""pools.py KIND METHOD SECONDS: two workers compute in work(), each for so much CPU time.

KIND is `pool` (multiprocessing.Pool) or `executor` (concurrent.futures.ProcessPoolExecutor); METHOD is
`fork`, `spawn` or `forkserver`. Prints "PID WALL CPU" of each worker, in seconds, and exits with 4.
"""

import concurrent.futures
import multiprocessing
import os
import sys
import time


def work(barrier, seconds):
    barrier.wait()
    wall, cpu = time.perf_counter(), time.process_time()
    x = 0
    while time.process_time() < cpu + seconds:
        x += 1
    return os.getpid(), time.perf_counter() - wall, time.process_time() - cpu


def main():
    kind, method, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    context = multiprocessing.get_context(method)
    with context.Manager() as manager:
        # Both workers get one call, however slow one of them is to start.
        calls = [(manager.Barrier(2), seconds)] * 2
        if kind == "pool":
            with context.Pool(2) as pool:
                results = pool.starmap(work, calls, chunksize=1)
        else:
            with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
                results = [future.result() for future in [pool.submit(work, *call) for call in calls]]
    for pid, wall, cpu in results:
        print(pid, wall, cpu, flush=True)
    sys.exit(4)


if __name__ == "__main__":
    main()
