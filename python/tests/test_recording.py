"""Spans end to end: from the program's probes into the recording of `sondage run`."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from conftest import output, view

PROGRAM = """
import asyncio, threading, time
from sondage import Lock, frame_mark, message, plot, profiler

lock = Lock("index")

@profiler.span("fetch")
async def fetch(n, token):
    await asyncio.sleep(0.002)
    with profiler.span("decode"):
        return n

async def main():
    with profiler.span("command", args={"size": 3}):
        await asyncio.gather(*(fetch(n, token="hush-hush") for n in range(3)))
        for n in range(100):
            with profiler.cumulative_span("row"): pass

def hold():
    with lock: time.sleep(0.05)

@profiler.trace_calls
def calls():
    def leaf(): pass
    for _ in range(7): leaf()

asyncio.run(main())
thread = threading.Thread(target=hold)
thread.start()
time.sleep(0.01)
with lock: pass
thread.join()
calls()
for n in range(4):
    plot("queue", n)
    frame_mark()
message("done")
"""


@pytest.fixture(scope="module")
def recording(program: Path, python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording")
    path = folder / "spans.sondage"
    script = folder / "program.py"
    script.write_text(PROGRAM)
    output(program, "run", "--quiet", "--output", path, "--", python, script)
    return path


@pytest.fixture(scope="module")
def said(program: Path, recording: Path) -> Any:
    return json.loads(output(program, "report", "--json", recording))["program"]


def test_every_span_is_in_the_recording(said: Any) -> None:
    zones = {zone["label"]: zone for zone in said["zonesByTotal"]}
    counts = {label.rpartition(".")[2]: zone["count"] for label, zone in zones.items()}
    expected = {"command": 1, "fetch": 3, "decode": 3, "row": 1, "calls": 1, "leaf": 7}
    assert counts == expected
    assert zones["fetch"]["min"] >= 2_000_000
    assert zones["command"]["total"] >= zones["fetch"]["max"]
    assert zones["command"]["file"].endswith("program.py")


def test_locks_frames_and_plots_are_too(said: Any) -> None:
    text = json.dumps(said)
    assert "index" in text
    assert "hush-hush" not in text


TASKS = """
import asyncio, functools
from sondage import profiler

@profiler.span("answer")
async def answer(n):
    await asyncio.sleep(0.003)
    with profiler.span("inner"): pass
    asyncio.get_running_loop().call_soon(later)
    await asyncio.to_thread(aside)

@profiler.span("later")
def later(): pass

@profiler.span("aside")
def aside(): pass

@profiler.span("job")
async def job(n):
    await asyncio.sleep(0.002)
    await answer(n)

async def worker(of):
    for n in range(3):
        await job(n + of)

# A span around an `await` that is no function's.
async def walker(of):
    for n in range(3):
        with profiler.span("step"):
            await asyncio.sleep(0.002 * (1 + of % 2))

async def main():
    make = asyncio.create_task
    await asyncio.gather(*(make(worker(n), name=f"worker-{n}") for n in range(4)))
    await make(answer(9))
    await asyncio.gather(*(make(walker(n), name=f"walker-{n}") for n in range(4)))

with profiler.span("before"): pass
asyncio.run(main())
with profiler.span("after"): pass
"""


def test_spans_know_their_task(program: Path, python: Path, tmp_path: Path) -> None:
    """Of each span of a task, the recording has the task's name; and lanes are the tasks'."""
    script, path = tmp_path / "tasks.py", tmp_path / "tasks.sondage"
    script.write_text(TASKS)
    output(program, "run", "--quiet", "--output", path, "--", python, script)
    with view(program, path) as get:
        by_task: dict[str | None, Counter[str]] = defaultdict(Counter)
        lanes: dict[str | None, set[int]] = defaultdict(set)
        known: dict[int, str | None] = {}
        for site in get("zones")["sites"]:
            for zone in get(f"instances?site={site['site']}")["zones"]:
                if "poll" in zone["flags"]:
                    continue
                task = known[zone["zone"]] = get(f"zone?zone={zone['zone']}")["task"]
                by_task[task][site["label"]] += 1
                if site["label"] in {"job", "step"}:
                    lanes[task].add(zone["lane"])
        tracks = get("tracks?px=2000")
        drawn = zip(tracks["zones"]["zone"], tracks["zones"]["task"], strict=True)
        names = [*tracks["tasks"], None]
        told = {zone: names[task] for zone, task in drawn if zone in known}
    assert told.items() <= known.items()
    assert set(told.values()) == set(known.values())
    workers = [f"worker-{n}" for n in range(4)]
    walkers = [f"walker-{n}" for n in range(4)]
    # The task without a name of its own is called by asyncio.
    (other,) = by_task.keys() - {*workers, *walkers, None}
    assert other
    assert other.startswith("Task-")
    for worker in workers:
        assert by_task[worker] == {"job": 3, "answer": 3, "inner": 3}
    for walker in walkers:
        assert by_task[walker] == {"step": 3}
    assert by_task[other] == {"answer": 1, "inner": 1}
    assert by_task[None] == {"before": 1, "after": 1, "later": 13, "aside": 13}
    # Each has a lane, and no other has it meanwhile.
    for group in (workers, walkers):
        assert [len(lanes[each]) for each in group] == [1] * 4, lanes
        assert len(set.union(*(lanes[each] for each in group))) == 4, lanes


def test_no_secret_is_in_the_file(recording: Path) -> None:
    assert b"hush-hush" not in recording.read_bytes()
