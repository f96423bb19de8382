"""`trace_calls`: every call below a function."""

from __future__ import annotations

import functools
import inspect
import sys
from typing import Any, TypeVar

from sondage import _native
from sondage._decorate import (
    TRACES,
    _span,
    _wrap_async_generator,
    _wrap_coroutine,
    _wrap_generator,
    parameters,
)

F = TypeVar("F")

_is_ready = False


def _prepare() -> None:
    """Register with `sys.monitoring`, once. On 3.11 there is nothing to prepare."""
    global _is_ready  # noqa: PLW0603
    if _is_ready or sys.version_info < (3, 12):
        return
    monitoring = sys.monitoring
    # 0 to 2 and 5 are for debuggers, coverage, profilers and optimisers.
    for tool in (3, 4, monitoring.PROFILER_ID):
        if monitoring.get_tool(tool) is None:
            break
    else:
        raise RuntimeError("trace_calls: sys.monitoring has no free place for a tool")
    monitoring.use_tool_id(tool, "sondage")
    begin, end, unwind = _native.call_callbacks()
    events = monitoring.events
    told = 0
    for event, callback in (
        (events.PY_START, begin),
        (events.PY_RESUME, begin),
        (events.PY_THROW, begin),
        (events.PY_RETURN, end),
        (events.PY_YIELD, end),
        (events.PY_UNWIND, unwind),
    ):
        monitoring.register_callback(tool, event, callback)
        told |= event

    def switch(on: bool) -> None:
        monitoring.set_events(tool, told if on else 0)

    _native.set_call_switch(switch)
    _is_ready = True


def trace_calls(function: F) -> F:
    """Wrap a function so that it and every Python call below it are spans."""
    if not callable(function):
        raise TypeError("trace_calls decorates a function")
    _prepare()
    name = getattr(function, "__qualname__", type(function).__name__)
    names = parameters(function)
    for is_kind, wrap in (
        (inspect.isasyncgenfunction, _wrap_async_generator),
        (inspect.iscoroutinefunction, _wrap_coroutine),
        (inspect.isgeneratorfunction, _wrap_generator),
    ):
        if is_kind(function):
            return wrap(function, name, names, {}, TRACES)  # type: ignore[return-value]
    enter, leave = _native.enter_calls, _native.leave_calls

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with _span(name, names, args, kwargs) as span:
            if not span:
                return function(*args, **kwargs)
            before = enter()
            try:
                return function(*args, **kwargs)
            finally:
                leave(before)

    return wrapper  # type: ignore[return-value]
