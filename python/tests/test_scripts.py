"""The script that adds up what the test runners counted."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from conftest import ROOT

_spec = importlib.util.spec_from_file_location("tally", ROOT / "scripts/tally.py")
assert _spec
assert _spec.loader
tally = importlib.util.module_from_spec(_spec)
sys.modules["tally"] = tally
_spec.loader.exec_module(tally)


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("     Summary [   0.5s] 12 tests run: 11 passed (1 slow), 1 failed, 3 skipped", "11 1 3"),
        (
            "\x1b[32m Summary\x1b[0m [ 0.5s] \x1b[1m1\x1b[0m test run: 1 passed, 0 skipped",
            "1 0 0",
        ),
        ("test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out", "3 2 1"),
        (
            "test result: ok. 3 passed; 0 failed; 0 ignored\ntest result: ok. 4 passed; 0 failed;",
            "7 0 0",
        ),
        ("=== 2 failed, 5 passed, 1 skipped in 0.35s ===", "5 2 1"),
        ("8 passed in 1.20s", "8 0 0"),
        ("1 error in 0.10s", "0 1 0"),
        ("      Tests  2 failed | 40 passed (42)", "40 2 0"),
        ("9 passed, 0 failed", "9 0 0"),
        ("the test 'a' passed, 3 failed in my head\nrunning 4 tests", "0 0 0"),
    ],
)
def test_closing_lines(log: str, expected: str) -> None:
    found = tally.tally(log)
    assert f"{found.passed} {found.failed} {found.skipped}" == expected


def test_a_section_that_failed_without_a_failed_test_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rust.log").write_text("test result: ok. 3 passed; 0 failed;")
    (tmp_path / "lints.log").write_text("error: unused variable")
    tally.main([str(tmp_path), "rust", "lints", "--", "lints"])
    assert capsys.readouterr().out == "3 passed, 1 failed\n"
