"""disk.py FILE SECONDS: a thread "reader" reads FILE past the cache and waits for the disk.

The main thread looks at the reader's state as the kernel tells it, every few milliseconds, and at the
end prints the number of looks, and how many of them found it waiting for a disk ("D").
"""

import mmap
import os
import random
import sys
import threading
import time

path, seconds = sys.argv[1], float(sys.argv[2])
size = os.path.getsize(path)
stop = False
ready = threading.Event()
number = 0


def read():
    global number
    number = threading.get_native_id()
    buffer = mmap.mmap(-1, 1 << 20)
    file = os.open(path, os.O_RDONLY | os.O_DIRECT)
    ready.set()
    while not stop:
        at = random.randrange(0, max(size - len(buffer), 1)) & ~4095
        os.preadv(file, [buffer], at)


reader = threading.Thread(target=read, name="reader")
reader.start()
ready.wait()
looks = waits = 0
end = time.monotonic() + seconds
with open(f"/proc/self/task/{number}/stat", "rb", buffering=0) as state:
    while time.monotonic() < end:
        text = os.pread(state.fileno(), 1024, 0)
        looks += 1
        waits += text[text.rindex(b")") + 2 :][:1] == b"D"
        time.sleep(0.002)
stop = True
reader.join()
print(looks, waits, flush=True)
