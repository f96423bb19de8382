"""What Python's probes cost, beside what else there is.

    bench/python_spans.py [--python .venv/bin/python] [--rounds 60]

Each contestant runs the same loop in turns, in one process; a figure is the lowest of all rounds,
less an empty loop. Rivals that are not installed are left out: `pip install opentelemetry-sdk
viztracer`. The bars: README of issue 3.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import cProfile
import json
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from common import ROOT, machine, table

from sondage import profiler  # as programs do: CPython compiles imported names otherwise

ns = time.perf_counter_ns
Loop = Callable[[int], None]


class ByHand:
    """What people write themselves: nothing but a name and two times."""

    __slots__ = ("duration", "name", "start")

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> Self:
        self.start = ns()
        return self

    def __exit__(self, *error: object) -> None:
        self.duration = ns() - self.start


def contestants() -> dict[str, Loop]:
    """Make the loops."""
    profiler.enabled = False
    nothing = profiler.span("nothing")
    profiler.enabled = True
    lock = threading.Lock()

    def empty(n: int) -> None:
        for _ in range(n):
            pass

    def empty_with(n: int) -> None:
        for _ in range(n):
            with nothing:
                pass

    def lock_with(n: int) -> None:
        for _ in range(n):
            with lock:
                pass

    def off(n: int) -> None:
        profiler.enabled = False
        for _ in range(n):
            with profiler.span("x"):
                pass
        profiler.enabled = True

    def by_hand(n: int) -> None:
        for _ in range(n):
            with ByHand("x"):
                pass

    def span(n: int) -> None:
        for _ in range(n):
            with profiler.span("x"):
                pass

    def nested(n: int) -> None:
        with profiler.span("root"):
            for _ in range(n):
                with profiler.span("x"):
                    pass

    def with_arguments(n: int) -> None:
        for at in range(n):
            with profiler.span("x", args={"at": at}):
                pass

    def cumulative(n: int) -> None:
        with profiler.span("root"):
            for _ in range(n):
                with profiler.cumulative_span("x"):
                    pass

    def plain() -> None: ...

    async def plain_async() -> None: ...

    decorated = profiler.span("x")(plain)
    decorated_async = profiler.span("x")(plain_async)

    def call(n: int) -> None:
        for _ in range(n):
            plain()

    def call_decorated(n: int) -> None:
        for _ in range(n):
            decorated()

    def run_async(function: Callable[[], object]) -> Loop:
        async def loop(n: int) -> None:
            for _ in range(n):
                await function()  # type: ignore[misc]

        def run(n: int) -> None:
            with contextlib.suppress(StopIteration):
                loop(n).send(None)

        return run

    found: dict[str, Loop] = {
        "empty loop": empty,
        "empty `with` on a C object": empty_with,
        "`with threading.Lock()`": lock_with,
        "`with profiler.span(…)`, off": off,
        "span by hand, `__slots__`": by_hand,
        "`with profiler.span(…)`": span,
        "the same inside a span": nested,
        "the same with one argument": with_arguments,
        "`with profiler.cumulative_span(…)`": cumulative,
        "function": call,
        "decorated function": call_decorated,
        "coroutine": run_async(plain_async),
        "decorated coroutine": run_async(decorated_async),
    }
    return found | rivals()


def rivals() -> dict[str, Loop]:
    """Make the loops of what is installed beside us."""
    found: dict[str, Loop] = {}
    try:
        from opentelemetry.sdk.trace import TracerProvider
    except ImportError:
        pass
    else:
        tracer = TracerProvider().get_tracer("bench")

        def otel(n: int) -> None:
            for _ in range(n):
                with tracer.start_as_current_span("x"):
                    pass

        found["OpenTelemetry's SDK span"] = otel
    try:
        from viztracer import VizTracer  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        pass
    else:
        viz = VizTracer(verbose=0, tracer_entries=100_000)

        def viztracer(n: int) -> None:
            viz.start()
            for _ in range(n):
                with viz.log_event("x"):
                    pass
            viz.stop()
            viz.clear()

        found["VizTracer's log_event"] = viztracer
    return found


def calls() -> dict[str, float]:
    """Nanoseconds that tracing adds to one call of a Python function."""

    def leaf() -> None: ...

    def loop(n: int) -> None:
        for _ in range(n):
            leaf()

    traced = profiler.trace_calls(loop)
    best = dict.fromkeys(("nothing", "sondage", "cProfile"), float("inf"))
    n = 20_000
    for _ in range(25):
        began = ns()
        loop(n)
        best["nothing"] = min(best["nothing"], (ns() - began) / n)
        began = ns()
        traced(n)
        best["sondage"] = min(best["sondage"], (ns() - began) / n)
        profile = cProfile.Profile()
        began = ns()
        profile.enable()
        loop(n)
        profile.disable()
        best["cProfile"] = min(best["cProfile"], (ns() - began) / n)
        # Monitoring goes off after a while, so that it is not cProfile's base.
        for _ in range(5):
            loop(1000)
    return best


def work(spans: bool) -> float:
    """Run the same work with and without spans; return microseconds."""
    total = 0
    began = ns()
    if spans:
        for outer in range(100):
            with profiler.span("outer"):
                for inner in range(100):
                    with profiler.span("inner"):
                        total += outer * inner % 7
    else:
        for outer in range(100):
            for inner in range(100):
                total += outer * inner % 7
    return (ns() - began) / 1e3


def overhead() -> dict[str, float]:
    """Hold what we say that spans cost against what they do."""
    _ = profiler.overhead_per_span_ns  # what is measured once is measured now
    with_spans, without = [], []
    for _ in range(40):
        without.append(work(False))
        with_spans.append(work(True))
    true = sorted(with_spans)[20] - sorted(without)[20]
    return {"true_us": true, "said_us": 10_100 * profiler.overhead_per_span_ns / 1e3}


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Measure in this interpreter."""
    # First: what is said is the mean of all spans of the process so far.
    told = overhead()
    loops = contestants()
    best = dict.fromkeys(loops, float("inf"))
    asyncio.set_event_loop(None)
    for _ in range(rounds):
        for name, loop in loops.items():
            n = 500 if "Open" in name else 5000
            began = ns()
            loop(n)
            best[name] = min(best[name], (ns() - began) / n)
    return {"probes": best, "calls": calls(), "overhead": told}


