"""Finds Tracy's window and opens it on this process, or says how to get it."""

from __future__ import annotations

import os
import shutil
import subprocess
from glob import glob

from sondage import _native
from sondage._tracy import ADDRESS, PORT

VARIABLE = "SONDAGE_TRACY_GUI"

_NAMES = ("tracy-profiler", "tracy", "Tracy")

# Where programs lie that were not installed by the system: unpacked, built, or flatpaks. The last
# one counts: of versions side by side the newest.
_PLACES = (
    "~/.local/bin/{name}",
    "~/bin/{name}",
    "~/.local/share/flatpak/exports/bin/*.{name}",
    "/var/lib/flatpak/exports/bin/*.{name}",
    "/usr/local/bin/{name}",
    "/opt/tracy*/{name}",
    "/opt/tracy*/bin/{name}",
    "~/tracy*/{name}",
    "~/tracy*/profiler/build/{name}",
    "~/tracy*/profiler/build/unix/{name}",
    "~/Applications/{name}*.AppImage",
)

_windows: list[subprocess.Popen[bytes]] = []


def tracy_gui_path() -> str | None:
    """Return the path of Tracy's window, the program `tracy-profiler`; `None` if it is not found.

    Looks where `SONDAGE_TRACY_GUI` says, on the PATH, among flatpaks, and in the usual folders.
    """
    told = os.environ.get(VARIABLE)
    if told:
        return shutil.which(os.path.expanduser(told))
    for name in _NAMES:
        found = shutil.which(name)
        if found:
            return found
    for name in _NAMES:
        for place in _PLACES:
            paths = sorted(glob(os.path.expanduser(place.format(name=name))))
            for path in reversed(paths):
                if os.path.isfile(path) and os.access(path, os.X_OK):
                    return path
    return None


def open_tracy_gui(
    *, address: str | None = None, port: int | None = None
) -> subprocess.Popen[bytes]:
    """Open Tracy's window on this process, or on one that listens elsewhere.

    Returns the window's process. It outlives this one.

    Raises:
        FileNotFoundError: the program is not found. The text says how to get it.
    """
    path = tracy_gui_path()
    if path is None:
        raise FileNotFoundError(_how_to_get_it())
    here = _native.tracy_address() or (ADDRESS, PORT)
    address = here[0] if address is None else address
    port = here[1] if port is None else port
    # What listens everywhere is reached here.
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104
    window = subprocess.Popen(
        [path, "-a", target, "-p", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _windows[:] = [each for each in _windows if each.poll() is None]
    _windows.append(window)
    return window


def _how_to_get_it() -> str:
    version = _native.TRACY_VERSION
    told = os.environ.get(VARIABLE)
    where = (
        f"{told}, which {VARIABLE} names, is no program"
        if told
        else ("tracy-profiler is not on the PATH, not a flatpak, and not in the usual folders")
    )
    return (
        f"{where}\n"
        f"hint: install Tracy {version}, the version that this package speaks: your "
        f"distribution's package `tracy`, or tag v{version} of github.com/wolfpld/tracy; then "
        f"put tracy-profiler on the PATH or name it in {VARIABLE}"
    )
