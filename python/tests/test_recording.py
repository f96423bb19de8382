"""Spans end to end: from the program's probes into the recording of `sondage run`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import output

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


def test_no_secret_is_in_the_file(recording: Path) -> None:
    assert b"hush-hush" not in recording.read_bytes()