def main() -> None:
    """Measure each interpreter in a process of its own and print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", nargs="*", default=[str(ROOT / ".venv/bin/python")])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--here", action="store_true", help="measure in this interpreter: JSON")
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measure(options.rounds)))
        return
    print(f"{machine()}. Nanoseconds, the lowest of {options.rounds} rounds in turns.\n")
    for python in options.python:
        command = [python, str(Path(__file__)), "--here", "--rounds", str(options.rounds)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        version = subprocess.run(
            [python, "--version"], capture_output=True, text=True, check=True
        ).stdout.strip()
        show(version, json.loads(done.stdout))


def show(version: str, figures: dict[str, dict[str, float]]) -> None:
    """Print one interpreter's tables."""
    probes = figures["probes"]
    nothing = probes.pop("empty loop")
    probes = {name: value - nothing for name, value in probes.items()}
    unit = probes["empty `with` on a C object"]
    hand = probes["span by hand, `__slots__`"]
    probes["decorator adds to a coroutine"] = probes["decorated coroutine"] - probes["coroutine"]
    rows = [
        (name, f"{value:,.1f}", f"{value / unit:.2f}×", f"{value / hand:.2f}×")
        for name, value in probes.items()
    ]
    print(f"{version}\n")
    print(table(["probe", "ns", "of an empty `with`", "of a span by hand"], rows), end="\n\n")
    traced = figures["calls"]
    base = traced.pop("nothing")
    rows2 = [(name, f"{value - base:.1f}") for name, value in traced.items()]
    print(table(["`trace_calls`: added to a call", "ns"], rows2), end="\n\n")
    told = figures["overhead"]
    ratio = told["said_us"] / told["true_us"]
    print(
        f"10,100 spans cost {told['true_us']:,.0f} µs by an A/B run; "
        f"`profiler.overhead_per_span_ns` says {told['said_us']:,.0f} µs: {ratio:.2f}×.\n"
    )


if __name__ == "__main__":
    main()
