"""Where Tracy listens, what happens when it cannot, and its window."""

from __future__ import annotations

import logging
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sondage
from sondage import _native, _tracy, _tracy_gui

WARNING = "Tracy not connected — profiling unavailable"


Call = tuple[str, int, str]


class Told:
    """What a test tells, and what would be started of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started: list[Call] = []
        self._monkeypatch = monkeypatch

    def by(self, environment: dict[str, str], file: str) -> None:
        """Tell it by the environment and by a file in the working directory."""
        for variable, value in environment.items():
            self._monkeypatch.setenv(variable, value)
        if file:
            Path("sondage.toml").write_text(file)

    def start(self, address: str, port: int, name: str | None, script: str) -> tuple[str, int]:
        """Stand for the start of Tracy."""
        self.started.append((address, port, name or script))
        return address, port

    def address(self) -> tuple[str, int] | None:
        """Say where it listens."""
        return self.started[-1][:2] if self.started else None


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Told:
    """Begin without settings, and start nothing."""
    for variable in (_tracy.VARIABLE, _tracy.FILE_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    told = Told(monkeypatch)
    monkeypatch.setattr(_native, "tracy_start", told.start)
    monkeypatch.setattr(_native, "tracy_address", told.address)
    monkeypatch.setattr(_tracy._State, "has_warned", False)
    return told


BOTH = {"SONDAGE_TRACY": "127.0.0.2:9002"}
FILE = '[tracy]\nport = 9003\naddress = "127.0.0.3"\n[other]\nx = 1\n'

# What is told as arguments, by the environment and by the file; where it listens then.
SETTINGS = [
    ({}, {}, "", ("127.0.0.1", 8086)),
    ({}, {}, "[other]\n", ("127.0.0.1", 8086)),
    ({}, {}, FILE, ("127.0.0.3", 9003)),
    ({}, {}, "[tracy]\nport = 9003\n", ("127.0.0.1", 9003)),
    ({}, BOTH, FILE, ("127.0.0.2", 9002)),
    ({}, BOTH, "no toml", ("127.0.0.2", 9002)),
    ({}, {"SONDAGE_TRACY": "9002"}, FILE, ("127.0.0.1", 9002)),
    ({}, {"SONDAGE_TRACY": "[::1]"}, FILE, ("::1", 8086)),
    ({}, {"SONDAGE_TRACY": "On"}, FILE, ("127.0.0.3", 9003)),
    ({}, {"SONDAGE_TRACY": ""}, FILE, ("127.0.0.3", 9003)),
    ({"port": 9001}, BOTH, FILE, ("127.0.0.2", 9001)),
    ({"port": 0, "address": "::1"}, BOTH, "no toml", ("::1", 0)),
    ({"address": "0.0.0.0"}, {}, FILE, ("0.0.0.0", 9003)),  # noqa: S104
]


@pytest.mark.parametrize(("arguments", "environment", "file", "place"), SETTINGS)
def test_arguments_go_before_environment_before_file(
    arguments: dict[str, Any],
    environment: dict[str, str],
    file: str,
    place: tuple[str, int],
    told: Told,
) -> None:
    told.by(environment, file)
    assert sondage.init_tracy(**arguments)
    assert told.address() == place


def test_the_environment_may_name_the_file(told: Told, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.toml"
    path.write_text(FILE)
    told.by({"SONDAGE_CONFIG": str(path)}, "")
    assert sondage.init_tracy(name="mine")
    assert told.started == [("127.0.0.3", 9003, "mine")]


# What is wrong, and what the warning says of it.
WRONG = [
    ({"SONDAGE_TRACY": "many"}, "", "SONDAGE_TRACY=many"),
    ({"SONDAGE_TRACY": "65536"}, "", "SONDAGE_TRACY=65536"),
    ({"SONDAGE_CONFIG": "gone.toml"}, "", "gone.toml, which SONDAGE_CONFIG names, is not there"),
    ({}, "[tracy\n", "sondage.toml: "),
    ({}, "tracy = 3\n", "sondage.toml: tracy is no table"),
    ({}, "[tracy]\nport = '8086'\n", "sondage.toml: [tracy] port is '8086'"),
    ({}, "[tracy]\nport = true\n", "sondage.toml: [tracy] port is True"),
    ({}, "[tracy]\naddress = 3\n", "sondage.toml: [tracy] address is 3"),
    ({}, "[tracy]\nprot = 3\n", "sondage.toml: [tracy] has no 'prot'"),
]


@pytest.mark.parametrize(("environment", "file", "reason"), WRONG)
def test_wrong_settings_are_warned_of_and_start_nothing(
    environment: dict[str, str],
    file: str,
    reason: str,
    told: Told,
    caplog: pytest.LogCaptureFixture,
) -> None:
    told.by(environment, file)
    assert not sondage.init_tracy()
    assert told.started == []
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("Profiler", logging.WARNING)
    assert record.getMessage().startswith(f"{WARNING}: {reason}")


@pytest.mark.parametrize("port", [-1, 65536, True, "8086"])
def test_a_wrong_argument_is_the_programs_error(port: int, told: Told) -> None:
    with pytest.raises(ValueError, match=r"0 to 65535"):
        sondage.init_tracy(port=port)
    with pytest.raises(ValueError, match="no IP address"):
        sondage.init_tracy(address="localhost")
    assert told.started == []


@pytest.mark.usefixtures("told")
def test_without_tracy_one_warning_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("it is not built in")

    monkeypatch.setattr(_native, "tracy_start", refuse)
    assert [sondage.init_tracy(), sondage.init_tracy(port=9001)] == [False, False]
    assert [record.getMessage() for record in caplog.records] == [f"{WARNING}: it is not built in"]


def test_nothing_is_logged_when_nobody_asks(python: Path) -> None:
    code = "import sondage\nwith sondage.TracyZone('x'): print(sondage.tracy_connected())"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


BUSY = """
import sys
import sondage
for _ in range(2): print(sondage.init_tracy(port=int(sys.argv[1])), sondage.tracy_connected())
with sondage.profiler.span("goes on"): pass
assert sondage.profiler.traces
"""


def test_a_busy_port_is_warned_of_once_and_the_program_runs_on(python: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = subprocess.run(
            [python, "-c", BUSY, str(port)], capture_output=True, text=True, check=True
        )
    assert done.stdout == "False False\n" * 2
    assert done.stderr.count(WARNING) == 1
    assert len(done.stderr.splitlines()) == 1
    assert str(port) in done.stderr


# The window


@pytest.fixture
def no_window(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Let no Tracy be found; return a home of its own."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(_tracy_gui.VARIABLE, raising=False)
    home = tuple(place for place in _tracy_gui._PLACES if place.startswith("~"))
    monkeypatch.setattr(_tracy_gui, "_PLACES", home)
    monkeypatch.setattr(_tracy_gui, "_NAMES", _tracy_gui._NAMES)
    yield tmp_path
    for window in _tracy_gui._windows:
        window.wait(30)


def make(path: Path, code: str = "exit 0") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{code}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.usefixtures("no_window")
def test_a_window_that_is_not_there_is_told_with_its_version() -> None:
    assert sondage.tracy_gui_path() is None
    with pytest.raises(FileNotFoundError, match=r"hint: install Tracy 0\.\d+\.\d+, ") as error:
        sondage.open_tracy_gui()
    assert f"v{_native.TRACY_VERSION}" in str(error.value)


def test_windows_are_found_where_they_lie(no_window: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flatpak = make(no_window / ".local/share/flatpak/exports/bin/org.example.Tracy")
    assert sondage.tracy_gui_path() == flatpak
    make(no_window / "tracy-0.13/profiler/build/tracy-profiler")
    newest = make(no_window / "tracy-0.14/profiler/build/tracy-profiler")
    (no_window / "tracy-0.15/profiler/build/tracy-profiler").mkdir(parents=True)
    assert sondage.tracy_gui_path() == newest
    on_path = make(no_window / "programs/tracy-profiler")
    monkeypatch.setenv("PATH", f"{no_window / 'programs'}:/usr/bin:/bin")
    assert sondage.tracy_gui_path() == on_path
    told = make(no_window / "own")
    monkeypatch.setenv(_tracy_gui.VARIABLE, told)
    assert sondage.tracy_gui_path() == told
    monkeypatch.setenv(_tracy_gui.VARIABLE, str(no_window / "nothing"))
    with pytest.raises(FileNotFoundError, match="SONDAGE_TRACY_GUI"):
        sondage.open_tracy_gui()


@pytest.mark.usefixtures("told")
def test_the_window_opens_on_this_process(no_window: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = no_window / "said"
    monkeypatch.setenv(_tracy_gui.VARIABLE, make(no_window / "gui", f'echo "$@" >>{said}'))
    sondage.open_tracy_gui().wait(30)
    assert sondage.init_tracy(port=9001, address="0.0.0.0")  # noqa: S104
    sondage.open_tracy_gui().wait(30)
    sondage.open_tracy_gui(address="10.0.0.7", port=9002).wait(30)
    assert said.read_text().splitlines() == [
        "-a 127.0.0.1 -p 8086", "-a 127.0.0.1 -p 9001", "-a 10.0.0.7 -p 9002",
    ]  # fmt: skip
