"""Many threads: 200 of them, one of which computes, at 100 Hz, beside py-spy.

py-spy stops every thread for each sample (its issue 872); a run of it that takes longer than
TIMEOUT times the program alone is ended and told as such.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import ROOT, TARGET, interpreter, machine, table
from overhead import PYSPY, pyspy, ratio

TIMEOUT = 20


def measure(command: list[str], limit: float | None = None) -> tuple[float, float] | None:
    """Run a command; return its wall and CPU seconds, or nothing when it takes too long."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        wall = time.perf_counter() - start
        if pid:
            break
        if limit and wall > limit:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return None
        time.sleep(0.001)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with status {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default="3.12")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=200, help="threads")
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--scale", type=float, default=2.5, help="seconds of work in a run, about")
    parser.add_argument("--no-pyspy", action="store_true")
    parser.add_argument("--sondage", default=str(TARGET / "release/sondage"))
    options = parser.parse_args()

    python = interpreter(options.python)
    script = str(python.visible(ROOT / "bench/programs/overhead.py"))
    command = [*python.command, script, "many-threads", str(options.scale), str(options.count)]
    with tempfile.TemporaryDirectory() as folder:
        rate = ["-r", str(options.rate)]
        profilers = {
            "sondage": [
                options.sondage,
                "run",
                "-q",
                "-o",
                str(Path(folder, "a.sondage")),
                *rate,
                "--",
            ]
        }
        if not options.no_pyspy:
            raw = str(Path(folder, "a.txt"))
            profilers[f"py-spy {PYSPY}"] = [pyspy(), "record", *rate, "-f", "raw", "-o", raw, "--"]
        measure(command)
        alone: list[tuple[float, float]] = []
        under: dict[str, list[tuple[float, float] | None]] = {name: [] for name in profilers}
        for _ in range(options.rounds):
            base = measure(command)
            assert base is not None
            alone.append(base)
            for name, prefix in profilers.items():
                under[name].append(measure([*prefix, *command], base[0] * TIMEOUT))
    rows = []
    wall = statistics.median(base[0] for base in alone)
    cpu = statistics.median(base[1] for base in alone)
    for name, costs in under.items():
        pairs = [(cost, base) for cost, base in zip(costs, alone, strict=True) if cost]
        if not pairs:
            over = f"over {TIMEOUT}"
            rows.append([name, f"{wall:.2f} s", over, f"{cpu:.2f} s", "–"])
            continue
        walls = ratio([cost[0] / base[0] for cost, base in pairs])
        cpus = ratio([cost[1] / base[1] for cost, base in pairs])
        hung = len(costs) - len(pairs)
        note = f", {hung} of {len(costs)} runs ended after {TIMEOUT} ×" if hung else ""
        rows.append([name, f"{wall:.2f} s", walls + note, f"{cpu:.2f} s", cpus])
    print(f"CPython {options.python}, {options.count} threads, {options.rate} Hz, "
          f"{options.rounds} rounds; {machine()}.")  # fmt: skip
    print("`bench/threads.py " + " ".join(sys.argv[1:]) + "`\n")
    print(table(["profiler", "alone", "wall ×", "CPU alone", "CPU × (program + profiler)"], rows))


if __name__ == "__main__":
    main()
