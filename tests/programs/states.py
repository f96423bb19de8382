"""states.py SECONDS: threads whose states are known.

Three threads spin and fight for the GIL; one sleeps; one reads a pipe that nothing is written to.
The main thread waits for them.
"""

import os
import sys
import threading
import time

seconds = float(sys.argv[1])
stop = threading.Event()
read_end, write_end = os.pipe()


def spin():
    x = 0
    while not stop.is_set():
        for _ in range(1000):
            x += 1


def sleep():
    time.sleep(seconds)


def read():
    os.read(read_end, 1)


threads = [threading.Thread(target=spin, name=f"spin-{n}") for n in range(3)]
threads.append(threading.Thread(target=sleep, name="sleeper"))
threads.append(threading.Thread(target=read, name="reader"))
for thread in threads:
    thread.start()
threads[3].join()
stop.set()
os.write(write_end, b"x")
for thread in threads:
    thread.join()
