"""sondage: where a Python program's time goes.

The profiler itself is the ``sondage`` command, a native program that comes with this package.
This module tells which version it is and where the program lies; ``python -m sondage`` starts it.
"""

from sondage._native import __version__

__all__ = ["__version__", "binary_path"]


def binary_path() -> str:
    """Return the path of the ``sondage`` program that was installed with this package.

    Looks where pip puts programs: this environment's folder first, then the user's own.

    Raises:
        FileNotFoundError: the program is in none of these places (it was removed, or the package
            was copied without it). The message names the places.
    """
    from sondage._binary import find

    return find()
