"""The compiled part, ``crates/python``."""

from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from types import TracebackType
from typing import (
    Any,
    Final,
    Literal,
    Protocol,
    Self,
    TypeAlias,
    TypeVar,
    final,
    overload,
    type_check_only,
)

from sondage._traces import ProfilingTrace

_C = TypeVar("_C", bound=type)
_F = TypeVar("_F", bound=Callable[..., Any])
_Arguments: TypeAlias = Mapping[str, object] | Callable[[], Mapping[str, object]] | None
_Value: TypeAlias = bool | int | float | str | None

@type_check_only
class Span(Protocol):
    """What `profiler.span` returns: a `ProfilingSpan`, or a `NoSpan` while the profiler is off."""

    @property
    def name(self) -> str: ...
    @property
    def start(self) -> float: ...
    @property
    def duration_ms(self) -> float: ...
    @property
    def data(self) -> dict[str, _Value]: ...
    @property
    def children(self) -> list[ProfilingSpan | CumulativeSpan]: ...
    @property
    def failed(self) -> bool: ...
    def set(self, key: str, value: object, /) -> Span: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        value: BaseException | None = None,
        traceback: TracebackType | None = None,
        /,
    ) -> None: ...
    def __call__(self, function: _F, /) -> _F: ...

__version__: Final[str]
"""The version of this build, as ``sondage --version`` prints it."""

CONTEXT_IN_PLACE: Final[bool]
"""Whether spans become current without setting a context variable each: see `context.rs`."""

PROFILER_MAX_TRACES: Final[int]
"""Traces that are kept; of more, the newest."""

TRACY_VERSION: Final[str]
"""The version of Tracy that is built in."""

@final
class ProfilingSpan:
    """One stretch of time that the program named, and those inside it."""

    @property
    def name(self) -> str:
        """What it is called."""
    @property
    def start(self) -> float:
        """When it began, in seconds of `time.perf_counter`."""
    @property
    def duration_ms(self) -> float:
        """Milliseconds from begin to end; until now while it is open."""
    @property
    def data(self) -> dict[str, _Value]:
        """Its arguments and values."""
    @property
    def children(self) -> list[ProfilingSpan | CumulativeSpan]:
        """Spans and cumulative spans inside it, in the order in which they began."""
    @property
    def failed(self) -> bool:
        """Whether an exception left it."""
    @property
    def dropped(self) -> int:
        """Of a trace's root: spans that found no room in the tree."""
    @property
    def span_id(self) -> str:
        """Its number, 16 hexadecimal digits."""
    @property
    def trace_id(self) -> str:
        """Its trace's number, 32 hexadecimal digits. Known while it is open, and of a root."""
    def set(self, key: str, value: object, /) -> ProfilingSpan:
        """Add a value to its data."""
    def _repr_html_(self) -> str:
        """Return the tree for a notebook."""
    def __enter__(self) -> ProfilingSpan: ...
    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        value: BaseException | None = None,
        traceback: TracebackType | None = None,
        /,
    ) -> None: ...
    def __call__(self, function: _F, /) -> _F: ...

@final
class NoSpan:
    """What a probe gives while the profiler is off. It is false."""

    @property
    def name(self) -> str:
        """Nothing."""
    @property
    def start(self) -> float:
        """Nothing."""
    @property
    def duration_ms(self) -> float:
        """Nothing."""
    @property
    def data(self) -> dict[str, _Value]:
        """Nothing."""
    @property
    def children(self) -> list[ProfilingSpan | CumulativeSpan]:
        """Nothing."""
    @property
    def failed(self) -> bool:
        """Nothing."""
    def set(self, key: str, value: object, /) -> NoSpan:
        """Do nothing."""
    def __bool__(self) -> Literal[False]: ...
    def __enter__(self) -> NoSpan: ...
    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        value: BaseException | None = None,
        traceback: TracebackType | None = None,
        /,
    ) -> None: ...
    def __call__(self, function: _F, /) -> _F: ...

