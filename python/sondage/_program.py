"""Plots, messages, names; and where the program's events go."""

from __future__ import annotations

import logging
import os
from typing import NamedTuple

from sondage import _native

PathLike = str | os.PathLike[str]

plot = _native.plot

_LEVELS = {"debug": 1, "info": 2, "warning": 3, "error": 4, "critical": 5}


def message(text: str, *, level: str = "info", colour: int = 0) -> None:
    """Record a line of text.

    Args:
        text: At most 8 KB of it are kept.
        level: `debug`, `info`, `warning`, `error` or `critical`.
        colour: `0xRRGGBB`; 0 lets the view choose.
    """
    number = _LEVELS.get(level)
    if number is None:
        raise ValueError(f"level {level!r} is none of {', '.join(_LEVELS)}")
    _native.message(number, text, colour)


class LogHandler(logging.Handler):
    """Records what a program logs as messages: `logging.getLogger().addHandler(LogHandler())`."""

    def emit(self, record: logging.LogRecord) -> None:
        """Record one line, as this handler's formatter writes it."""
        try:
            level = min(max(record.levelno // 10, 1), 5)
            _native.message(level, self.format(record))
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001  # as all handlers do: told of, not raised
            self.handleError(record)


class Connection(NamedTuple):
    """A collector."""

    address: str
    """Where it listens: `@name` in the abstract namespace, or a path."""
    pid: int
    """Its process."""


def connect(address: str | None = None) -> Connection:
    """Find a collector and give it this process's events, those that are kept from before first.

    It listens at `address`, else where `SONDAGE_COLLECTOR` says, else where a collector of this
    user does. A collector that goes is looked for again once a second.

    Raises:
        ConnectionError: nobody listens there, or not with this user's rights.
    """
    return Connection(*_native.connect(address))


def connection() -> Connection | None:
    """Return the collector that events go to now, if there is one."""
    found = _native.connection()
    return Connection(*found) if found else None


def save(path: PathLike) -> str:
    """Write the events that are kept into a file that `sondage` opens, and return its path.

    `{pid}` in the path stands for the process's number.

    Raises:
        OSError: it cannot be written.
    """
    return os.fspath(_native.save(os.fspath(path)))


def save_at_exit(path: PathLike) -> None:
    """Save as `save` does when the process ends in order."""
    _native.save_at_exit(os.fspath(path))


def save_on_crash(path: PathLike) -> None:
    """Save when a signal kills the process that tells of its own doing, such as `SIGSEGV`."""
    _native.save_on_crash(os.fspath(path))


class Lost(NamedTuple):
    """What found no room."""

    events: int
    names: int


def lost() -> Lost:
    """Return how many events and names were lost since the start of the process."""
    return Lost(*_native.lost())


def thread_name(name: str) -> None:
    """Name the calling thread in recordings."""
    _native.thread_name(name)


def process_name(name: str) -> None:
    """Name this process in recordings."""
    _native.process_name(name)
