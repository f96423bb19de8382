"""`TracyZone` and `tracy_zone`: spans with a place and a colour of their own, as Tracy has them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType, TracebackType
from typing import Any, Self, TypeVar, overload

from sondage import _native

F = TypeVar("F", bound=Callable[..., Any])

# Numbers of places, by what they are made of; the code is kept so that its address stays its own.
_sites: dict[tuple[int, int, str | None, int], tuple[int, str, CodeType]] = {}
_MOST_SITES = 1 << 16


def _site(frame: FrameType, name: str | None, colour: int) -> tuple[int, str, CodeType]:
    code = frame.f_code
    key = (id(code), frame.f_lasti, name, colour)
    found = _sites.get(key)
    if found is None:
        label = code.co_qualname if name is None else name
        place = (code.co_qualname, code.co_filename, frame.f_lineno or 0)
        found = (_native.site(label, *place, colour), label, code)
        if len(_sites) < _MOST_SITES:
            _sites[key] = found
    return found


class TracyZone:
    """A zone: `with TracyZone("load", colour=0x4C78A8) as zone: …`.

    It is a span as `profiler.span` makes them, and so is in recordings and traces, right in
    threads and tasks, and does nothing while the profiler is off. What it has beside is its own
    place and colour (`0xRRGGBB`), and what Tracy knows of zones: texts, a value, another name.

    Without a name it has the function's. It decorates functions too.
    """

    __slots__ = ("_colour", "_name", "_open", "_place")

    def __init__(self, name: str | None = None, colour: int = 0, *, color: int = 0) -> None:
        self._name = name
        self._colour = colour or color
        self._place = _site(sys._getframe(1), name, self._colour)
        self._open: list[_native.Span] = []

    def __enter__(self) -> Self:
        """Begin it."""
        site, label, _ = self._place
        self._open.append(_native.span_at(label, site).__enter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """End it."""
        self._open.pop().__exit__(kind, value, traceback)

    def text(self, text: object) -> None:
        """Say something of it. Each text is a line in Tracy."""
        if self._open:
            _native.zone_text(self._open[-1], str(text))

    def value(self, value: int) -> None:
        """Give it a number, at least 0."""
        if self._open:
            _native.zone_value(self._open[-1], value)

    def name(self, name: str) -> None:
        """Call this one, of all the zones of its place, something else in Tracy."""
        if self._open:
            _native.zone_name(self._open[-1], name)

    def colour(self, colour: int) -> None:
        """Give this one another colour in Tracy: `0xRRGGBB`."""
        if self._open:
            _native.zone_colour(self._open[-1], colour)

    color = colour

    def __call__(self, function: F) -> F:
        """Decorate a function: each call of it is a zone at the function's place."""
        return _decorate(function, self._name, self._colour)

    def __repr__(self) -> str:
        """Say which it is."""
        return f"<TracyZone {self._place[1]}>"


@overload
def tracy_zone(name: F, /) -> F: ...


@overload
def tracy_zone(name: str | None = None, colour: int = 0, *, color: int = 0) -> TracyZone: ...


def tracy_zone(name: Any = None, colour: int = 0, *, color: int = 0) -> Any:
    """Make a zone of a function or of a block.

    `@tracy_zone`, `@tracy_zone("load", colour=0x4C78A8)`, `with tracy_zone("load"): …`. Functions
    may be asynchronous and generators; a call's arguments are kept as `profiler.span` keeps them.
    """
    if callable(name):
        return _decorate(name, None, 0)
    zone = TracyZone.__new__(TracyZone)
    zone._name = name
    zone._colour = colour or color
    zone._place = _site(sys._getframe(1), name, zone._colour)
    zone._open = []
    return zone


def _decorate(function: F, name: str | None, colour: int) -> F:
    from sondage._decorate import decorate

    label = name or str(getattr(function, "__qualname__", "?"))
    decorated: F = decorate(function, label, None, colour)  # type: ignore[assignment]
    return decorated
