"""Profilers of Tracy's that come and go, processes that have children, and memory."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from tracy_run import HEAD, TAIL, free_port, nesting, running, seen
from tracy_wire import MISMATCH, Connection


def test_a_profiler_may_go_and_come_back(python: Path, tmp_path: Path) -> None:
    code = (
        HEAD
        + """
with profiler.span("first"), profiler.span("inside"):
    message("one"); sys.stdin.readline()
    wait(lambda: not sondage.tracy_connected())
    with profiler.span("nobody sees"): pass
    print("gone", flush=True)
    wait(sondage.tracy_connected)
with profiler.span("second"): pass
message("two"); sys.stdin.read()
"""
    )
    with running(python, code, tmp_path) as (program, port, _):
        with Connection(port) as first:
            early = first.seen("one")
            assert program.stdin
            program.stdin.write("\n")
            program.stdin.flush()
        assert program.stdout
        assert program.stdout.readline() == "gone\n"
        with Connection(port) as second:
            late = second.seen("two")
    assert {zone.label for zone in early.zones} == {"first", "inside"}
    assert not late.named("nobody sees")
    assert nesting(late.named("second")) == ["second"]


def test_a_profiler_of_another_version_is_told_so(python: Path, tmp_path: Path) -> None:
    code = HEAD.replace("wait(sondage.tracy_connected)", "") + TAIL
    with running(python, code, tmp_path) as (_, port, _):
        other = Connection(port, protocol=1)
        assert other.status == MISMATCH
        other.socket.close()


def test_a_program_ends_while_a_profiler_is_connected(python: Path, tmp_path: Path) -> None:
    code = HEAD + "for n in range(1000):\n    with profiler.span('last'): pass\n"
    with running(python, code, tmp_path) as (_, port, _):
        connection = Connection(port)
        connection.read_to_the_end()
        connection.socket.close()
    assert len(connection.reader.zones) == 1000


def test_a_profiler_that_vanishes_does_no_harm(python: Path, tmp_path: Path) -> None:
    code = (
        HEAD
        + """
end = time.monotonic() + 0.3
while time.monotonic() < end:
    with profiler.span("busy"): message("here")
"""
    )
    with running(python, code, tmp_path) as (_, port, _):
        connection = Connection(port)
        while not connection.reader.messages:
            connection.read()
        connection.socket.close()


CHILDREN = {
    "os.fork": """
pid = os.fork()
if pid == 0:
    assert not sondage.tracy_connected()
    for n in range(1000):
        with profiler.span("child"): pass
    message("child"); plot("child", 1); frame_mark()
    with Lock("child"): pass
    sys.exit(0)
_, status = os.waitpid(pid, 0)
assert status == 0, status
""",
    "multiprocessing fork": """
import multiprocessing
def job(n):
    with profiler.span("child"): return n * n
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(job, range(20)) == [n * n for n in range(20)]
""",
    "subprocess": """
import subprocess
subprocess.run([sys.executable, "-c", "import sondage\\nwith sondage.profiler.span('x'): pass"],
               check=True)
""",
}


@pytest.mark.parametrize("way", CHILDREN)
def test_children_neither_hang_nor_speak(python: Path, tmp_path: Path, way: str) -> None:
    stop = "\nstop = threading.Event()\n"
    busy = """
def spin():
    while not stop.is_set():
        with profiler.span("spin"): plot("spin", 1)
spinner = threading.Thread(target=spin); spinner.start()
"""
    body = stop + busy + CHILDREN[way] + "\nstop.set(); spinner.join()\n"
    found = seen(python, tmp_path, body)
    assert found.named("spin")
    assert not found.named("child")
    assert "child" not in found.plots


def test_a_child_keeps_no_port(python: Path, tmp_path: Path) -> None:
    code = """
import os, sys, time
import sondage
assert sondage.init_tracy(port=int(sys.argv[1]))
if os.fork() == 0:
    os.close(1); os.close(2); sys.stdin.read(); os._exit(0)
print("parent is done", flush=True)
"""
    port = free_port()
    script = tmp_path / "program.py"
    script.write_text(code)
    program = subprocess.Popen(
        [python, script, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert program.stdin
    assert program.stdout
    assert program.stdout.read() == "parent is done\n"
    assert program.wait(30) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    program.stdin.close()


def test_memory_is_told_once_asked(python: Path, tmp_path: Path) -> None:
    body = """
sondage.allocator_hook_enable()
sondage.allocator_hook_enable()
kept = [bytes(1000 + n) for n in range(200)]
del kept
"""
    found = seen(python, tmp_path, body)
    assert found.memory["allocations"] >= 200
    assert found.memory["bytes"] >= 200 * 1000
    assert found.memory["frees"] >= 200


ASKED = """
import sys, time
import sondage
while not sondage.tracy_connected():
    with sondage.profiler.span("before"): time.sleep(0.005)
with sondage.profiler.span("here"): pass
sondage.message("the end")
sys.stdin.read()
"""


def test_the_environment_starts_it_with_the_first_probe(python: Path, tmp_path: Path) -> None:
    port = free_port()
    program = subprocess.Popen(
        [python, "-c", ASKED],
        stdin=subprocess.PIPE,
        cwd=tmp_path,
        env=os.environ | {"SONDAGE_TRACY": str(port)},
    )
    with Connection(port) as profiler:
        found = profiler.seen()
    assert found.named("here")
    program.communicate(timeout=30)
    assert program.returncode == 0
