"""What recording costs the program: wall time and CPU time, beside py-spy, at 1 kHz.

Each round runs the program alone, under sondage and under py-spy, one after the other; a ratio is
the median of the rounds' ratios. CPU time is that of the whole process tree, profiler included.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from common import CACHE, ROOT, TARGET, interpreter, machine, table

PROGRAMS = ("call-heavy", "object-heavy", "mixed-thread")
PYSPY = "0.4.3"


@dataclass(frozen=True)
class Cost:
    """Of one run, in seconds."""

    wall: float
    cpu: float


def measure(command: list[str]) -> Cost:
    """Run a command to its end."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with status {process.returncode}")
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def pyspy() -> str:
    """Install py-spy into a folder of its own, and return its path."""
    venv = CACHE / "bench-venv"
    program = venv / "bin/py-spy"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        pip = [str(venv / "bin/pip"), "install", "--quiet", f"py-spy=={PYSPY}"]
        subprocess.run(pip, check=True)
    return str(program)


def ratio(values: list[float]) -> str:
    """Write the median, with the smallest and the largest beside it."""
    return f"{statistics.median(values):.3f} ({min(values):.3f} … {max(values):.3f})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default="3.12")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--scale", type=float, default=2.5, help="seconds of work in a run, about")
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--program", action="append", choices=PROGRAMS)
    parser.add_argument("--no-pyspy", action="store_true")
    parser.add_argument("--sondage", default=str(TARGET / "release/sondage"))
    options = parser.parse_args()

    python = interpreter(options.python)
    script = str(python.visible(ROOT / "bench/programs/overhead.py"))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        recording = str(Path(folder, "bench.sondage"))
        profilers = {
            "sondage": [
                options.sondage,
                "run",
                "-q",
                "-o",
                recording,
                "-r",
                str(options.rate),
                "--",
            ]
        }
        if not options.no_pyspy:
            raw = str(Path(folder, "bench.txt"))
            profilers["py-spy"] = [
                pyspy(), "record", "-r", str(options.rate), "-f", "raw", "-o", raw, "--"
            ]  # fmt: skip
        for program in options.program or PROGRAMS:
            command = [*python.command, script, program, str(options.scale)]
            measure(command)
            alone: list[Cost] = []
            under: dict[str, list[Cost]] = {name: [] for name in profilers}
            for _ in range(options.rounds):
                alone.append(measure(command))
                for name, prefix in profilers.items():
                    under[name].append(measure([*prefix, *command]))
            base_wall = statistics.median(cost.wall for cost in alone)
            base_cpu = statistics.median(cost.cpu for cost in alone)
            for name, costs in under.items():
                walls = [cost.wall / base.wall for cost, base in zip(costs, alone, strict=True)]
                cpus = [cost.cpu / base.cpu for cost, base in zip(costs, alone, strict=True)]
                rows.append([program, name, f"{base_wall:.2f} s", ratio(walls),
                             f"{base_cpu:.2f} s", ratio(cpus)])  # fmt: skip
    print(f"CPython {options.python}, {options.rate} Hz, {options.rounds} rounds; {machine()}.")
    print("`bench/overhead.py " + " ".join(sys.argv[1:]) + "`\n")
    print(table(["program", "profiler", "alone", "wall ×", "CPU alone", "CPU × (program + profiler)"],
                rows))  # fmt: skip


if __name__ == "__main__":
    main()
