"""Reads a recording's report by asking the program, so that both always say the same."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from sondage._binary import find


class ReportError(RuntimeError):
    """The recording could not be read; the text is what the program said, with its hint."""


def report(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what ``sondage report --json`` prints about one recording."""
    command = [find(), "report", "--json", "--", os.fspath(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        raise ReportError(done.stderr.decode(errors="replace").strip())
    answer = json.loads(done.stdout)
    if not isinstance(answer, dict):
        raise ReportError(f"the program answered no object: {type(answer).__name__}")
    return answer
