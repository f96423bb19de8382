"""Locks that record who waits for them, and who has them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from sondage import _native

_WAIT, _OBTAINED, _RELEASED, _GIVEN_UP = 0, 1, 2, 3

_event = _native.lock_event
_make_lock = threading.Lock
_make_rlock = threading.RLock
_make_condition = threading.Condition


def _place(depth: int) -> str:
    """Return where the caller's caller is: `file:line`. Frames of `threading` are passed over."""
    frame = sys._getframe(depth)
    while frame.f_back is not None and frame.f_globals.get("__name__") in {"threading", "queue"}:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


class Lock:
    """`threading.Lock`, recorded: who waits for it and how long, who has it and how long."""

    __slots__ = ("__weakref__", "_lock", "_number", "name")

    _make: Callable[[], Any] = staticmethod(_make_lock)

    def __init__(self, name: str | None = None) -> None:
        place = _place(2)
        self.name = place if name is None else name
        self._number = _native.lock(self.name, place)
        self._lock = self._make()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Wait for the lock, as `threading.Lock` does."""
        if self._lock.acquire(False):
            self._obtained()
            return True
        if not blocking:
            return False
        _event(self._number, _WAIT)
        try:
            got = bool(self._lock.acquire(True, timeout))
        except BaseException:
            _event(self._number, _GIVEN_UP)
            raise
        if got:
            self._obtained()
        else:
            _event(self._number, _GIVEN_UP)
        return got

    def release(self) -> None:
        """Give the lock back."""
        # Told before it is true: the next one's begin must not come before this one's end.
        self._released()
        self._lock.release()

    def locked(self) -> bool:
        """Say whether anybody has it."""
        return bool(self._lock.locked())

    def _obtained(self) -> None:
        _event(self._number, _OBTAINED)

    def _released(self) -> None:
        if self._lock.locked():
            _event(self._number, _RELEASED)

    def __enter__(self) -> bool:
        """Wait for the lock."""
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the lock back."""
        self.release()

    def __repr__(self) -> str:
        """Say which it is."""
        return f"<sondage.{type(self).__name__} {self.name}>"

    def _at_fork_reinit(self) -> None:
        self._lock._at_fork_reinit()


class RLock(Lock):
    """`threading.RLock`, recorded. Having it again counts as the same time."""

    __slots__ = ("_depth",)

    _make: Callable[[], Any] = staticmethod(_make_rlock)

    def __init__(self, name: str | None = None) -> None:
        place = _place(2)
        self.name = place if name is None else name
        self._number = _native.lock(self.name, place)
        self._lock = self._make()
        self._depth = 0

    def _obtained(self) -> None:
        # Only who has the lock comes here.
        self._depth += 1
        if self._depth == 1:
            _event(self._number, _OBTAINED)

    def _released(self) -> None:
        if self._lock._is_owned():
            self._depth -= 1
            if self._depth == 0:
                _event(self._number, _RELEASED)

    def locked(self) -> bool:
        """Say whether anybody has it."""
        return self._depth > 0

    # What `threading.Condition` asks of a lock that can be had many times.
    def _is_owned(self) -> bool:
        return bool(self._lock._is_owned())

    def _release_save(self) -> tuple[Any, int]:
        depth, self._depth = self._depth, 0
        _event(self._number, _RELEASED)
        return self._lock._release_save(), depth

    def _acquire_restore(self, state: tuple[Any, int]) -> None:
        _event(self._number, _WAIT)
        self._lock._acquire_restore(state[0])
        self._depth = state[1]
        _event(self._number, _OBTAINED)


class Condition(_make_condition):
    """`threading.Condition` with a recorded lock.

    Who waits to be notified holds no lock and is shown as waiting for one only from the
    notification on.
    """

    def __init__(self, lock: Any = None, name: str | None = None) -> None:
        if lock is None:
            place = _place(2)
            lock = RLock(place if name is None else name)
        super().__init__(lock)


def patch_threading() -> Callable[[], None]:
    """Make `threading.Lock`, `RLock` and `Condition` recorded ones from here on.

    Locks that exist already stay as they are, and so do names that a module took before
    (`from threading import Lock`). Returns a function that puts the old ones back.
    """
    before = (threading.Lock, threading.RLock, threading.Condition)

    def restore() -> None:
        threading.Lock, threading.RLock, threading.Condition = before  # type: ignore[misc]

    threading.Lock = Lock  # type: ignore[assignment]
    threading.RLock = RLock  # type: ignore[assignment]
    threading.Condition = Condition  # type: ignore[misc]
    return restore
