"""Threads that fight for the GIL, and one that does not need it.

    sondage run examples/threads.py

Three threads count words in pure Python and take turns: each holds the GIL a third of the time and
waits for it the rest. One compresses data, which releases the GIL, so it runs beside them. One
sleeps. The timeline must show all three kinds: a striped CPU/GIL-wait pattern, a solid one, an
empty one.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
import zlib
from collections import Counter

WORDS = "time is what the clock says when nobody waits for the lock to open".split()


def count_words(lines: list[str]) -> Counter[str]:
    """Count words, holding the GIL all the while."""
    counts: Counter[str] = Counter()
    for line in lines:
        for word in line.split():
            counts[word.lower().strip(".,")] += 1
    return counts


def counter(until: float, seed: int) -> None:
    """Count words until the time is up."""
    rng = random.Random(seed)
    lines = [" ".join(rng.choices(WORDS, k=12)) for _ in range(2_000)]
    while time.monotonic() < until:
        count_words(lines)


def compressor(until: float) -> None:
    """Compress blocks of a megabyte; zlib lets the others run meanwhile."""
    block = random.Random(1).randbytes(1 << 20)
    while time.monotonic() < until:
        zlib.compress(block, 6)


def heartbeat(until: float) -> None:
    """Sleep, mostly."""
    while time.monotonic() < until:
        time.sleep(0.05)


def main() -> None:
    """Start all threads and wait."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3.0)
    until = time.monotonic() + parser.parse_args().seconds
    threads = [
        threading.Thread(target=counter, args=(until, n), name=f"counter-{n}") for n in range(3)
    ]
    threads.append(threading.Thread(target=compressor, args=(until,), name="compressor"))
    threads.append(threading.Thread(target=heartbeat, args=(until,), name="heartbeat"))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
