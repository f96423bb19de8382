"""`sondage.profiler`: the one object that a program's spans are made with."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, overload

from sondage import _native
from sondage._traces import ProfilingTrace

C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])

_logger = logging.getLogger("Profiler")

# Arguments whose names hold one of these are recorded as `***`.
_SECRETS = (
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "authorization",
    "cookie",
    "credential",
    "private_key",
)


class _Parts:
    """What `Profiler` has beside its probes: put into the compiled class, so that there is one."""

    _roots: Callable[[], list[_native.ProfilingSpan | _native.CumulativeSpan]]
    enabled: bool

    @overload
    def trace_all(self, cls: C, /) -> C: ...

    @overload
    def trace_all(self, /, *, exclude: Iterable[str] = ()) -> Callable[[C], C]: ...

    def trace_all(self, cls: C | None = None, /, *, exclude: Iterable[str] = ()) -> Any:
        """Decorate a class: each of its methods and properties becomes a span.

        Methods, static and class methods, properties, and their asynchronous and generator kinds
        are wrapped, `__init__` and `__call__` among them; other names with two underscores are not.
        `exclude` names what is left as it is.
        """
        from sondage._decorate import trace_class

        if cls is None:
            return lambda cls: trace_class(cls, frozenset(exclude))
        return trace_class(cls, frozenset(exclude))

    def trace_calls(self, function: F, /) -> F:
        """Decorate a function: it and every Python call below it become spans.

        Only calls of the thread or task that is inside the function are recorded.
        """
        from sondage._calls import trace_calls

        return trace_calls(function)

    @property
    def traces(self) -> list[ProfilingTrace]:
        """The newest traces, at most `PROFILER_MAX_TRACES`, oldest first."""
        return [ProfilingTrace.of(root) for root in self._roots()]

    @property
    def overhead_per_span_ns(self) -> float:
        """What a span costs in this program: nanoseconds, measured."""
        from sondage import _overhead

        return _overhead.span_cost()

    @property
    def total_overhead_ms(self) -> float:
        """What all spans so far have cost: milliseconds, from their number and their cost."""
        from sondage import _overhead

        return _overhead.total_ms()

    def mask(self, *parts: str) -> None:
        """Record no values of arguments whose names hold one of these; replaces the list."""
        _native.set_secrets(list(parts))

    def log_traces(self, level: int | None = logging.INFO) -> None:
        """Write a line to the logger `Profiler` for each trace that ends; `None` stops it."""
        if level is None:
            _native.set_observer(None)
            return

        def observe(root: _native.ProfilingSpan | _native.CumulativeSpan) -> None:
            if _logger.isEnabledFor(level):
                trace = ProfilingTrace.of(root)
                _logger.log(level, "%s took %.3f ms", trace.command_name, trace.total_duration_ms)

        _native.set_observer(observe)

    def __repr__(self) -> str:
        """Say whether it records."""
        return f"<sondage profiler, {'on' if self.enabled else 'off'}>"


for _name, _part in vars(_Parts).items():
    if _name == "__repr__" or not _name.startswith("_"):
        setattr(_native.Profiler, _name, _part)
Profiler = _native.Profiler
profiler = Profiler()
_native.set_secrets(list(_SECRETS))
atexit.register(_native.flush)
if not _native.CONTEXT_IN_PLACE:
    _logger.debug("this interpreter's contexts are laid out otherwise: spans cost more here")

from sondage import _propagate  # noqa: E402  # the environment may name the span around us

_propagate.adopt_environment()