@final
class CumulativeSpan:
    """Many passes of one place inside one span, added up."""

    @property
    def name(self) -> str:
        """What it is called."""
    @property
    def start(self) -> float:
        """When its first pass began, in seconds of `time.perf_counter`."""
    @property
    def count(self) -> int:
        """Passes."""
    @property
    def total_ms(self) -> float:
        """Milliseconds of all passes."""
    @property
    def min_ms(self) -> float:
        """Milliseconds of the shortest pass."""
    @property
    def max_ms(self) -> float:
        """Milliseconds of the longest pass."""
    @property
    def avg_ms(self) -> float:
        """Milliseconds of a pass on average."""
    def _repr_html_(self) -> str:
        """Return it for a notebook."""

@final
class _Pass:
    def __enter__(self) -> _Pass: ...
    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        value: BaseException | None = None,
        traceback: TracebackType | None = None,
        /,
    ) -> None: ...
    def __call__(self, function: _F, /) -> _F: ...

@final
class _Steps(Awaitable[Any]):
    def __await__(self) -> Generator[Any, Any, Any]: ...
    def over(self, awaitable: object, /) -> _Steps: ...
    def end(self) -> None: ...

class Profiler:
    """Makes spans and keeps the newest traces. There is one: `sondage.profiler`.

    What is no probe comes from `sondage._profiler` when that is first loaded.
    """

    @property
    def enabled(self) -> bool:
        """Whether probes record."""
    @enabled.setter
    def enabled(self, value: bool, /) -> None: ...
    @overload
    def span(self, name: str, args: _Arguments = None) -> Span:
        """Return a span, for `with` or as a decorator."""
    @overload
    def span(self, name: _F, args: None = None) -> _F: ...
    @overload
    def span(self, name: None = None, args: _Arguments = None) -> Callable[[_F], _F]: ...
    def cumulative_span(self, name: str, /) -> _Pass:
        """Return a pass that is added to those of its name, for `with` or as a decorator."""
    def current_span(self) -> ProfilingSpan | None:
        """Return the innermost open span."""
    def clear(self) -> None:
        """Forget all traces."""
    @overload
    def trace_all(self, cls: _C, /, *, exclude: Iterable[str] = ()) -> _C:
        """Decorate a class: each of its methods and properties becomes a span."""
    @overload
    def trace_all(
        self, cls: None = None, /, *, exclude: Iterable[str] = ()
    ) -> Callable[[_C], _C]: ...
    def trace_calls(self, function: _F, /) -> _F:
        """Decorate a function: it and every Python call below it become spans."""
    @property
    def traces(self) -> list[ProfilingTrace]:
        """The newest traces, at most `PROFILER_MAX_TRACES`, oldest first."""
    @property
    def overhead_per_span_ns(self) -> float:
        """What a span costs in this program: nanoseconds, measured."""
    @property
    def total_overhead_ms(self) -> float:
        """What all spans so far have cost: milliseconds, from their number and their cost."""
    def mask(self, *parts: str) -> None:
        """Record no values of arguments whose names hold one of these; replaces the list."""
    def log_traces(self, level: int | None = ...) -> None:
        """Write a line to the logger `Profiler` for each trace that ends; `None` stops it."""
    def _roots(self) -> list[ProfilingSpan | CumulativeSpan]: ...
    def _call_span(
        self,
        name: str,
        names: tuple[str, ...],
        positional: tuple[Any, ...],
        keywords: dict[str, Any],
        /,
    ) -> Span: ...
    def _drive(
        self,
        inner: Any,
        kind: int,
        name: str,
        names: tuple[str, ...],
        positional: tuple[Any, ...],
        keywords: dict[str, Any],
        /,
    ) -> Any: ...
    def _driver(
        self, function: Callable[..., Any], kind: int, name: str, names: tuple[str, ...], /
    ) -> Callable[[tuple[Any, ...], dict[str, Any]], Any]: ...
    def _kept(self, value: object, /) -> _Value: ...

