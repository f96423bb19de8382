"""Functions as spans: plain, asynchronous, generators, and whole classes of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from sondage._native import Profiler, set_place

_native = Profiler()
_drive = _native._drive
_driver = _native._driver
_span = _native._call_span

# Kinds of what `_drive` drives.
COROUTINE, GENERATOR, ASYNC_GENERATOR = 0, 1, 2
# Added to the kind when the calls below are traced.
TRACES = 4

Function = Callable[..., Any]


def parameters(function: Function) -> tuple[str, ...]:
    """Return the names of what is passed by position; a method's own object has an empty one."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return ()
    names: list[str] = list(code.co_varnames[: code.co_argcount])
    if names and names[0] in {"self", "cls"}:
        names[0] = ""
    return tuple(names)


def _tell_place(function: Function, name: str, colour: int = 0) -> None:
    """Say that spans called `name` are where the function is, and not in our wrappers."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is not None:
        set_place(name, code.co_qualname, code.co_filename, code.co_firstlineno, colour)


def decorate(
    function: Function,
    name: str,
    data: dict[str, Any] | Callable[[], dict[str, Any]] | None = None,
    colour: int = 0,
) -> Function:
    """Wrap a function so that each call of it is a span called `name`, at the function's place."""
    names = parameters(function)
    _tell_place(function, name, colour)
    fixed = dict(data() if callable(data) else data) if data else {}

    if inspect.isasyncgenfunction(function):
        return _wrap_async_generator(function, name, names, fixed, 0)
    if inspect.iscoroutinefunction(function):
        return _wrap_coroutine(function, name, names, fixed, 0)
    if inspect.isgeneratorfunction(function):
        return _wrap_generator(function, name, names, fixed, 0)
    if not callable(function):
        raise TypeError(f"a span decorates functions, not {type(function).__name__} objects")

    if fixed:

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with _span(name, names, args, {**fixed, **kwargs}):
                return function(*args, **kwargs)
    else:

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with _span(name, names, args, kwargs):
                return function(*args, **kwargs)

    return wrapper


def _wrap_coroutine(
    function: Function, name: str, names: tuple[str, ...], fixed: dict[str, Any], flags: int
) -> Function:
    kind = COROUTINE | flags
    if fixed:

        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            inner = function(*args, **kwargs)
            return await _drive(inner, kind, name, names, args, {**fixed, **kwargs})
    else:
        drive = _driver(function, kind, name, names)

        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            return await drive(args, kwargs)

    return wrapper


def _wrap_generator(
    function: Function, name: str, names: tuple[str, ...], fixed: dict[str, Any], flags: int
) -> Function:
    kind = GENERATOR | flags

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        inner = function(*args, **kwargs)
        return (yield from _drive(inner, kind, name, names, args, {**fixed, **kwargs}))

    return wrapper


def _wrap_async_generator(
    function: Function, name: str, names: tuple[str, ...], fixed: dict[str, Any], flags: int
) -> Function:
    kind = ASYNC_GENERATOR | flags

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        inner = function(*args, **kwargs)
        first = inner.__anext__()
        steps = _drive(first, kind, name, names, args, {**fixed, **kwargs})
        if steps is first:
            # The profiler is off: nothing is driven, but the generator still is.
            steps = None
        step = first
        try:
            while True:
                try:
                    item = await (steps.over(step) if steps else step)
                except StopAsyncIteration:
                    return
                try:
                    sent = yield item
                except GeneratorExit:
                    await (steps.over(inner.aclose()) if steps else inner.aclose())
                    raise
                except BaseException as error:  # noqa: BLE001  # it is the inner one's to handle
                    step = inner.athrow(error)
                else:
                    step = inner.asend(sent)
        finally:
            if steps:
                steps.end()

    return wrapper


def decorate_bare(
    function: Function | None, data: dict[str, Any] | Callable[[], dict[str, Any]] | None
) -> Function:
    """Serve `@profiler.span` and `@profiler.span()`: the name is the function's own."""
    if function is None:
        return lambda function: decorate(function, function.__qualname__, data)
    return decorate(function, function.__qualname__, data)


def decorate_cumulative(function: Function, name: str) -> Function:
    """Wrap a function so that each call of it is a pass of `name`."""
    passes = _native.cumulative_span
    _tell_place(function, name)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with passes(name):
                return await function(*args, **kwargs)

        return coroutine
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            with passes(name):
                return (yield from function(*args, **kwargs))

        return generator

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with passes(name):
            return function(*args, **kwargs)

    return wrapper


# Names with two underscores that are wrapped: where a class does its work.
_WORK = frozenset({"__init__", "__call__", "__enter__", "__exit__", "__aenter__", "__aexit__"})


def trace_class(cls: Any, exclude: frozenset[str]) -> Any:
    """Wrap what a class defines itself."""
    if not isinstance(cls, type):
        raise TypeError("trace_all decorates a class")
    unknown = exclude - set(dir(cls))
    if unknown:
        raise AttributeError(f"trace_all(exclude=…): {cls.__name__} has no {min(unknown)!r}")
    for key, value in list(vars(cls).items()):
        is_special = key.startswith("__") and key.endswith("__") and key not in _WORK
        if key in exclude or is_special:
            continue
        wrapped = _wrap_member(value, f"{cls.__qualname__}.{key}")
        if wrapped is not None:
            setattr(cls, key, wrapped)
    return cls


def _wrap_member(value: object, name: str) -> object | None:
    """Return what stands for a class's attribute, `None` to leave it."""
    if isinstance(value, staticmethod):
        return staticmethod(decorate(value.__func__, name))
    if isinstance(value, classmethod):
        return classmethod(decorate(value.__func__, name))
    if isinstance(value, property):
        return property(
            value.fget and decorate(value.fget, name),
            value.fset and decorate(value.fset, f"{name} (set)"),
            value.fdel and decorate(value.fdel, f"{name} (delete)"),
            value.__doc__,
        )
    if isinstance(value, functools.cached_property):
        wrapped = functools.cached_property(decorate(value.func, name))
        wrapped.attrname = value.attrname
        return wrapped
    if inspect.isfunction(value):
        return decorate(value, name)
    return None
