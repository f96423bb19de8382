"""What `import sondage` adds to the start of an interpreter.

    bench/import_time.py [--rounds 20]

Starts `.venv/bin/python -c pass` and `… -c 'import sondage'` in turns, and reports the medians and
their difference. The bar: 15 ms.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time

from common import ROOT, machine, spread, table


def start(code: str) -> float:
    """Run one line of code in a new interpreter; return milliseconds."""
    began = time.perf_counter()
    subprocess.run([str(ROOT / ".venv/bin/python"), "-I", "-c", code], check=True)
    return (time.perf_counter() - began) * 1e3


def main() -> None:
    """Measure and print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    start("import sondage")
    empty, ours = [], []
    for _ in range(rounds):
        empty.append(start("pass"))
        ours.append(start("import sondage"))
    added = statistics.median(ours) - statistics.median(empty)
    print(f"{machine()}. Milliseconds, median (lowest … highest) of {rounds}.\n")
    row = [spread(empty, ".1f"), spread(ours, ".1f"), f"{added:.1f}"]
    print(table(["`python -c pass`", "`python -c 'import sondage'`", "difference"], [row]))


if __name__ == "__main__":
    main()