def frame(name: int, op: int) -> None:
    """Record a frame mark (0), begin (1) or end (2) of the frame that a text names."""

def text(text: str) -> int:
    """Return the number of a text."""

def plot(name: str, value: float) -> None:
    """Record a value of a plot."""

def message(level: int, text: str, colour: int = 0) -> None:
    """Record a line of text, level 1 (debug) to 5 (critical)."""

def lock(name: str, place: str) -> int:
    """Return a number for a new lock."""

def lock_event(lock: int, op: int) -> None:
    """Record that a thread waits (0), has (1), gave back (2) or gave up (3) a lock."""

def thread_name(name: str) -> None:
    """Name this thread."""

def process_name(name: str) -> None:
    """Name this process."""

def site(name: str, function: str, file: str, line: int, colour: int) -> int:
    """Return the number of a place."""

def span_at(name: str, site: int) -> Span:
    """Return a span at a place of its own."""

def set_place(name: str, function: str, file: str, line: int, colour: int) -> None:
    """Say where the spans of a name are, unless there is one already."""

def tracy_start(address: str, port: int, name: str | None, script: str) -> tuple[str, int]:
    """Start Tracy; return where it listens."""

def tracy_parse(text: str) -> tuple[str, int]:
    """Return address and port that the environment names."""

def tracy_connected() -> bool:
    """Say whether a profiler is connected."""

def tracy_address() -> tuple[str, int] | None:
    """Return where Tracy listens."""

def zone_text(span: Span, text: str) -> None:
    """Say something of a zone."""

def zone_value(span: Span, value: int) -> None:
    """Give a zone a number."""

def zone_name(span: Span, name: str) -> None:
    """Give a zone a name of its own."""

def zone_colour(span: Span, colour: int) -> None:
    """Give a zone a colour of its own."""

def hook_allocator() -> None:
    """Tell of the memory of Python's objects from here on."""

def connect(address: str | None = None) -> tuple[str, int]:
    """Find a collector: its address and process."""

def connection() -> tuple[str, int] | None:
    """Return the collector that events go to."""

def save(path: str) -> str:
    """Write what is kept into a file."""

def save_at_exit(path: str) -> None:
    """Save at the end of the process."""

def save_on_crash(path: str) -> None:
    """Save when a signal kills the process."""

def lost() -> tuple[int, int]:
    """Return events and names lost."""

def flush() -> None:
    """Record cumulative spans that are outside of all spans."""

def wall_of_perf(seconds: float) -> float:
    """Return seconds of `time.perf_counter` as seconds of `time.time`."""

def set_secrets(parts: list[str]) -> None:
    """Set parts of names whose values are not recorded."""

def set_observer(
    observer: Callable[[ProfilingSpan | CumulativeSpan], object] | None,
) -> None:
    """Set who is told of each trace at its end."""

def current_ids() -> tuple[int, int] | None:
    """Return trace and number of the current span."""

def set_outer(trace: int, span: int) -> None:
    """Set the span of another process that this one was started in."""

def enter_remote(trace: int, span: int) -> ProfilingSpan:
    """Make a span of another process current."""

def leave_remote(remote: ProfilingSpan) -> None:
    """Make what was current before current again."""

def call_callbacks() -> list[Callable[..., Any]]:
    """Return what `sys.monitoring` is to call at begin, end and unwinding."""

def set_call_switch(switch: Callable[[bool], None]) -> None:
    """Set what switches monitoring on and off."""

def enter_calls() -> int:
    """Say that this thread is below a traced function."""

def leave_calls(before: int) -> None:
    """Say that it is where it was before."""

def counts() -> tuple[int, int, int]:
    """Return spans, passes and traced calls so far."""

def begin_calibration() -> None:
    """Set the recording aside."""

def end_calibration() -> None:
    """Put the recording back."""

def own_nanos() -> tuple[float, int]:
    """Return nanoseconds of entering and leaving a span, and how many were measured."""

def event_nanos() -> tuple[float, float]:
    """Return nanoseconds of the events of a span, and of a traced call."""
