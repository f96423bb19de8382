"""sondage: where a Python program's time goes.

The profiler itself is the ``sondage`` command, a native program that comes with this package.
This module tells where the program lies and hands out its reports; ``python -m sondage`` starts it.

What a program says of itself is here too: ``profiler`` (spans), ``frame_mark`` and ``monitor``,
``plot``, ``message``, ``Lock``, ``inject`` and ``extract``, ``connect`` and ``save``, and
``init_tracy``, which lets the Tracy profiler see it live. Each is loaded when it is first used.
"""

from sondage._native import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from typing import Any

    from sondage._frames import Component as Component
    from sondage._frames import Frame as Frame
    from sondage._frames import Monitor as Monitor
    from sondage._frames import frame as frame
    from sondage._frames import frame_mark as frame_mark
    from sondage._frames import monitor as monitor
    from sondage._locks import Condition as Condition
    from sondage._locks import Lock as Lock
    from sondage._locks import RLock as RLock
    from sondage._locks import patch_threading as patch_threading
    from sondage._native import PROFILER_MAX_TRACES as PROFILER_MAX_TRACES
    from sondage._native import CumulativeSpan as CumulativeSpan
    from sondage._native import ProfilingSpan as ProfilingSpan
    from sondage._processes import patch_processes as patch_processes
    from sondage._profiler import Profiler as Profiler
    from sondage._profiler import profiler as profiler
    from sondage._program import Connection as Connection
    from sondage._program import LogHandler as LogHandler
    from sondage._program import connect as connect
    from sondage._program import connection as connection
    from sondage._program import lost as lost
    from sondage._program import message as message
    from sondage._program import plot as plot
    from sondage._program import process_name as process_name
    from sondage._program import save as save
    from sondage._program import save_at_exit as save_at_exit
    from sondage._program import save_on_crash as save_on_crash
    from sondage._program import thread_name as thread_name
    from sondage._propagate import child_environment as child_environment
    from sondage._propagate import extract as extract
    from sondage._propagate import inject as inject
    from sondage._traces import ProfilingTrace as ProfilingTrace
    from sondage._tracy import allocator_hook_enable as allocator_hook_enable
    from sondage._tracy import init_tracy as init_tracy
    from sondage._tracy import is_tracy_available as is_tracy_available
    from sondage._tracy import tracy_connected as tracy_connected
    from sondage._tracy_gui import open_tracy_gui as open_tracy_gui
    from sondage._tracy_gui import tracy_gui_path as tracy_gui_path
    from sondage._tracy_zone import TracyZone as TracyZone
    from sondage._tracy_zone import tracy_zone as tracy_zone

# Name, and the module that it is loaded from.
_LAZY = {
    "Component": "_frames",
    "Condition": "_locks",
    "Connection": "_program",
    "CumulativeSpan": "_native",
    "Frame": "_frames",
    "Lock": "_locks",
    "LogHandler": "_program",
    "Monitor": "_frames",
    "PROFILER_MAX_TRACES": "_native",
    "Profiler": "_profiler",
    "ProfilingSpan": "_native",
    "ProfilingTrace": "_traces",
    "RLock": "_locks",
    "TracyZone": "_tracy_zone",
    "allocator_hook_enable": "_tracy",
    "child_environment": "_propagate",
    "connect": "_program",
    "connection": "_program",
    "extract": "_propagate",
    "frame": "_frames",
    "frame_mark": "_frames",
    "init_tracy": "_tracy",
    "inject": "_propagate",
    "is_tracy_available": "_tracy",
    "lost": "_program",
    "message": "_program",
    "monitor": "_frames",
    "open_tracy_gui": "_tracy_gui",
    "patch_processes": "_processes",
    "patch_threading": "_locks",
    "plot": "_program",
    "process_name": "_program",
    "profiler": "_profiler",
    "save": "_program",
    "save_at_exit": "_program",
    "save_on_crash": "_program",
    "thread_name": "_program",
    "tracy_connected": "_tracy",
    "tracy_gui_path": "_tracy_gui",
    "tracy_zone": "_tracy_zone",
}

__all__ = [  # noqa: PLE0604
    "__version__",
    "binary_path",
    "report",
    *_LAZY,
]


def __getattr__(name: str) -> "Any":
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module 'sondage' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"sondage.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> "list[str]":
    return sorted({*globals(), *_LAZY})


def binary_path() -> str:
    """Return the path of the ``sondage`` program that was installed with this package.

    Looks where pip puts programs: this environment's folder first, then the user's own.

    Raises:
        FileNotFoundError: the program is in none of these places (it was removed, or the package
            was copied without it). The message names the places.
    """
    from sondage._binary import find

    return find()


def report(path: "str | os.PathLike[str]") -> "dict[str, Any]":
    """Return what ``sondage report --json`` prints about one recording: where the time went.

    Raises:
        RuntimeError: the recording cannot be read. The text says why and what to do.
        FileNotFoundError: the program is missing, as for `binary_path`.
    """
    from sondage._report import report

    return report(path)
