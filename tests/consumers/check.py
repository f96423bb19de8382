"""Opens exports in the programs they are for and compares what those show with the truth.

check.py FOLDER    FOLDER/NAME/ holds the exports of one recording and its truth.json
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import traceback
import unicodedata
from collections import defaultdict
from pathlib import Path

from consumers import (
    CallgrindAnnotate,
    FirefoxProfiler,
    Perfetto,
    Pprof,
    speedscope,
    svg_in_browser,
)
from imports import IMPORTS
from truth import Mismatch, Truth, name_of, same, same_table, shown

MILLI = 1e6
NO_FRAME = "(no Python frame)"


LEFT_OUT = "(frames left out)"


def pprof(folder: Path, truth: Truth) -> None:
    flat, cumulative, total = Pprof.top(folder / "all.pb.gz")
    same("total", total, truth.total)
    truth.agrees("flat", flat, name_of, "self_ns", bare=NO_FRAME)
    truth.agrees("cum", cumulative, name_of, "total_ns", bare=NO_FRAME)


def callgrind(folder: Path, truth: Truth) -> None:
    own, total = CallgrindAnnotate.functions(folder / "all.callgrind", inclusive=False)
    same("total", total, truth.total)

    def key(function):
        return f"{shown(function['file'] or '???')}:{shown(name_of(function))}"

    own = {name: value for name, value in own.items() if not name.startswith("(threads):")}
    truth.agrees("self", own, key, "self_ns")
    inclusive, _ = CallgrindAnnotate.functions(folder / "all.callgrind", inclusive=True)
    threads = [value for name, value in inclusive.items() if name.startswith("(threads):")]
    same("sum of the threads", sum(threads), truth.total)
    inclusive = {k: v for k, v in inclusive.items() if not k.startswith("(threads):")}
    truth.agrees("inclusive", inclusive, key, "total_ns")


def firefox(folder: Path, truth: Truth) -> None:
    with FirefoxProfiler(folder / "all.firefox.json") as profiler:
        threads = profiler.threads()
        own: dict = {}
        total: dict = {}
        for thread in threads:
            functions = profiler.functions(thread["threadHandle"])
            for function in functions:
                name = function["name"]
                own[name] = own.get(name, 0) + function["selfSamples"]
                total[name] = total.get(name, 0) + function["totalSamples"]
            expected = truth.threads.get((int(thread["pid"]), int(thread["tid"])))
            if expected:
                seen = sum(function["selfSamples"] for function in functions)
                same(f"thread {thread['tid']}", seen, expected["ns"] / MILLI, 1e-6)
                same(
                    f"CPU of thread {thread['tid']}",
                    thread["cpuMs"],
                    expected["cpu_ns"] / MILLI,
                    1e-6,
                )
    same("threads", len(threads), max(len(truth.threads), 1))
    truth.agrees("self", own, name_of, "self_ns", MILLI, 1e-5, NO_FRAME)
    truth.agrees("total", total, name_of, "total_ns", MILLI, 1e-5, NO_FRAME)


def chrome_in_perfetto(folder: Path, truth: Truth) -> None:
    with Perfetto(folder / "all.trace.json") as perfetto:
        same("errors in stats", len(perfetto.errors()), 0)
        same_table("threads", perfetto.threads(), {k: t["ns"] for k, t in truth.threads.items()})
        own, total = perfetto.functions()
    total.pop(LEFT_OUT, None)
    same("total", sum(own.values()), truth.total)

    def key(function):
        return "".join(" " if unicodedata.category(c) == "Cc" else c for c in name_of(function))

    truth.agrees("self", own, key, "self_ns", bare=NO_FRAME)
    truth.agrees("total", total, key, "total_ns", bare=NO_FRAME)


def chrome_in_firefox(folder: Path, truth: Truth) -> None:
    events = json.loads((folder / "all.trace.json").read_text())["traceEvents"]
    slices = sum(event["ph"] in "Bi" for event in events)
    with FirefoxProfiler(folder / "all.trace.json") as profiler:
        threads = profiler.threads()
    same("threads", len(threads), len(truth.threads))
    same("markers", sum(thread["markerCount"] for thread in threads), slices)


def in_speedscope(name: str, kind: str, unit: float, count: str):
    """A check of a file in speedscope. It shows three digits, so figures are compared with those."""

    def check(folder: Path, truth: Truth) -> None:
        threads, said = speedscope(folder / name)
        if kind not in said:
            raise Mismatch(f"speedscope took it for {said}, not {kind}")
        own: dict = {}
        total: dict = {}
        slack = 0.0
        for rows in threads.values():
            for row in rows:
                own[row.name] = own.get(row.name, 0) + row.own
                total[row.name] = total.get(row.name, 0) + row.total
                slack = max(slack, row.rounding)

        def label(function):
            if "collapsed" not in name:
                return " ".join(name_of(function).split())
            place = function["file"] and f" ({function['file']}" + (
                f":{function['line']})" if function["line"] else ")"
            )
            return " ".join(shown(f"{name_of(function)}{place}").split())

        tolerance = slack * max(len(threads), 1)
        total.pop(LEFT_OUT, None)
        own = {name: value for name, value in own.items() if value > 0}
        truth.agrees("self", own, label, f"self_{count}", unit, tolerance, NO_FRAME)
        truth.agrees("total", total, label, f"total_{count}", unit, tolerance, NO_FRAME)

    return check


def collapsed_in_firefox(folder: Path, truth: Truth) -> None:
    with FirefoxProfiler(folder / "samples.collapsed") as profiler:
        (thread,) = profiler.threads()
        functions = profiler.functions(thread["threadHandle"])
    same("samples", sum(function["selfSamples"] for function in functions), truth.samples)


def functions_of_flame_graph(rows: dict) -> tuple[dict, dict]:
    """Self and total by name from rows of `(start, width, name)`; the root has the largest key."""
    own: dict = defaultdict(int)
    total: dict = defaultdict(int)
    below: list = []  # The row of the callers: (start, end, name, names from the root on)
    for y in sorted(rows, reverse=True):
        frames = []
        at = 0
        for x, width, name in sorted(rows[y]):
            while at < len(below) and below[at][1] <= x:
                at += 1
            caller, above = (below[at][2], below[at][3]) if below else (None, frozenset())
            if caller is not None:
                own[caller] -= width
            own[name] += width
            if name not in above:
                total[name] += width
            frames.append((x, x + width, name, above | {name}))
        below = frames
    return {name: width for name, width in own.items() if width}, dict(total)


def svg(name: str, unit: float, count: str):
    """A check of a flame graph: its titles, and what its search says."""

    def check(folder: Path, truth: Truth) -> None:
        whole = truth.samples if count == "samples" else truth.total / unit
        if whole == 0:
            page = svg_in_browser(folder / name)
            if "No samples pass the filter" not in (page["empty"] or ""):
                raise Mismatch(f"an empty flame graph says {page}")
            return
        hottest = max(truth.functions, key=lambda f: f[f"self_{count}"])
        word = shown(name_of(hottest))
        page = svg_in_browser(folder / name, f"^{re.escape(word)} ")
        same("errors", len(page["errors"]), 0)
        title = re.compile(r"(.*) \(([\d,]+) (?:µs|samples), ([\d.]+)%\)", re.S)
        rows: dict = {}
        for text, x, width, y in page["frames"]:
            figures = title.fullmatch(text)
            if not figures:
                raise Mismatch(f"a title without figures: {text!r}")
            same(f"title of {text!r}", int(figures[2].replace(",", "")), width / unit, 0.5)
            rows.setdefault(y, []).append((x, width, figures[1]))
        own, total = functions_of_flame_graph(rows)
        own.pop("all", None)
        whole_ns = truth.samples if count == "samples" else truth.total
        same("all", total.pop("all"), whole_ns)

        def label(function):
            file, line = function["file"].rpartition("/")[2], function["line"]
            place = file and f" ({file}:{line})" if line else file and f" ({file})"
            return shown(f"{name_of(function)}{place}")

        if folder.name == "busy":
            # Most of its frames are narrower than a hundredth of a percent and not drawn.
            is_total = truth.by(label, f"total_{count}")
            for text, width in total.items():
                if width > is_total[text]:
                    raise Mismatch(f"total of {text!r}: drawn {width}, is {is_total[text]}")
        else:
            truth.agrees("self", own, label, f"self_{count}", bare=NO_FRAME)
            truth.agrees("total", total, label, f"total_{count}", bare=NO_FRAME)
        matched = re.search(r"Matched: ([\d.]+)%", page["matched"] or "")
        expected = (
            100 * hottest[f"total_{count}"] / (truth.samples if count == "samples" else truth.total)
        )
        same(f"search for {word!r}", matched and float(matched[1]), expected, 0.11)

    return check


def json_tree(folder: Path, truth: Truth) -> None:
    tree = json.loads((folder / "all.tree.json").read_text(), parse_float=str, parse_int=int)

    def nanos(value) -> int:
        whole, _, part = str(value).partition(".")
        return int(whole) * 10**6 + int(part.ljust(6, "0") or 0)

    same("total", nanos(tree["total_time_ms"]), truth.total)
    same("samples", tree["call_count"], truth.samples)
    frames = {frame["frame_id"]: frame for frame in tree["frames"]}
    own: dict = {}
    total: dict = {}
    open_nodes = [(node, frozenset()) for node in tree["children"]]
    while open_nodes:
        node, above = open_nodes.pop()
        name = frames[node["frame_id"]]["name"]
        own[name] = own.get(name, 0) + nanos(node["self_time_ms"])
        if name not in above:
            total[name] = total.get(name, 0) + nanos(node["total_time_ms"])
        open_nodes += [(child, above | {name}) for child in node["children"]]
    truth.agrees("self", {k: v for k, v in own.items() if v}, name_of, "self_ns")
    truth.agrees("total", total, name_of, "total_ns")


def zones_of(truth: Truth) -> dict[str, tuple[int, int]]:
    """Number and nanoseconds of zones by their name on one line."""
    return {line_of(zone["name"]): (zone["count"], zone["ns"]) for zone in truth.zones}


def line_of(name: str) -> str:
    return "".join(" " if unicodedata.category(c) == "Cc" else c for c in name)


def zones_in_perfetto(name: str):
    """Zones as slices, in Chrome's form or Perfetto's own."""

    def check(folder: Path, truth: Truth) -> None:
        with Perfetto(folder / name) as perfetto:
            same("errors in stats", len(perfetto.errors()), 0)
            rows = perfetto.query(
                "select name, count(*) as count, sum(dur) as dur from slice "
                "where category = 'zone' group by name"
            )
            moments = perfetto.query(
                "select count(*) as n from slice where category in ('frame', 'log')"
            )
            modes = perfetto.query(
                "select string_value from args where key in ('args.mode', 'debug.mode')"
            )
        seen = {line_of(row.name): (row.count, row.dur) for row in rows}
        expected = zones_of(truth)
        same("zones", len(seen), len(expected))
        for zone, figures in expected.items():
            same_table(zone, dict(enumerate(seen[zone])), dict(enumerate(figures)))
        same("frames and log", moments[0].n, 5)
        same("arguments", {row.string_value for row in modes} == {'a "b"'}, True)

    return check


def samples_in_perfetto(folder: Path, truth: Truth) -> None:
    with Perfetto(folder / "all.perfetto-trace") as perfetto:
        same("errors in stats", len(perfetto.errors()), 0)
        rows = perfetto.query(
            "select pid, tid, count(*) as n from perf_sample join thread using (utid) "
            "join process using (upid) group by pid, tid"
        )
        leaves = perfetto.query(
            "select f.name as name, count(*) as n from perf_sample s "
            "join stack_profile_callsite c on s.callsite_id = c.id "
            "join stack_profile_frame f on c.frame_id = f.id group by 1"
        )
    same("threads", {(row.pid, row.tid) for row in rows} == set(truth.threads), True)
    own = {row.name: row.n for row in leaves}
    known = {line_of(name_of(function)) for function in truth.functions if function["self_ns"]}
    same("functions that are not there", len(known - set(own)), 0)


def otlp(folder: Path, truth: Truth) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    request.ParseFromString((folder / "all.otlp.pb").read_bytes())
    spans = [
        span
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    seen: dict = defaultdict(lambda: [0, 0])
    for span in spans:
        seen[line_of(span.name)][0] += 1
        seen[line_of(span.name)][1] += span.end_time_unix_nano - span.start_time_unix_nano
    expected = zones_of(truth)
    same("zones", len(seen), len(expected))
    for zone, figures in expected.items():
        same_table(zone, dict(enumerate(seen[zone])), dict(enumerate(figures)))
    by_id = {span.span_id: span for span in spans}
    same("ids", len(by_id), len(spans))
    for span in spans:
        same("length of trace ids", len(span.trace_id), 16)
        same("length of span ids", len(span.span_id), 8)
        if span.parent_span_id:
            parent = by_id[span.parent_span_id]
            same(f"trace of {span.name}", span.trace_id == parent.trace_id, True)
    if spans:
        trace = bytes.fromhex("123456789abcdef00fedcba987654321")
        served = next(span for span in spans if span.name == "query")
        same("trace", served.trace_id == trace, True)
        same("status", served.status.code, 2)
        values = {a.key: a.value for a in served.attributes}
        same("an argument", values["rows"].int_value, 12)
        same("another", values["slow"].bool_value, True)


def zones_in_speedscope(folder: Path, truth: Truth) -> None:
    threads, said = speedscope(folder / "all.speedscope.json")
    if "speedscope json file" not in said:
        raise Mismatch(f"speedscope took it for {said}")
    total: dict = defaultdict(float)
    slack = 0.0
    for rows in threads.values():
        for row in rows:
            total[row.name] += row.total
            slack = max(slack, row.rounding)
    expected = {" ".join(z["name"].split()): z["ns"] / MILLI for z in truth.zones}
    total.pop(NO_FRAME, None)
    same_table("total", dict(total), expected, slack * len(threads))


def zones_in_firefox(folder: Path, truth: Truth) -> None:
    with FirefoxProfiler(folder / "all.firefox.json") as profiler:
        markers = sum(thread["markerCount"] for thread in profiler.threads())
    same("markers", markers, sum(zone["count"] for zone in truth.zones) + 5)


ALL = ["small", "busy", "nasty", "deep", "empty", "asleep", "bare", "real"]
FULL = ["small", "busy", "nasty", "bare", "real"]
# Each: what, the check, the recordings it is for.
CHECKS = [
    ("pprof in go tool pprof", pprof, ALL),
    ("callgrind in callgrind_annotate", callgrind, ALL),
    ("firefox in profiler-cli", firefox, ALL),
    ("chrome in Perfetto's trace processor", chrome_in_perfetto, ALL),
    ("chrome in profiler-cli", chrome_in_firefox, FULL),
    (
        "speedscope in speedscope",
        in_speedscope("all.speedscope.json", "speedscope json file", MILLI, "ns"),
        ALL,
    ),
    (
        "collapsed in speedscope",
        in_speedscope("samples.collapsed", "collapsed stack format", 1, "samples"),
        ["small", "busy", "nasty"],
    ),
    ("collapsed in profiler-cli", collapsed_in_firefox, FULL),
    ("svg in chromium", svg("all.svg", 1e3, "ns"), ALL),
    ("svg of samples in chromium", svg("samples.svg", 1, "samples"), ["small", "busy"]),
    (
        "perfetto in Perfetto's trace processor",
        samples_in_perfetto,
        [*FULL, "deep", "empty", "asleep"],
    ),
    ("zones as perfetto", zones_in_perfetto("all.perfetto-trace"), ["says"]),
    ("zones as chrome", zones_in_perfetto("all.trace.json"), ["says"]),
    ("zones in speedscope", zones_in_speedscope, ["says"]),
    ("zones in profiler-cli", zones_in_firefox, ["says"]),
    ("otlp in opentelemetry-proto", otlp, ["says", "small"]),
    ("json in Python", json_tree, ["small", "busy", "nasty", "empty", "asleep", "bare", "real"]),
]


def main() -> int:
    root = Path(sys.argv[1])
    only = os.environ.get("ONLY", "")
    passed, failed = 0, []
    runs = [
        (f"{what}: {name}", lambda check=check, name=name: check(root / name, Truth(root / name)))
        for what, check, names in CHECKS
        for name in names
    ]
    runs += [(what, lambda check=check: check(root)) for what, check in IMPORTS]
    for what, run in runs:
        if only not in what:
            continue
        try:
            run()
        except Exception as error:  # noqa: BLE001 - any failure of a consumer is a failed test
            failed.append(what)
            print(f"FAIL  {what}\n      {type(error).__name__}: {str(error)[:1500]}")
            if not isinstance(error, (Mismatch, subprocess.CalledProcessError)):
                traceback.print_exc()
        else:
            passed += 1
            print(f"ok    {what}")
        sys.stdout.flush()
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
