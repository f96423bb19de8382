"""Programs that a test looks at as Tracy does."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tracy_wire import Connection, Seen, Zone

HEAD = """
import asyncio, os, sys, threading, time
import sondage
from sondage import Lock, TracyZone, frame, frame_mark, message, monitor, plot, profiler, tracy_zone

def wait(until):
    end = time.monotonic() + 30
    while not until() and time.monotonic() < end: time.sleep(0.002)
    assert until()

assert sondage.init_tracy(port=int(sys.argv[1]), name="a test's program")
wait(sondage.tracy_connected)
"""
TAIL = """
message("the end")
sys.stdin.read()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    python: Path, code: str, folder: Path
) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """Start a program that is given a port; it must end well once its input ends."""
    port = free_port()
    script = folder / "program.py"
    script.write_text(code)
    program = subprocess.Popen(
        [python, "-W", "ignore::DeprecationWarning", script, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    try:
        yield program, port, script
        _, errors = program.communicate(timeout=30)
        assert program.returncode == 0, errors
        assert errors == ""
    finally:
        program.kill()
        program.wait()


def seen(python: Path, folder: Path, body: str) -> Seen:
    """Run a program with a profiler connected from before its first line to after its last."""
    with (
        running(python, HEAD + body + TAIL, folder) as (program, port, _),
        Connection(port) as profiler,
    ):
        found = profiler.seen()
        assert program.poll() is None
    return found


def nesting(zones: list[Zone]) -> list[str]:
    """Write each zone as its way from the outermost."""

    def way(zone: Zone) -> str:
        return f"{way(zone.parent)}/{zone.label}" if zone.parent else zone.label

    return sorted(way(zone) for zone in zones)
