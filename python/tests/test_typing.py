"""The types say what the compiled module has."""

from __future__ import annotations

import subprocess
from pathlib import Path

from conftest import ROOT

# What is typed only; and probes, which are functions in slots.
ALLOWED = """
sondage\\._native\\._.*
sondage\\._native\\.__all__
sondage\\._native\\.Profiler
sondage\\._native\\.Profiler\\.(span|cumulative_span|current_span)
"""

CODE = """
import sys
import sondage
sondage.profiler  # what is put into the compiled type when it is first loaded
from mypy import stubtest
sys.exit(stubtest.main())
"""


def test_the_stub_is_the_module(python: Path, tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    allowed.write_text(ALLOWED)
    arguments = ["--allowlist", str(allowed), "--ignore-unused-allowlist", "sondage._native"]
    done = subprocess.run(
        [python, "-c", CODE, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_program_of_a_user_passes_strict_checks(python: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text((ROOT / "examples/spans.py").read_text(encoding="utf-8"))
    command = [str(python), "-m", "mypy", "--strict", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
