"""Frames, and what the parts of a program take of each."""

from __future__ import annotations

import math
import resource
import sys
import time
from _thread import allocate_lock, get_ident
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from sondage import _native

_MARK, _BEGIN, _END = 0, 1, 2

# Frames that figures over the last frames look back on.
WINDOW = 120

_counter = time.perf_counter

# Passes of one component may end in two threads at once.
_record = allocate_lock()


class Frame:
    """A frame that does not follow the one before at once: `with frame("upload"): …`."""

    __slots__ = ("_number",)

    def __init__(self, name: str) -> None:
        self._number = _native.text(name)

    def __enter__(self) -> Self:
        """Begin it."""
        _native.frame(self._number, _BEGIN)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        _native.frame(self._number, _END)


def frame(name: str) -> Frame:
    """Return a discontinuous frame, for `with`."""
    return Frame(name)


def frame_mark(name: str | None = None) -> None:
    """Mark the end of a frame and the begin of the next.

    Without a name it is the program's main frame, which `monitor` counts by. Frames of a name are
    a row of their own.
    """
    if name is not None:
        _native.frame(_native.text(name), _MARK)
        return
    _native.frame(0, _MARK)
    monitor._next_frame(_counter())


class Rolling:
    """Figures of a row of numbers, added to in constant time and memory."""

    __slots__ = ("_mean", "_squares", "count", "last", "max", "min", "peak_frame", "total")

    count: int
    """How many there are."""
    last: float
    """The last one; this and all that follow are 0 of none."""
    total: float
    """Their sum."""
    min: float
    """The least."""
    max: float
    """The greatest."""
    peak_frame: int
    """The frame of the greatest."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.count = self.peak_frame = 0
        self.last = self.total = self.min = self.max = 0.0
        self._mean = self._squares = 0.0

    def add(self, value: float, frame: int) -> None:
        """Add a number that belongs to a frame."""
        self.count += 1
        self.last = value
        self.total += value
        if value < self.min or self.count == 1:
            self.min = value
        if value > self.max or self.count == 1:
            self.max = value
            self.peak_frame = frame
        # Welford's: the sum of squares' own errors do not grow with the count.
        delta = value - self._mean
        self._mean += delta / self.count
        self._squares += delta * (value - self._mean)

    @property
    def avg(self) -> float:
        """The mean."""
        return self._mean

    @property
    def stddev(self) -> float:
        """The standard deviation of the whole."""
        return math.sqrt(self._squares / self.count) if self.count else 0.0

    @property
    def peak(self) -> float:
        """The greatest."""
        return self.max


class Component(Rolling):
    """One part of a program, and what it takes: `with monitor.component("physics"): …`.

    The numbers are its passes, in milliseconds. A component may be entered again while it is open;
    the outermost time counts. Each thread has passes of its own.
    """

    __slots__ = ("_monitor", "_open", "name")

    def __init__(self, name: str, monitor: Monitor) -> None:
        super().__init__()
        self.name = name
        self._monitor = monitor
        # By thread: how deep, since when, and the span.
        self._open: dict[int, tuple[int, float, _native.Span]] = {}

    def __enter__(self) -> Self:
        """Begin a pass."""
        thread = get_ident()
        found = self._open.get(thread)
        if found is None:
            span = _spans.span(self.name).__enter__()
            self._open[thread] = 1, _counter(), span
        else:
            depth, began, span = found
            self._open[thread] = depth + 1, began, span
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the pass."""
        thread = get_ident()
        depth, began, span = self._open.pop(thread)
        if depth > 1:
            self._open[thread] = depth - 1, began, span
            return
        took = _counter() - began
        span.__exit__(kind, value, traceback)
        with _record:
            self.record(took * 1e3)

    def record(self, millis: float) -> None:
        """Add a pass that was measured elsewhere, in milliseconds."""
        self.add(millis, self._monitor.frame)

    def __repr__(self) -> str:
        """Say what it takes."""
        return f"<Component {self.name}, {self.count} passes, {self.avg:.3f} ms on average>"


class Monitor:
    """Figures of frames, of components, of input lag and of the CPU. There is one: `monitor`."""

    def __init__(self, clock: Callable[[], float] = _counter) -> None:
        self._clock = clock
        self.frame = 0
        """The number of the frame that is going on."""
        self.frames = Rolling()
        """Milliseconds of all frames so far."""
        self.input_lags = Rolling()
        """Milliseconds from an input to the end of the frame that showed it."""
        self._components: dict[str, Component] = {}
        self._begins: deque[float] = deque(maxlen=WINDOW + 1)
        self._input: float | None = None
        self._cpu: deque[tuple[float, float]] = deque(maxlen=WINDOW + 1)

    def component(self, name: str) -> Component:
        """Return the component of that name, made when it is first asked for."""
        found = self._components.get(name)
        if found is None:
            found = self._components[name] = Component(name, self)
            caller = sys._getframe(1)
            code = caller.f_code
            _native.set_place(name, code.co_qualname, code.co_filename, caller.f_lineno, 0)
        return found

    @property
    def components(self) -> list[Component]:
        """All components, those with the longest mean pass first."""
        return sorted(self._components.values(), key=lambda each: each.avg, reverse=True)

    def input(self) -> None:
        """Note that an input came; the end of this frame shows it."""
        if self._input is None:
            self._input = self._clock()

    @property
    def fps(self) -> float:
        """Frames a second over the last `WINDOW` frames; 0 before the second mark."""
        if len(self._begins) < 2:
            return 0.0
        seconds = self._begins[-1] - self._begins[0]
        return (len(self._begins) - 1) / seconds if seconds > 0 else 0.0

    @property
    def frame_ms(self) -> float:
        """Milliseconds of the last frame."""
        return self.frames.last

    @property
    def input_lag_ms(self) -> float:
        """Milliseconds from the last input to the end of its frame."""
        return self.input_lags.last

    @property
    def cpu_percent(self) -> float:
        """CPU time of this process over the last `WINDOW` frames; 100 is one CPU, busy."""
        if len(self._cpu) < 2:
            return 0.0
        (began, used_then), (ended, used_now) = self._cpu[0], self._cpu[-1]
        return 100 * (used_now - used_then) / (ended - began) if ended > began else 0.0

    def reset(self) -> None:
        """Forget all frames and all passes; components stay."""
        self.frame = 0
        self.frames.reset()
        self.input_lags.reset()
        self._begins.clear()
        self._cpu.clear()
        self._input = None
        for component in self._components.values():
            component.reset()

    def _next_frame(self, now: float) -> None:
        if self._begins:
            self.frames.add((now - self._begins[-1]) * 1e3, self.frame)
            self.frame += 1
        self._begins.append(now)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self._cpu.append((now, usage.ru_utime + usage.ru_stime))
        if self._input is not None:
            self.input_lags.add((now - self._input) * 1e3, max(self.frame - 1, 0))
            self._input = None


_spans = _native.Profiler()
monitor = Monitor()
