"""Tracy: what the program says, live in the Tracy profiler. It is started only when asked."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from sondage import _native

PORT = 8086
ADDRESS = "127.0.0.1"

VARIABLE = "SONDAGE_TRACY"
FILE_VARIABLE = "SONDAGE_CONFIG"
FILE = "sondage.toml"

# What the variable says beside addresses: that Tracy is wanted or not, at the usual place.
_WORDS = {"", "0", "1", "off", "on", "no", "yes", "false", "true"}

_logger = logging.getLogger("Profiler")


class _SettingError(Exception):
    """Why Tracy cannot be started, for the warning."""


class _State:
    """What this process has been told."""

    has_warned = False


def is_tracy_available() -> bool:
    """Say whether Tracy is built into this package. It is in the wheel."""
    return bool(_native.TRACY_VERSION)


def tracy_connected() -> bool:
    """Say whether a profiler is connected now: Tracy's window, or `tracy-capture`."""
    return _native.tracy_connected()


def init_tracy(
    *, address: str | None = None, port: int | None = None, name: str | None = None
) -> bool:
    """Let Tracy connect: from here on, what the program says reaches it too.

    Before this nothing listens, unless the environment variable `SONDAGE_TRACY` asks for it. What
    is not given is taken from there (`9000`, `127.0.0.1:9000`), then from the table `[tracy]` of
    `sondage.toml` in the working directory or where `SONDAGE_CONFIG` says.

    Without Tracy the program runs on: one warning is logged, on the logger `Profiler`, and this
    returns `False`. Calling it again changes nothing. It takes a quarter of a second.

    Args:
        address: Where to listen: `127.0.0.1`, which is this machine alone, unless told. Who can
            reach the port can read the program's memory.
        port: The TCP port, 8086 unless told; 0 for any that is free.
        name: What to call this process; as `process_name` did, or its script's name, unless told.

    Returns:
        Whether it listens.

    Raises:
        ValueError: `address` or `port` can be none.
    """
    if port is not None and not _is_port(port):
        raise ValueError(f"port {port!r} is no number from 0 to 65535")
    if address is not None and not _is_address(address):
        raise ValueError(f"address {address!r} is no IP address, such as '127.0.0.1'")
    try:
        place = _settings(address, port)
        _native.tracy_start(*place, name, _script())
    except (_SettingError, OSError) as error:
        if not _State.has_warned:
            _State.has_warned = True
            _logger.warning("Tracy not connected — profiling unavailable: %s", error)
        return False
    return True


def allocator_hook_enable() -> None:
    """Tell Tracy of the memory of Python's objects, as it is set aside and given back.

    Each allocation costs some ten nanoseconds from here on, and more while a profiler is
    connected. It cannot be undone.
    """
    _native.hook_allocator()


def _is_port(port: object) -> bool:
    return isinstance(port, int) and not isinstance(port, bool) and 0 <= port < 1 << 16


def _is_address(address: object) -> bool:
    import socket

    if not isinstance(address, str):
        return False
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    except OSError:
        return False
    return True


def _settings(address: str | None, port: int | None) -> tuple[str, int]:
    """Return where to listen: as told, else by environment, file, default."""
    if address is not None and port is not None:
        return address, port
    told = os.environ.get(VARIABLE, "").strip()
    if told.lower() in _WORDS:
        found_address, found_port = _from_file()
    else:
        try:
            found_address, found_port = _native.tracy_parse(told)
        except ValueError as error:
            raise _SettingError(str(error)) from None
    return (
        found_address if address is None else address,
        found_port if port is None else port,
    )


def _from_file() -> tuple[str, int]:
    path, table = _table()
    address, port = table.get("address", ADDRESS), table.get("port", PORT)
    if not _is_port(port):
        raise _SettingError(f"{path}: [tracy] port is {port!r}, no number from 0 to 65535")
    if not _is_address(address):
        raise _SettingError(f"{path}: [tracy] address is {address!r}, no IP address")
    return address, port


def _table() -> tuple[str, dict[str, Any]]:
    """Return the file's path, and what it says of Tracy; nothing where there is no file."""
    told = os.environ.get(FILE_VARIABLE) or None
    path = told or FILE
    try:
        with open(path, "rb") as file:
            import tomllib

            settings = tomllib.load(file)
    except FileNotFoundError:
        if told:
            raise _SettingError(f"{path}, which {FILE_VARIABLE} names, is not there") from None
        return path, {}
    except (OSError, ValueError) as error:
        raise _SettingError(f"{path}: {error}") from None
    table = settings.get("tracy", {})
    if not isinstance(table, dict):
        raise _SettingError(f"{path}: tracy is no table; write [tracy]")
    unknown = sorted(table.keys() - {"address", "port"})
    if unknown:
        raise _SettingError(f"{path}: [tracy] has no {unknown[0]!r}, only address and port")
    return path, table


def _script() -> str:
    """Return the script's name; the interpreter's where there is none."""
    script = sys.argv[0] if sys.argv else ""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name.removesuffix(".__main__"))
    if script in {"", "-", "-c"}:
        script = sys.executable
    return os.path.basename(script) or "python"
