"""crowd.py THREADS SECONDS: most threads sleep, one computes, many come and go."""

import sys
import threading
import time

count, seconds = int(sys.argv[1]), float(sys.argv[2])
stop = threading.Event()


def idle():
    stop.wait()


def busy():
    end = time.perf_counter() + seconds
    x = 0
    while time.perf_counter() < end:
        x += 1


threads = [threading.Thread(target=idle, name=f"idle-{n}") for n in range(count)]
threads.append(threading.Thread(target=busy, name="busy"))
for thread in threads:
    thread.start()
for n in range(50):
    short = threading.Thread(target=time.sleep, args=(0.01,), name=f"short-{n}")
    short.start()
    short.join()
threads[-1].join()
stop.set()
for thread in threads:
    thread.join()
