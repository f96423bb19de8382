"""Files of real profilers, imported by sondage and compared with what their own tools say."""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from pathlib import Path

from consumers import CACHE, HERE, Pprof, run
from truth import Mismatch, Truth, name_of, same, same_table


def sondage(*arguments) -> str:
    return run(os.environ["SONDAGE"], *arguments)


def report(recording: Path) -> dict:
    return json.loads(sondage("report", recording, "--json", "--limit", 65535))


def imported(file: Path, *options) -> tuple[dict, dict, dict]:
    """Imports a file; its report, and self and total by qualified name."""
    recording = file.with_suffix(".sondage")
    sondage("import", file, "-o", recording, *options)
    said = report(recording)
    own: dict = defaultdict(int)
    total: dict = defaultdict(int)
    for row in said["functionsBySelf"]:
        own[row["qualified"]] += row["self"]
    for row in said["functionsByTotal"]:
        total[row["qualified"]] += row["totalWeight"]
    return said, {name: value for name, value in own.items() if value}, dict(total)


def py_spy(root: Path) -> None:
    """Collapsed stacks of py-spy, against an own count of the lines of its file."""
    file = root / "py-spy.raw"
    run(
        CACHE / "venv/bin/py-spy",
        "record",
        "--format",
        "raw",
        "--rate",
        200,
        "--output",
        file,
        "--",
        sys.executable,
        HERE / "spin.py",
        20,
    )
    own: dict = defaultdict(int)
    total: dict = defaultdict(int)
    samples = 0
    for line in file.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        samples += int(count)
        if not stack:  # A sample before Python had a frame.
            continue
        frames = [frame.rpartition(" (")[::2] for frame in stack.split(";")]
        own[frames[-1][0]] += int(count)
        # Functions of one name in several files, as <module> while one imports another, are several.
        for name, _ in {(name, where.rpartition(":")[0]) for name, where in frames}:
            total[name] += int(count)
    if samples < 100 or own["heavy"] < 2 * own["light"]:
        raise Mismatch(f"py-spy saw {dict(own)}: no profile to compare with")
    said, seen_own, seen_total = imported(file)
    same("unit is samples", said["unit"] == "samples", True)
    same("samples", said["shown"]["weight"], samples)
    same_table("self", seen_own, own)
    same_table("total", seen_total, total)
    lines = {row["qualified"]: row for row in said["functionsBySelf"]}
    if not lines["heavy"]["file"].endswith("spin.py"):
        raise Mismatch(f"the file of heavy is {lines['heavy']['file']!r}")
    said, seen_own, _ = imported(file, "--interval", 5)
    same("nanoseconds", said["shown"]["weight"], samples * 5_000_000)
    same_table("self", seen_own, {name: count * 5_000_000 for name, count in own.items()})


def go_program(root: Path) -> None:
    """A profile that a Go program made of itself, against `go tool pprof`."""
    program, file = root / "spin-go", root / "go.pb.gz"
    Pprof.go("build", "-o", program, HERE / "go/main.go")
    run(program, file)
    flat, cumulative, total = Pprof.top(file)

    def plain(table):
        sums: dict = defaultdict(int)
        for name, value in table.items():
            sums[name.removesuffix(" (inline)").removesuffix(" (partial-inline)")] += value
        return dict(sums)

    said, own, totals = imported(file)
    if flat.get("main.heavy", 0) + cumulative.get("main.heavy", 0) == 0:
        raise Mismatch(f"pprof does not see main.heavy: {cumulative}")
    same("total", said["shown"]["weight"], total)
    same_table("self", own, plain(flat))
    same_table("total", totals, plain(cumulative))


def pprof_again(root: Path) -> None:
    """Our own export, written anew by `go tool pprof -proto`."""
    truth = Truth(root / "busy")
    file = root / "again.pb.gz"
    Pprof.run("-proto", f"-output={file}", root / "busy/all.pb.gz")
    said, own, total = imported(file)
    same("total", said["shown"]["weight"], truth.total)
    same("samples", said["shown"]["count"], truth.samples)
    same_table("self", own, truth.by(name_of, "self_ns"))
    same_table("total", total, truth.by(name_of, "total_ns"))
    same("threads", sum(len(p["threads"]) for p in said["processes"]), len(truth.threads))


def report_agrees(root: Path) -> None:
    """The truth that all checks compare with is what `sondage report` says."""
    for name in ["small", "busy", "nasty", "deep", "bare"]:
        truth = Truth(root / name)
        said = report(root / name / "recording.sondage")
        same(f"total of {name}", said["shown"]["weight"], truth.total)
        same(f"samples of {name}", said["shown"]["count"], truth.samples)
        for what, list_name, figure in [
            ("self", "functionsBySelf", "self"),
            ("total", "functionsByTotal", "totalWeight"),
        ]:
            seen = {(r["qualified"], r["file"], r["line"]): r[figure] for r in said[list_name]}
            expected = {
                (f["name"], f["file"], f["line"]): f[f"{what}_ns"]
                for f in truth.functions
                if f[f"{what}_ns"]
            }
            same_table(f"{what} of {name}", {k: v for k, v in seen.items() if v}, expected)


IMPORTS = [
    ("report says what the exports must", report_agrees),
    ("import of py-spy's collapsed stacks", py_spy),
    ("import of a Go program's pprof profile", go_program),
    ("import of a profile that go tool pprof wrote", pprof_again),
]
