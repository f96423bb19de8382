"""Checkpoints: where a block of code spends its time, as lines of text.

    >>> from sondage.checkpoint import Profiler
    >>> def load():
    ...     profiler = Profiler(msg="import")
    ...     rows = list(range(1000))
    ...     profiler("read")
    ...     total = sum(rows)
    ...     profiler("added %d rows", len(rows))
    ...     return total
    >>> load()

prints, when the function ends,

    > Entering import
      read: 0.021, tot:0.021
      added 1000 rows: 0.009, tot:0.030
    < Exiting import, total time: 0.031 ms

The clock runs from the making of the profiler. It prints when the last reference to it goes, which
is the function's end, also by an exception; or at the end of a `with` block; or by `finish()`. Each
profiler is a span too, whose values are its checkpoints.
"""

from __future__ import annotations

import sys
import weakref
from contextvars import ContextVar
from time import perf_counter
from types import TracebackType
from typing import Self, TextIO

from sondage._profiler import profiler as _spans

__all__ = ["Profiler", "ms_slower_then", "output", "pg_profile_enabled"]

ms_slower_then: float = 0.0
"""Blocks that take fewer milliseconds are not printed; a profiler's own threshold goes before."""

output: TextIO | None = None
"""Where reports are printed; `None` is `sys.stderr`."""

_enabled: bool | None = None


def pg_profile_enabled(enabled: bool | None = None) -> bool:
    """Say whether profilers print, or with `True` or `False` switch all of them.

    A profiler is on unless it was made with `disabled=True`; switched off here, none prints.
    """
    global _enabled  # noqa: PLW0603
    if enabled is not None:
        _enabled = bool(enabled)
    return _enabled is not False


class _Checkpoint:
    """A checkpoint; its label is written when it is printed."""

    __slots__ = ("arguments", "label", "seconds")

    def __init__(self, label: object, arguments: tuple[object, ...], seconds: float) -> None:
        self.label = label
        self.arguments = arguments
        self.seconds = seconds

    def text(self) -> str:
        """Format the label. One that cannot be formatted is told as it is."""
        try:
            label = self.label() if callable(self.label) else self.label
            return str(label) % self.arguments if self.arguments else str(label)
        except Exception as error:  # noqa: BLE001  # a label must not break the program
            return f"{self.label!r} {self.arguments!r} ({type(error).__name__})"


_current: ContextVar[weakref.ref[Profiler] | None] = ContextVar("sondage.checkpoint", default=None)


class Profiler:
    """One block or function, with its checkpoints.

    Args:
        msg: What it is called; without it, the function and line that it stands in.
        disabled: `True` switches this one off. It is on unless told otherwise.
        ms_threshold: Blocks that take fewer milliseconds are not printed; `None` leaves it to
            `ms_slower_then`.
    """

    __slots__ = (
        "__weakref__",
        "_began",
        "_depth",
        "_lines",
        "_open",
        "_outer",
        "_span",
        "disabled",
        "ms_threshold",
        "msg",
    )

    def __init__(
        self,
        msg: str | None = None,
        disabled: bool = False,
        ms_threshold: float | None = None,
    ) -> None:
        self._open = False
        self._depth = 0
        self.disabled = disabled
        self.ms_threshold = ms_threshold
        if msg is None:
            frame = sys._getframe(1)
            msg = f"{frame.f_code.co_qualname}:{frame.f_lineno}"
        self.msg = msg
        self._begin()

    @property
    def is_on(self) -> bool:
        """Whether it records and prints."""
        return not self.disabled and pg_profile_enabled()

    def _begin(self) -> None:
        if not self.is_on:
            return
        outer = _current.get()
        self._outer = outer
        around = outer() if outer is not None else None
        self._depth = 0 if around is None or not around._open else around._depth + 1
        self._lines: list[_Checkpoint | str] = []
        self._span = _spans.span(self.msg)
        self._span.__enter__()
        self._open = True
        _current.set(weakref.ref(self))
        self._began = perf_counter()

    def __call__(self, label: object = "", *arguments: object) -> None:
        """Set a checkpoint.

        The label may be a text to be filled in with `%` and the arguments, or a function that
        makes one; both happen only if it is printed.
        """
        if self._open:
            now = perf_counter()
            self._lines.append(_Checkpoint(label, arguments, now))
            name = label if isinstance(label, str) else f"checkpoint {len(self._lines)}"
            self._span.set(name, round((now - self._began) * 1e3, 6))

    def finish(self, error: BaseException | None = None) -> None:
        """End it and print it, or hand its lines to the profiler around it. Once is enough."""
        if not self._open:
            return
        ended = perf_counter()
        self._open = False
        current = _current.get()
        if current is not None and current() in {self, None}:
            _current.set(self._outer)
        kind = None if error is None else type(error)
        self._span.__exit__(kind, error, None)
        total = (ended - self._began) * 1e3
        threshold = ms_slower_then if self.ms_threshold is None else self.ms_threshold
        # What is inside and was slow enough is printed even where this one was not.
        lines = (
            self._report(total)
            if total >= threshold
            else [line for line in self._lines if isinstance(line, str)]
        )
        around = self._outer() if self._outer is not None else None
        if around is not None and around._open:
            around._lines.extend(lines)
        elif lines:
            print("\n".join(lines), file=output or sys.stderr)

    def __enter__(self) -> Self:
        """Begin the block; one that ended before begins anew."""
        if not self._open:
            self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the block."""
        self.finish(value)

    def __del__(self) -> None:
        """End with the function."""
        # A profiler whose making failed has nothing to end, and a program that ends no output.
        if getattr(self, "_open", False) and sys.stderr is not None:
            self.finish()

    def _report(self, total: float) -> list[str]:
        """Write the block's lines, those of blocks inside it where they ended."""
        indent = "  " * self._depth
        lines = [f"{indent}> Entering {self.msg}"]
        before = self._began
        for line in self._lines:
            if isinstance(line, str):
                lines.append(line)
                continue
            delta, since = (line.seconds - before) * 1e3, (line.seconds - self._began) * 1e3
            before = line.seconds
            lines.append(f"{indent}  {line.text()}: {delta:.3f}, tot:{since:.3f}")
        lines.append(f"{indent}< Exiting {self.msg}, total time: {total:.3f} ms")
        return lines
