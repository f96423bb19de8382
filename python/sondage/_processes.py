"""Child processes that inherit the span in which they are started."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sondage import _native
from sondage._propagate import HEADER, child_environment, inject, parse

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

# Where `subprocess.Popen.__init__` takes `env` by position, the object itself included.
_ENV = 11

# The patches that are in force: what was there, and what is instead. A forked child has them too.
_wrapped: list[tuple[Any, str, Any, Any]] = []
_holders: set[object] = set()


def patch_processes() -> Callable[[], None]:
    """Let processes that are started in a span belong to it, whoever starts them, from here on.

    `subprocess.Popen` without `env`, `os.posix_spawn` with `os.environ`, and everything that
    starts processes through these (`subprocess.run`, `os.popen`, asyncio's) set `TRACEPARENT` in
    the child's environment; an `env` of the caller's own stays as it is, for which there is
    `child_environment`. A process of `multiprocessing` is told by its object, whatever it is
    started by (fork, spawn, a fork server), and tells its own children. Outside of spans nothing
    is changed. Returns a function that puts everything back, unless others have patched too.
    """
    holder = object()
    if not _holders:
        _install()
    _holders.add(holder)

    def restore() -> None:
        if holder in _holders:
            _holders.remove(holder)
            if not _holders:
                _uninstall()

    return restore


def _install() -> None:
    import subprocess
    from multiprocessing.process import BaseProcess

    for owner, name, make in (
        (subprocess.Popen, "__init__", _popen),
        (os, "posix_spawn", _posix_spawn),
        (os, "posix_spawnp", _posix_spawn),
        (BaseProcess, "start", _start),
    ):
        function = getattr(owner, name)
        wrapper = functools.wraps(function)(make(function))
        setattr(owner, name, wrapper)
        _wrapped.append((owner, name, function, wrapper))


def _uninstall() -> None:
    # Who wrapped these again keeps what they have: without holders ours does nothing.
    for owner, name, function, wrapper in _wrapped:
        if getattr(owner, name) is wrapper:
            setattr(owner, name, function)
    _wrapped.clear()


def _popen(function: Callable[..., None]) -> Callable[..., None]:
    def init(*args: Any, **kwargs: Any) -> None:
        if _holders and _native.current_ids() is not None:
            if len(args) > _ENV:
                if args[_ENV] is None:
                    args = (*args[:_ENV], child_environment(), *args[_ENV + 1 :])
            elif kwargs.get("env") is None:
                kwargs["env"] = child_environment()
        function(*args, **kwargs)

    return init


def _posix_spawn(function: Callable[..., int]) -> Callable[..., int]:
    def posix_spawn(path: Any, argv: Any, env: Any, /, *args: Any, **kwargs: Any) -> int:
        if _holders and env is os.environ:
            env = child_environment()
        return function(path, argv, env, *args, **kwargs)

    return posix_spawn


def _start(function: Callable[[BaseProcess], None]) -> Callable[[BaseProcess], None]:
    def start(self: BaseProcess) -> None:
        headers = inject() if _holders else {}
        # A `run` of the object's own is not ours to replace.
        if HEADER not in headers or "run" in vars(self):
            function(self)
            return
        # The object goes to the child with all its attributes, by pickle or by fork.
        vars(self)["run"] = functools.partial(_run_in, headers[HEADER], self)
        try:
            function(self)
        finally:
            vars(self).pop("run", None)

    return start


def _run_in(traceparent: str, process: BaseProcess) -> None:
    """Run a process of `multiprocessing`, in the child, inside the span that started it."""
    import sondage._profiler  # noqa: F401  # it reads the environment, which knows less than we

    vars(process).pop("run", None)
    ids = parse(traceparent)
    if ids is not None:
        _native.set_outer(*ids)
    if not _holders:
        patch_processes()
    process.run()
