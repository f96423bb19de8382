"""A program with a known shape for a profiler: two functions of their own under `main`."""

import sys
import time


def light(until):
    while time.perf_counter() < until:
        pass


def heavy(until):
    while time.perf_counter() < until:
        pass


def main(rounds):
    for _ in range(rounds):
        now = time.perf_counter()
        light(now + 0.02)
        heavy(now + 0.08)


main(int(sys.argv[1]))
