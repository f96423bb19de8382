"""What our own probes cost, measured where they run."""

from __future__ import annotations

from functools import cache
from time import perf_counter_ns
from typing import NamedTuple

from sondage import _native

_ROUNDS = 75
_PASSES = 200


class Costs(NamedTuple):
    """Nanoseconds of one probe."""

    span: float
    cumulative: float
    around: float
    """Of a span, what is not entering and leaving it (the call, and what `with` does), less what
    reading the clock adds where that is measured."""


def _empty() -> int:
    began = perf_counter_ns()
    for _ in range(_PASSES):
        pass
    return perf_counter_ns() - began


def _spans(profiler: _native.Profiler) -> int:
    began = perf_counter_ns()
    for _ in range(_PASSES):
        with profiler.span("sondage"):
            pass
    return perf_counter_ns() - began


def _cumulative(profiler: _native.Profiler) -> int:
    began = perf_counter_ns()
    for _ in range(_PASSES):
        with profiler.cumulative_span("sondage"):
            pass
    return perf_counter_ns() - began


def _function() -> None:
    pass


def _calls() -> int:
    began = perf_counter_ns()
    for _ in range(_PASSES):
        _function()
    return perf_counter_ns() - began


def _traced_calls() -> int:
    before = _native.enter_calls()
    try:
        return _calls()
    finally:
        _native.leave_calls(before)


def _median(measured: list[int]) -> float:
    """Return nanoseconds of a pass: what it costs here, with what else the machine does."""
    return sorted(measured)[len(measured) // 2] / _PASSES


@cache
def costs() -> Costs:
    """Measure, once in a process. It takes a few milliseconds and records nothing."""
    profiler = _native.Profiler()
    empty: list[int] = []
    spans: list[int] = []
    passes: list[int] = []
    _native.begin_calibration()
    try:
        for _ in range(_ROUNDS):
            with profiler.span("sondage"):
                empty.append(_empty())
                spans.append(_spans(profiler))
                passes.append(_cumulative(profiler))
            # The next round's spans get the memory of this one's.
            profiler.clear()
        own, _ = _native.own_nanos()
    finally:
        _native.end_calibration()
    nothing = _median(empty)
    events, _ = _native.event_nanos()
    span = _median(spans) - nothing
    return Costs(span + events, _median(passes) - nothing, span - own)


# Fewer measured spans say less than the calibration does.
_FEW = 20


def span_cost() -> float:
    """Return nanoseconds of a span in this program.

    Entering and leaving is measured on one span of 251, where the program's own memory and caches
    decide; what is around is measured apart.
    """
    each = costs()
    own, measured = _native.own_nanos()
    return each.around + own if measured >= _FEW else each.span


@cache
def call_cost() -> float:
    """Return nanoseconds of a traced call."""
    plain: list[int] = []
    traced: list[int] = []
    _native.begin_calibration()
    try:
        profiler = _native.Profiler()
        for _ in range(_ROUNDS):
            with profiler.span("sondage"):
                plain.append(_calls())
                traced.append(_traced_calls())
            profiler.clear()
    finally:
        _native.end_calibration()
    _, events = _native.event_nanos()
    return _median(traced) - _median(plain) + events


def total_ms() -> float:
    """Return the milliseconds that all probes so far have cost."""
    each = costs()
    spans, passes, calls = _native.counts()
    traced = calls * call_cost() if calls else 0.0
    return (spans * span_cost() + passes * each.cumulative + traced) / 1e6
