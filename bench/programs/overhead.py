"""The programs of overhead.py and threads.py: `python overhead.py NAME SCALE`: SCALE seconds, about.

Each does a fixed amount of work, so that its wall time says what it was slowed down by.
"""

import json
import random
import sys
import threading
import time


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def call_heavy(scale):
    """Python calls and little else: the stack never stands still."""
    for _ in range(int(175 * scale)):
        fib(24)


class Node:
    __slots__ = ("key", "left", "right", "tags")

    def __init__(self, key):
        self.key, self.left, self.right, self.tags = key, None, None, {}

    def insert(self, key):
        node = self
        while True:
            side = "left" if key < node.key else "right"
            child = getattr(node, side)
            if child is None:
                setattr(node, side, Node(key))
                return
            node = child

    def walk(self):
        if self.left:
            yield from self.left.walk()
        yield self.key
        if self.right:
            yield from self.right.walk()


def object_heavy(scale):
    """Objects, dictionaries, generators, JSON: allocation and C code called from Python."""
    rng = random.Random(1)
    for _ in range(int(50 * scale)):
        root = Node(0.5)
        for _ in range(2500):
            root.insert(rng.random())
        rows = [{"key": k, "text": f"{k:.6f}", "list": [k] * 4} for k in root.walk()]
        rows = json.loads(json.dumps(rows))
        rows.sort(key=lambda row: -row["key"])


def mixed_threads(scale):
    """Threads that compute, wait for each other and sleep."""
    lock = threading.Lock()
    done = []

    def compute():
        for _ in range(int(300 * scale)):
            fib(20)
            with lock:
                done.append(1)

    def wait():
        for _ in range(int(30 * scale)):
            time.sleep(0.002)
            sum(range(2000))

    threads = [threading.Thread(target=compute, name=f"compute-{n}") for n in range(4)]
    threads += [threading.Thread(target=wait, name=f"wait-{n}") for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def many_threads(count, seconds):
    """One thread computes, the others sleep: what a server looks like."""
    stop = threading.Event()

    def idle():
        while not stop.wait(0.5):
            pass

    threads = [threading.Thread(target=idle) for _ in range(count - 1)]
    for thread in threads:
        thread.start()
    call_heavy(seconds)
    stop.set()
    for thread in threads:
        thread.join()


PROGRAMS = {"call-heavy": call_heavy, "object-heavy": object_heavy, "mixed-thread": mixed_threads}

if __name__ == "__main__":
    name, scale = sys.argv[1], float(sys.argv[2])
    if name == "many-threads":
        many_threads(int(sys.argv[3]), scale)
    else:
        PROGRAMS[name](scale)
