"""Opens Chrome exports in Tracy's own programs and compares what they show with the truth.

tracy.py FOLDER…    each holds all.trace.json and truth.json
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

from consumers import run
from truth import Mismatch, Truth, name_of, same, same_table

# Zones of the program are on tracks of their own, above any thread's number: see chrome.rs.
ZONE_TRACKS = 1_500_000_000
# Not in any name: control characters are written as spaces.
SEPARATOR = "\x1f"


def line_of(name: str) -> str:
    """A name as it is in the export."""
    return "".join(" " if ord(c) < 32 or 127 <= ord(c) < 160 else c for c in name)


def label(name: str, file: str, line: int) -> str:
    """A function, as Tracy tells it from others."""
    return f"{name} ({file}:{line})" if file else name


class Tracy:
    """What `tracy-csvexport` says of what `tracy-import-chrome` made of a file."""

    def __init__(self, export: Path, folder: Path):
        self.file = folder / "imported.tracy"
        run("tracy-import-chrome", export, self.file)

    def rows(self, *options: str) -> list[dict]:
        text = run("tracy-csvexport", "-s", SEPARATOR, *options, self.file)
        # The text of a zone is the last column, and has lines of its own.
        # Without messages there is a sentence instead of a table.
        lines = [line.split(SEPARATOR) for line in text.split("\n") if SEPARATOR in line]
        return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]

    def threads(self, *options: str) -> dict[str, list]:
        """Every zone as `(name, file, line, start, nanoseconds)`, by Tracy's number of the thread."""
        threads: dict = defaultdict(list)
        for row in self.rows("--unwrap", *options):
            place = (row["name"], row["src_file"], int(row["src_line"]))
            zone = (*place, int(row["ns_since_start"]), int(row["exec_time_ns"]))
            threads[row["thread"]].append(zone)
        return threads

    def plots(self) -> Counter:
        """Points by plot."""
        rows = self.rows("--unwrap", "--plot")
        return Counter(row["name"] for row in rows if not row["src_line"])


class Export:
    """The file, as the Trace Event Format is meant."""

    def __init__(self, file: Path):
        self.events = json.loads(file.read_text(), parse_float=Decimal)["traceEvents"]
        timed = [event for event in self.events if "ts" in event]
        first = min((self.nanos(event["ts"]) for event in timed), default=0)
        self.tracks: dict = defaultdict(list)
        opened: dict = defaultdict(list)
        for event in timed:
            track, at = (event["pid"], event.get("tid")), self.nanos(event["ts"]) - first
            if event["ph"] == "X":
                self.tracks[track].append((*self.place(event), at, self.nanos(event["dur"])))
            elif event["ph"] == "B":
                opened[track].append((*self.place(event), at))
            elif event["ph"] == "E":
                begun = opened[track].pop()
                self.tracks[track].append((*begun, at - begun[-1]))

    @staticmethod
    def nanos(micros) -> int:
        return round(micros * 1000)

    @staticmethod
    def place(event: dict) -> tuple[str, str, int]:
        file, _, line = event.get("loc", ":0").rpartition(":")
        return event["name"], file, int(line)

    def visible(self) -> dict:
        """The tracks without places whose zones took no time: tracy-csvexport leaves them out."""
        total: Counter = Counter()
        for zones in self.tracks.values():
            for *place, _, nanos in zones:
                total[tuple(place)] += nanos
        tracks = {
            track: [zone for zone in zones if total[zone[:3]]]
            for track, zones in self.tracks.items()
        }
        return {track: zones for track, zones in tracks.items() if zones}


def check(folder: Path) -> str:
    """Compares one recording's export."""
    truth = Truth(folder)
    export = Export(folder / "all.trace.json")
    with tempfile.TemporaryDirectory(prefix="tracy-") as place:
        tracy = Tracy(folder / "all.trace.json", Path(place))
        threads = tracy.threads()
        own = tracy.threads("--self")
        plots = tracy.plots()
        messages = tracy.rows("--messages")

    # Every zone of every track, at its place and time. Tracy numbers threads in its own way.
    by_zones = {tuple(sorted(zones)): thread for thread, zones in threads.items()}
    tracks = export.visible()
    same("tracks", len(threads), len(tracks))
    thread_of = {}
    for track, zones in tracks.items():
        zones = tuple(sorted(zones))
        if zones not in by_zones:
            shown = Counter(zone for other in by_zones for zone in other)
            missing = [zone for zone in zones if not shown[zone]]
            raise Mismatch(f"track {track} is shown otherwise: {len(missing)}, {missing[:3]}")
        thread_of[track] = by_zones[zones]

    count: Counter = Counter()
    total: Counter = Counter()
    itself: Counter = Counter()
    for (_, tid), thread in thread_of.items():
        if tid >= ZONE_TRACKS:
            for name, *_, nanos in threads[thread]:
                count[name] += 1
                total[name] += nanos
        else:
            for name, file, line, _, nanos in own[thread]:
                itself[label(name, file, line)] += nanos
    zones: dict = defaultdict(Counter)
    for zone in truth.zones:
        if zone["ns"]:
            zones["count"][line_of(zone["name"])] += zone["count"]
            zones["ns"][line_of(zone["name"])] += zone["ns"]
    same_table("zones", dict(count), dict(zones["count"]))
    same_table("time of zones", dict(total), dict(zones["ns"]))
    itself = Counter({name: nanos for name, nanos in itself.items() if nanos})

    def key(function: dict) -> str:
        return label(line_of(name_of(function)), function["file"], function["line"])

    itself.pop(label("(frames left out)", "", 0), None)
    truth.agrees("self", itself, key, "self_ns", bare=label("(no Python frame)", "", 0))

    points = Counter(key for e in export.events if e["ph"] == "C" for key in e["args"])
    same_table("points of plots", dict(plots), dict(points))
    # What has `frame` in its name is a frame in Tracy, and tracy-csvexport tells of none.
    said = [e["name"] for e in export.events if e["ph"] == "i"]
    said = sorted(text for text in said if "frame" not in text.lower())
    same("messages", sorted(row["MessageName"] for row in messages) == said, True)
    return f"{sum(map(len, threads.values()))} zones, {len(plots)} plots, {len(said)} messages"


def main() -> int:
    failed = 0
    for folder in map(Path, sys.argv[1:]):
        try:
            print(f"ok   chrome in Tracy: {folder.name} ({check(folder)})", flush=True)
        except AssertionError as error:
            failed += 1
            print(f"FAIL chrome in Tracy: {folder.name}\n     {error}", flush=True)
    print(f"{len(sys.argv) - 1 - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
