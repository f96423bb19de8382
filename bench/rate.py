"""The highest rate on one thread: sondage beside CPython 3.15's own `profiling.sampling`.

    bench/rate.py [--rounds 3] [--seconds 5] [--python 3.15 --python 3.11]

Both read the same running program from outside and do not stop it, in turns. A sample counts when
it was kept: `profiling.sampling` reports an error rate, and what it writes holds the others. Its
best rate is looked for first, by asking for several. Of sondage there are two figures: the reader
alone (`crates/inspect/examples/rate.rs`), and the whole recorder, `sondage attach`, as it counts
in its file.

Only 3.15 has `profiling.sampling`; on others sondage stands alone, to be held against 3.15's.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
from dataclasses import dataclass, field
from typing import Any

from common import ROOT, SID, TARGET, Interpreter, interpreter, machine, running, spread, table

PROGRAMS = {
    "fib": ("fib.py",),
    "20 deep": ("deep.py", "20"),
    "150 deep": ("deep.py", "150"),
}
ASKED = [20_000, 50_000, 100_000, 200_000, 500_000]


@dataclass
class Figures:
    """What one tool reached, round by round."""

    kept: list[float] = field(default_factory=list)
    rejected: list[float] = field(default_factory=list)

    def add(self, kept: float, rejected: float) -> None:
        """Take one round: samples kept a second, and percent rejected."""
        self.kept.append(kept)
        self.rejected.append(rejected)

    def __str__(self) -> str:
        """Rate and rejects."""
        return f"{spread(self.kept)}, {statistics.median(self.rejected):.3f} % rejected"


def profiling_sampling(pid: int, seconds: float, asked: int) -> tuple[float, float]:
    """Attach CPython 3.15's profiler; return samples kept a second and percent of errors."""
    out = SID / "tmp/rate.collapsed"
    command = [
        "chroot", str(SID), "/usr/bin/python3.15", "-m", "profiling.sampling", "attach",
        "--sampling-rate", str(asked), "--duration", str(seconds), "--collapsed",
        "--output", "/tmp/rate.collapsed", str(pid),
    ]  # fmt: skip
    environment = os.environ | {"LC_ALL": "C"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    said = re.search(r"Captured (\d+) samples in ([\d.]+) seconds", done.stdout + done.stderr)
    if said is None:
        raise SystemExit(f"profiling.sampling said: {done.stdout}{done.stderr}")
    taken, spent = int(said[1]), float(said[2])
    kept = sum(int(line.rsplit(" ", 1)[1]) for line in out.read_text().splitlines())
    out.unlink()
    return kept / spent, 100 * (1 - kept / taken)


def best_asked(pid: int) -> int:
    """Find the rate at which `profiling.sampling` keeps most."""
    return max(ASKED, key=lambda asked: profiling_sampling(pid, 2, asked)[0])


def reader(pid: int, seconds: float) -> tuple[float, float]:
    """Run the reader alone, as fast as it goes."""
    command = [str(TARGET / "release/examples/rate"), str(pid), str(seconds)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    said = re.search(r"([\d.]+) samples/s.*rejected ([\d.]+) %", out)
    if said is None:
        raise SystemExit(f"rate said: {out}")
    return float(said[1]), float(said[2])


def recorder(pid: int, seconds: float, asked: int) -> tuple[float, float]:
    """Record with `sondage attach`; count what the file holds."""
    sondage = str(TARGET / "release/sondage")
    with tempfile.TemporaryDirectory() as folder:
        recording = f"{folder}/rate.sondage"
        command = [sondage, "attach", str(pid), "--rate", str(asked), "--duration", f"{seconds}s"]
        subprocess.run([*command, "-o", recording], capture_output=True, check=True)
        done = subprocess.run(
            [sondage, "report", recording, "--json"], capture_output=True, check=True
        )
    return kept_and_rejected(json.loads(done.stdout), seconds)


def kept_and_rejected(report: dict[str, Any], seconds: float) -> tuple[float, float]:
    """Read samples a second, and percent rejected of those tried, out of a report."""
    kept = int(report["total"]["count"])
    doubtful = {"torn", "bad-read", "invalid", "other"}
    lost = sum(int(loss["count"]) for loss in report["losses"] if loss["kind"] in doubtful)
    return kept / seconds, 100 * lost / max(1, kept + lost)


def measure(python: Interpreter, options: argparse.Namespace) -> list[list[str]]:
    """Measure all programs on one interpreter; return the table's rows."""
    rows = []
    for name, (file, *arguments) in PROGRAMS.items():
        rival, ours, whole = Figures(), Figures(), Figures()
        with running(python, ROOT / "bench/programs" / file, *arguments) as pid:
            has_rival = python.version == "3.15"
            asked = best_asked(pid) if has_rival else 0
            for _ in range(options.rounds):
                if has_rival:
                    rival.add(*profiling_sampling(pid, options.seconds, asked))
                ours.add(*reader(pid, options.seconds))
                whole.add(*recorder(pid, options.seconds, options.rate))
        ratio = statistics.median(ours.kept) / statistics.median(rival.kept) if has_rival else 0
        rows.append(
            [
                python.version,
                name,
                f"{rival} (asked {asked:,})" if has_rival else "–",
                str(ours),
                str(whole),
                f"{ratio:.2f}×" if has_rival else "–",
            ]
        )
    return rows


def main() -> None:
    """Measure and print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument(
        "--rate", type=int, default=200_000, help="what `sondage attach` is asked for"
    )
    parser.add_argument("--python", action="append", help="versions (default: 3.15 and 3.11)")
    options = parser.parse_args()
    build = ["cargo", "build", "--release", "--locked", "-q"]
    subprocess.run([*build, "-p", "sondage-inspect", "--example", "rate"], cwd=ROOT, check=True)
    subprocess.run([*build, "-p", "sondage-cli"], cwd=ROOT, check=True)
    rows = [
        row
        for version in options.python or ["3.15", "3.11"]
        for row in measure(interpreter(version), options)
    ]
    print(
        f"{machine()}. Samples kept a second, median (lowest … highest) of {options.rounds} "
        f"rounds of {options.seconds} s, in turns.\n"
    )
    header = ["CPython", "program", "`profiling.sampling`", "sondage, reader", "`sondage attach`"]
    header.append("reader / rival")
    print(table(header, rows))


if __name__ == "__main__":
    main()
