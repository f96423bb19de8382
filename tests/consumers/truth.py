"""The figures that every consumer must show, and how names look after a text format."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import defaultdict
from pathlib import Path


class Truth:
    """What `convert` added up sample by sample, in nanoseconds and samples."""

    def __init__(self, folder: Path):
        raw = json.loads((folder / "truth.json").read_text())
        self.total = raw["total_ns"]
        self.samples = raw["samples"]
        self.functions = raw["functions"]
        self.threads = {(t["pid"], t["tid"]): t for t in raw["threads"]}
        self.bare = raw["bare_ns"]
        self.zones = raw.get("zones", [])

    @classmethod
    def of_report(cls, said: dict) -> dict:
        """What `truth.json` holds, from `sondage report --json`."""
        functions: dict = {}
        for rows, what, figure in [
            (said["functionsBySelf"], "self", "self"),
            (said["functionsByTotal"], "total", "totalWeight"),
        ]:
            for row in rows:
                function = functions.setdefault(
                    row["function"],
                    {"name": row["qualified"], "file": row["file"], "line": row["line"]}
                    | {"self_ns": 0, "total_ns": 0, "self_samples": 0, "total_samples": 0},
                )
                function[f"{what}_ns"] = row[figure]
                if what == "self":
                    function["self_samples"] = row["selfCount"]
        threads = [
            {
                "pid": process["pid"],
                "tid": thread["tid"],
                "ns": thread["total"]["weight"] - thread["total"]["states"]["blocked"],
                "cpu_ns": thread["total"]["states"]["cpu"],
            }
            for process in said["processes"]
            for thread in process["threads"]
        ]
        seen = sum(function["self_ns"] for function in functions.values())
        return {
            "total_ns": said["shown"]["weight"],
            "samples": said["shown"]["count"],
            "bare_ns": said["shown"]["weight"] - seen,
            "functions": list(functions.values()),
            "threads": [thread for thread in threads if thread["ns"]],
            "zones": [
                {"name": row["label"], "count": row["count"], "ns": row["total"]}
                for row in said["program"]["zonesByTotal"]
            ],
        }

    def by(self, key, what: str) -> dict[str, int]:
        """Figures by a text made of a function; those of functions with one text are added."""
        sums: dict[str, int] = defaultdict(int)
        for function in self.functions:
            if function[what]:
                sums[key(function)] += function[what]
        return dict(sums)

    def agrees(self, what, seen, key, figure, scale=1, tolerance=0.0, bare=None) -> None:
        """Raises when what a consumer shows by text is not the figure by function.

        Functions that a consumer cannot tell apart are left out, as it may count a stack with two
        of them once. `bare` is how samples without frames are called.
        """
        users: dict[str, int] = defaultdict(int)
        for function in self.functions:
            users[key(function)] += 1
        several = {text for text, count in users.items() if count > 1}
        expected = {k: v / scale for k, v in self.by(key, figure).items() if k not in several}
        if bare and self.bare and figure.endswith("_ns"):
            expected[bare] = self.bare / scale
        if self.functions and len(expected) < len(self.functions) / 4 and several:
            raise Mismatch(f"{what}: too many functions of one name to compare")
        same_table(what, {k: v for k, v in seen.items() if k not in several}, expected, tolerance)


def shown(text: str) -> str:
    """A name as it is in formats of lines: see `frame_text` in crates/formats."""
    cleaned = "".join(
        ":" if c == ";" else " " if unicodedata.category(c) == "Cc" or c in "\u2028\u2029" else c
        for c in text
    ).strip()
    if not cleaned:
        return "(unknown)"
    head, space, last = cleaned.rpartition(" ")
    if space and re.fullmatch(r"\d+(\.\d*)?", last, re.ASCII):
        return f"{head.rstrip()}_{last}"
    return cleaned


def name_of(function) -> str:
    """A function's name in formats that carry any text."""
    return function["name"] if function["name"].strip() else "(unknown)"


class Mismatch(AssertionError):
    """A consumer shows something else than the recording holds."""


def same(what: str, seen, expected, tolerance: float = 0) -> None:
    """Raises when two figures differ by more than `tolerance`."""
    if seen is None or abs(seen - expected) > tolerance:
        raise Mismatch(f"{what}: shown {seen}, is {expected}")


def same_table(what: str, seen: dict, expected: dict, tolerance: float = 0) -> None:
    """Raises when two tables of figures differ."""
    missing = [key for key in expected if key not in seen]
    extra = [key for key in seen if key not in expected and seen[key]]
    if missing or extra:
        raise Mismatch(f"{what}: not shown {missing[:5]}, shown besides {extra[:5]}")
    for key, value in expected.items():
        same(f"{what} of {key!r}", seen[key], value, tolerance)
