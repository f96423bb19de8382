"""A small import job that says what it does: spans, values, a plot, a lock, messages.

Run it under `sondage run` and look for: one trace `import` a second or so; inside it `read`, then
four `parse` side by side in threads that wait for the lock `index`, then `store`, in which
`row` is one entry of many passes. The plot `queue` falls to zero in each.
"""

from __future__ import annotations

import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from sondage import Lock, message, plot, profiler

index: dict[str, int] = {}
index_lock = Lock("index")


@profiler.span("read")
def read(files: int) -> list[str]:
    """Make some text, slowly."""
    time.sleep(0.02)
    words = "alpha beta gamma delta epsilon zeta eta theta".split()
    return [" ".join(random.choices(words, k=4000)) for _ in range(files)]


@profiler.span("parse")
def parse(text: str) -> int:
    """Count words into the shared index."""
    counts: dict[str, int] = {}
    for word in text.split():
        counts[word] = counts.get(word, 0) + len(word)
    with index_lock:
        time.sleep(0.005)
        for word, count in counts.items():
            index[word] = index.get(word, 0) + count
    return len(counts)


@profiler.span("store")
def store() -> int:
    """Write the index, row by row."""
    size = 0
    for word, count in sorted(index.items()):
        for _ in range(200):
            with profiler.cumulative_span("row"):
                size += len(f"{word}={count}")
    return size


def run_once(number: int) -> None:
    """Import eight files."""
    with profiler.span("import", args={"number": number}) as span, ThreadPoolExecutor(4) as pool:
        texts = read(8)
        jobs = [pool.submit(copy_context().run, parse, text) for text in texts]
        for left, job in zip(range(len(jobs) - 1, -1, -1), jobs, strict=True):
            job.result()
            plot("queue", left)
        span.set("bytes", store())
    message(f"import {number} is done")


def main(rounds: int = 5) -> None:
    """Import a few times, and draw the last one."""
    for number in range(rounds):
        run_once(number)
    print(profiler.traces[-1])


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
