"""Add up what the test runners counted: the last line of `make test` and of CI.

    tally.py LOGS SECTION… -- FAILED…

Reads the closing lines that each runner printed into LOGS/SECTION.log. A section that failed
without a failed test (a compiler error, a lint) counts as one failure, so the sum never claims
success for a run that had none. Sections that ran no tests add nothing else.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# Each: a line that only its runner prints when it closes.
_CLOSING = (
    re.compile(r"^\s*Summary \[.*?\] .*tests? run: "),  # cargo nextest
    re.compile(r"^test result: \w+\. "),  # cargo test
    re.compile(r"^(=+ )?\d+ (passed|failed|error|skipped)\b.* in [\d.]+s"),  # pytest
    re.compile(r"^\s*Tests  +\d"),  # vitest
    re.compile(r"^\d+ passed, \d+ failed(, \d+ skipped)?$"),  # the plain line of our own runners
)
_COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped|ignored)")


@dataclass
class Tally:
    """Tests by outcome."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self) -> str:
        """Say it in the form that CI reads."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def tally(log: str) -> Tally:
    """Sum the closing lines of all runners in one log."""
    total = Tally()
    for raw in log.splitlines():
        line = _COLOUR.sub("", raw)
        if not any(closing.search(line) for closing in _CLOSING):
            continue
        for number, word in _COUNT.findall(line):
            match word:
                case "passed":
                    total.passed += int(number)
                case "skipped" | "ignored":
                    total.skipped += int(number)
                case _:
                    total.failed += int(number)
    return total


def main(arguments: list[str]) -> None:
    """Print the sum over the sections named."""
    logs, *names = arguments
    split = names.index("--")
    total = Tally()
    for name in names[:split]:
        path = Path(logs, f"{name}.log")
        counted = tally(path.read_text(encoding="utf-8", errors="replace"))
        if name in names[split + 1 :] and counted.failed == 0:
            counted.failed = 1
        total += counted
    print(total)


if __name__ == "__main__":
    main(sys.argv[1:])
