"""sondage: where a Python program's time goes.

The profiler itself is the ``sondage`` command, a native program that comes with this package.
This module tells where the program lies and hands out its reports; ``python -m sondage`` starts it.
"""

from sondage._native import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from typing import Any

__all__ = ["__version__", "binary_path", "report"]


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
