"""Every example of the guide runs as it stands."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT

PAGES = [*sorted((ROOT / "docs/guide").glob("python*.md")), ROOT / "docs/guide/tracy.md"]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

EXAMPLES = [
    pytest.param(page, found[1], id=f"{page.stem}-{at}")
    for page in PAGES
    for at, found in enumerate(BLOCK.finditer(page.read_text(encoding="utf-8")))
]


def test_there_are_examples() -> None:
    assert len(PAGES) == 3
    assert len(EXAMPLES) >= 13


@pytest.mark.parametrize(("page", "code"), EXAMPLES)
def test_an_example_runs(page: Path, code: str, python: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, f"{page}\n{done.stderr}"


def test_an_examples_output_is_as_told(python: Path) -> None:
    text = (ROOT / "docs/guide/python-checkpoints.md").read_text(encoding="utf-8")
    code = BLOCK.search(text)
    told = re.search(r"^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert code
    assert told
    done = subprocess.run([python, "-c", code[1]], capture_output=True, text=True, check=True)
    without_times = re.compile(r"\d+\.\d+")
    assert without_times.sub("T", done.stderr) == without_times.sub("T", told[1])
