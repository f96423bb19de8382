"""Trace context across processes, as W3C's `traceparent` has it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager

from sondage import _native

HEADER = "traceparent"
VARIABLE = "TRACEPARENT"

# Capital letters are wrong by the standard.
_HEX = frozenset("0123456789abcdef")


def inject(carrier: MutableMapping[str, str] | None = None) -> MutableMapping[str, str]:
    """Put the current span into a request's headers, and return them.

    Without a current span nothing is put in.
    """
    carrier = {} if carrier is None else carrier
    value = _current()
    if value is not None:
        carrier[HEADER] = value
    return carrier


@contextmanager
def extract(carrier: Mapping[str, str]) -> Iterator[None]:
    """Let spans inside the `with` block be children of the span that a request's headers name.

    Headers without a `traceparent`, or with one that is wrong, change nothing. Names are looked
    up in small letters, then in any.
    """
    value = carrier.get(HEADER)
    if value is None:
        value = next((carrier[key] for key in carrier if key.lower() == HEADER), None)
    ids = None if value is None else parse(value)
    if ids is None:
        yield
        return
    remote = _native.enter_remote(*ids)
    try:
        yield
    finally:
        _native.leave_remote(remote)


def child_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment for a child process, in which its spans are the current span's.

    Made from `environment`, else from this process's own.
    """
    made = dict(os.environ if environment is None else environment)
    value = _current()
    if value is not None:
        made[VARIABLE] = value
    return made


def adopt_environment() -> None:
    """Let this process's outermost spans be children of the one that its environment names."""
    value = os.environ.get(VARIABLE)
    ids = parse(value) if value else None
    if ids is not None:
        _native.set_outer(*ids)


def parse(value: str) -> tuple[int, int] | None:
    """Return trace and span of a `traceparent`; `None` for one that is wrong."""
    parts = value.strip().split("-")
    if len(parts) < 4 or [len(part) for part in parts[:4]] != [2, 32, 16, 2]:
        return None
    if not all(_HEX.issuperset(part) for part in parts[:4]):
        return None
    # Version 0 has four parts; later ones may have more, and 255 is none.
    if parts[0] == "ff" or (parts[0] == "00" and len(parts) != 4):
        return None
    _, trace, span, _ = (int(part, 16) for part in parts[:4])
    return (trace, span) if trace and span else None


def _current() -> str | None:
    ids = _native.current_ids()
    if ids is None:
        return None
    trace, span = ids
    return f"00-{trace:032x}-{span:016x}-01"
