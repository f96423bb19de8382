"""Impossible stacks at 10 kHz: every sample held against what the program can have done.

    bench/oracle.py [--samples 1000000] [--hz 10000] [--python 3.11 …]

The target, `tests/programs/oracle.py`, writes down which function can call which on which line, and
runs chains, generators, coroutines, exceptions, callbacks and threads that switch; it is not
stopped. Half of the samples are of its one thread, half of the main thread while others take the
GIL from it. Bars: at most 1 impossible stack in 100,000, at most 0.2 % rejected after re-reads.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
import time
from pathlib import Path

from common import ROOT, TARGET, Interpreter, interpreter, machine, table

SCENARIOS = {
    "all scenarios, one thread": [],
    "threads that switch": ["threads", "chains", "generators", "callbacks"],
}


def sampled(python: Interpreter, scenarios: list[str], samples: int, hz: int) -> list[int]:
    """Sample one program; return samples, impossible ones, different stacks, rejected per 10⁶."""
    program = python.visible(ROOT / "tests/programs/oracle.py")
    with tempfile.TemporaryDirectory(dir=python.root / "tmp") as folder:
        law = Path(folder) / "law"
        seen = Path("/") / law.relative_to(python.root)
        target = subprocess.Popen([*python.command, str(program), str(seen), *scenarios])
        try:
            while not law.exists():
                time.sleep(0.05)
            time.sleep(0.5)
            rate = str(TARGET / "release/examples/rate")
            command = [rate, str(target.pid), str(samples / hz), "--hz", str(hz), "--main", "1"]
            done = subprocess.run(
                [*command, "--edges", str(law)], capture_output=True, text=True, check=True
            )
        finally:
            target.kill()
            target.wait()
    rejected = re.search(r"rejected ([\d.]+) %", done.stdout)
    verdict = re.search(r"impossible (\d+) of (\d+) .*, (\d+) different", done.stdout)
    if rejected is None or verdict is None:
        raise SystemExit(f"rate said: {done.stdout}{done.stderr}")
    if verdict[1] != "0":
        print(f"<!-- {done.stdout} -->")
    return [int(verdict[2]), int(verdict[1]), int(verdict[3]), round(float(rejected[1]) * 1e4)]


def main() -> None:
    """Measure and print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=1_000_000, help="for each version")
    parser.add_argument("--hz", type=int, default=10_000)
    parser.add_argument("--python", action="append")
    options = parser.parse_args()
    rows = []
    for version in options.python or ["3.11", "3.12", "3.13", "3.14", "3.15"]:
        for name, scenarios in SCENARIOS.items():
            samples = options.samples // len(SCENARIOS)
            # A late tick is not caught up with: some more time makes up for it.
            got = sampled(interpreter(version), scenarios, samples * 21 // 20, options.hz)
            taken, impossible, different, rejected = got
            share = f"{impossible} ({impossible * 1e5 / taken:.2f} in 100,000)"
            row = [version, name, f"{taken:,}", share, f"{rejected / 1e4:.4f} %", f"{different:,}"]
            rows.append(row)
    print(f"{options.hz:,} Hz, target not stopped; {machine()}.\n")
    header = ["CPython", "program", "samples", "impossible", "rejected", "different stacks"]
    print(table(header, rows))


if __name__ == "__main__":
    main()
