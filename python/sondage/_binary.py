"""Finds the installed program. Apart, because ``sysconfig`` costs more than all else we import."""

from __future__ import annotations

import os
import sysconfig

_PROGRAM = "sondage"


def find() -> str:
    """Return the program's path, or raise ``FileNotFoundError`` with the places looked at."""
    places = _places()
    for place in places:
        path = os.path.join(place, _PROGRAM)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    raise FileNotFoundError(
        f"the sondage program is not in {', '.join(places)}: "
        "it was removed, or the package was copied without it\n"
        "hint: pip install --force-reinstall sondage"
    )


def _places() -> list[str]:
    places = [sysconfig.get_path("scripts")]
    # `pip install --user` and `pip install --target DIR` put it elsewhere.
    scheme = sysconfig.get_preferred_scheme("user")
    places.append(sysconfig.get_path("scripts", scheme=scheme))
    package = os.path.dirname(os.path.abspath(__file__))
    places.append(os.path.join(os.path.dirname(package), "bin"))
    return list(dict.fromkeys(places))
