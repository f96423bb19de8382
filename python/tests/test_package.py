"""The package as a user has it: installed from the wheel."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, output

import sondage
from sondage import _binary


def workspace_version() -> str:
    text = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    found = re.search(r'^version = "(.+)"$', text, re.MULTILINE)
    assert found
    return found[1]


def test_every_part_has_the_same_version(program: Path, python: Path) -> None:
    version = workspace_version()
    assert sondage.__version__ == version
    assert output(program, "--version").split() == ["sondage", version]
    metadata = "import importlib.metadata as m; print(m.version('sondage'))"
    assert output(python, "-c", metadata).strip() == version


def test_the_program_is_native(program: Path) -> None:
    assert Path(sondage.binary_path()) == program
    assert program.read_bytes()[:4] == b"\x7fELF"


def test_python_m_becomes_the_program(program: Path, python: Path) -> None:
    assert output(python, "-m", "sondage", "--version") == output(program, "--version")
    shell = f"'{python}' -m sondage --no-such-option"
    assert subprocess.run(shell, shell=True, capture_output=True, check=False).returncode == 2  # noqa: S602


def test_a_missing_program_is_told_with_a_hint(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_binary, "_places", lambda: [str(tmp_path)])
    with pytest.raises(FileNotFoundError, match=r"hint: pip install") as told:
        sondage.binary_path()
    assert str(tmp_path) in str(told.value)


def test_a_file_that_cannot_be_run_is_not_the_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
    (first / "sondage").write_text("no program")
    shutil.copy("/bin/true", second / "sondage")
    monkeypatch.setattr(_binary, "_places", lambda: [str(first), str(second)])
    assert sondage.binary_path() == str(second / "sondage")


def test_importing_loads_nothing_else(python: Path) -> None:
    """The import stays cheap because it pulls in no module that Python does not have already.

    Modules that are compiled into the interpreter (`gc`) cost nothing to find and load.
    """
    code = (
        "import sys; before = {*sys.modules, *sys.builtin_module_names}; import sondage; "
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = output(python, "-I", "-c", code).split()
    assert loaded == ["sondage", "sondage._native"]


def test_the_program_finds_what_it_may_record_without_help(program: Path) -> None:
    assert "EXAMPLES" in output(program, "--help")
    assert os.access(program, os.X_OK)


@pytest.fixture(scope="module")
def recording(program: Path, python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "busy.sondage"
    loop = "end = time.monotonic() + 0.5\nwhile time.monotonic() < end: sum(range(99))"
    code = f"import time\n{loop}"
    output(program, "run", "--quiet", "--output", path, "--", python, "-c", code)
    return path


def test_the_report_is_what_the_program_prints(program: Path, recording: Path) -> None:
    report = sondage.report(recording)
    assert report == json.loads(output(program, "report", "--json", recording))
    assert report["version"] == sondage.__version__
    assert report["total"]["count"] > 0
    assert report["functionsBySelf"][0]["label"] == "<module>"


def test_what_is_no_recording_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "no.sondage"
    with pytest.raises(RuntimeError, match=r"no\.sondage"):
        sondage.report(path)
    path.write_bytes(b"something else" * 100)
    with pytest.raises(RuntimeError, match=r"no\.sondage"):
        sondage.report(str(path))
