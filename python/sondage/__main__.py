"""``python -m sondage …`` becomes the native program."""

from __future__ import annotations

import os
import sys

from sondage import binary_path


def main() -> None:
    """Replace this interpreter by the program, with the same arguments."""
    try:
        path = binary_path()
    except FileNotFoundError as error:
        sys.exit(f"sondage: {error}")
    os.execv(path, [path, *sys.argv[1:]])  # noqa: S606


if __name__ == "__main__":
    main()
