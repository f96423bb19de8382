"""What a program says, as Tracy sees it: over the socket, in Tracy's own protocol."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest
from conftest import ROOT
from tracy_run import HEAD, free_port, nesting, seen
from tracy_wire import Seen

import sondage
from sondage import TracyZone, _native, profiler, tracy_zone


def test_it_is_built_in() -> None:
    assert sondage.is_tracy_available()
    assert not sondage.tracy_connected()


def test_the_version_that_is_told_is_the_one_that_is_built_in() -> None:
    lock = (ROOT / "Cargo.lock").read_text(encoding="utf-8")
    # Another one has another Tracy in it: its TracyVersion.hpp says which.
    assert 'name = "tracy-client-sys"\nversion = "0.30.1"' in lock
    assert _native.TRACY_VERSION == "0.14.1"
    assert "v0.14.1" in (ROOT / "docs/guide/tracy.md").read_text(encoding="utf-8")


def test_the_module_needs_no_other_library_for_it() -> None:
    assert _native.__file__
    assert b"libstdc++.so" not in Path(_native.__file__).read_bytes()


SOCKETS = """
import os, sys
import sondage

def listening():
    own = {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
           if os.path.lexists(f"/proc/self/fd/{fd}")}
    found = []
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        for line in open(f"/proc/self/net/{kind}").readlines()[1:]:
            _, local, _, state, *_, = line.split()
            inode = line.split()[9]
            if f"socket:[{inode}]" in own:
                address, port = local.split(":")
                found.append(f"{kind} {address} {int(port, 16)}")
    return found

with sondage.profiler.span("x"), sondage.TracyZone("y"): pass
sondage.tracy_connected(); sondage.is_tracy_available()
print(*listening(), "threads", len(os.listdir("/proc/self/task")))
if sys.argv[1:]:
    assert sondage.init_tracy(port=int(sys.argv[1]), address=sys.argv[2])
    assert sondage.init_tracy(port=int(sys.argv[1]), address=sys.argv[2])
    print(*listening())
"""


@pytest.mark.parametrize(("address", "place"), [("127.0.0.1", "0100007F"), ("0.0.0.0", "00000000")])  # noqa: S104
def test_nothing_listens_unless_asked_and_where_told(
    python: Path, address: str, place: str
) -> None:
    port = free_port()
    command = [str(python), "-c", SOCKETS, str(port), address]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    before, after = done.stdout.splitlines()
    assert before == "threads 1"
    assert after == f"tcp {place} {port}", done.stderr


# What arrives


PROGRAM = """
def work():
    with profiler.span("outer", args={"size": 3}):
        with profiler.span("inner"):
            time.sleep(0.01)

@profiler.span("decorated")
def decorated(path, password): pass

work()
decorated("a.toml", password="hush")
with monitor.component("physics"): pass

@profiler.trace_calls
def calls():
    def leaf(): pass
    leaf(); leaf()

calls()
plot("queue", 3)
plot("queue", 4)
plot("load", 0.5)
for _ in range(4): frame_mark()
for _ in range(2): frame_mark("audio")
with frame("upload"): pass
message("plain")
message("warm", level="warning", colour=0xE45756)

lock = Lock("jobs")
def hold():
    with lock: time.sleep(0.05)
thread = threading.Thread(target=hold, name="a rather long name of a worker")
thread.start()
time.sleep(0.01)
with lock: pass
thread.join()
"""


@pytest.fixture(scope="module")
def said(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return seen(python, tmp_path_factory.mktemp("tracy"), PROGRAM)


def test_spans_are_zones_with_their_places(said: Seen) -> None:
    nested = nesting(said.zones)
    for way in ("outer", "outer/inner", "decorated", "physics", "calls"):
        assert nested.count(way) == 1, nested
    assert sum(way.startswith("calls/") and way.endswith("leaf") for way in nested) == 2
    (outer,) = said.named("outer")
    line = 1 + (HEAD + PROGRAM).splitlines().index(
        '    with profiler.span("outer", args={"size": 3}):'
    )
    assert outer.place.file.endswith("program.py")
    assert (outer.place.function, outer.place.line) == ("work", line)
    assert all(zone.end is not None for zone in said.zones)
    (decorated,) = said.named("decorated")
    line = 1 + (HEAD + PROGRAM).splitlines().index('@profiler.span("decorated")')
    assert (decorated.place.function, decorated.place.line) == ("decorated", line)


def test_arguments_are_the_zones_texts_and_secrets_are_not(said: Seen) -> None:
    assert "size" in said.named("outer")[0].texts[0]
    assert "3" in said.named("outer")[0].texts[0]
    texts = " ".join(said.named("decorated")[0].texts)
    assert "a.toml" in texts
    assert "hush" not in texts


def test_plots_frames_and_messages_arrive(said: Seen) -> None:
    assert said.plots == {"queue": [3, 4], "load": [0.5]}
    assert said.frames[""] == 4
    assert said.frames["audio"] == 2
    assert (said.frames["Startupload"], said.frames["Endupload"]) == (1, 1)
    messages = dict(said.messages)
    assert set(messages) == {"plain", "warm", "the end"}
    assert messages["warm"] == 0xE45756


def test_locks_say_who_waits_and_who_has_them(said: Seen) -> None:
    (jobs,) = (ops for name, ops in said.locks.items() if "jobs" in name)
    names = {thread: said.threads[thread] for _, thread in jobs if thread}
    # Who gets it at once waits for nothing.
    assert Counter(op for op, _ in jobs) == {"Wait": 1, "Obtain": 2, "Release": 2}
    assert [names[thread] for op, thread in jobs if op == "Wait"] == ["MainThread"]
    holders = [names[thread] for op, thread in jobs if op == "Obtain"]
    assert holders == ["a rather long name of a worker", "MainThread"]


def test_process_and_threads_have_their_names(said: Seen) -> None:
    assert said.program == "a test's program"
    main = {said.thread_of(zone) for zone in said.named("outer")}
    assert main == {"MainThread"}


def test_threads_are_called_as_python_calls_them(python: Path, tmp_path: Path) -> None:
    body = """
from concurrent.futures import ThreadPoolExecutor
def job(n):
    with profiler.span(f"job {n}"): time.sleep(0.02)
with ThreadPoolExecutor(3, thread_name_prefix="a pool of workers") as pool:
    list(pool.map(job, range(3)))
"""
    found = seen(python, tmp_path, body)
    names = {found.thread_of(zone) for zone in found.zones}
    assert names == {f"a pool of workers_{n}" for n in range(3)}


# Tracy's own probes

ZONES = """
def load(path):
    with TracyZone("load", colour=0x4C78A8) as zone:
        zone.text("first")
        zone.text(path)
        zone.value(42)
        with TracyZone(): pass
        zone.colour(0x54A24B)
        zone.name("load of " + path)

@tracy_zone
def plain(): return 1

@tracy_zone("named", colour=0xE45756)
def named(): return 2

@tracy_zone
async def asynchronous():
    await asyncio.sleep(0)
    return 3

load("a.toml")
assert [plain(), named(), asyncio.run(asynchronous())] == [1, 2, 3]
with tracy_zone("a block"): pass
assert named.__name__ == "named"
"""


def test_tracys_zones_have_place_colour_texts_and_values(python: Path, tmp_path: Path) -> None:
    found = seen(python, tmp_path, ZONES)
    (load,) = found.named("load of a.toml")
    lines = (HEAD + ZONES).splitlines()
    line = 1 + lines.index('    with TracyZone("load", colour=0x4C78A8) as zone:')
    assert (load.place.name, load.place.function, load.place.line) == ("load", "load", line)
    assert (load.place.colour, load.own_colour) == (0x4C78A8, 0x54A24B)
    assert (load.texts, load.values) == (["first", "a.toml"], [42])
    labels = [zone.label for zone in found.zones]
    assert labels.count("load") == 1, "a zone without a name has its function's"
    for label in ("plain", "named", "a block"):
        assert labels.count(label) == 1, labels
    assert found.named("named")[0].place.colour == 0xE45756
    assert found.named("named")[0].place.line == 1 + lines.index(
        '@tracy_zone("named", colour=0xE45756)'
    )
    assert labels.count("asynchronous") >= 1


@pytest.mark.usefixtures("clean")
def test_without_tracy_zones_are_spans() -> None:
    @tracy_zone
    def function(number: int) -> int:
        with TracyZone("inside") as zone:
            zone.text("a")
            zone.value(number)
            zone.name("renamed")
            zone.colour(0xFF)
        return number

    assert function(3) == 3
    root = profiler.traces[-1].root_span
    assert root.name.endswith("function")
    (inside,) = root.children  # type: ignore[union-attr]
    assert inside.name == "inside"
    assert inside.data == {"text": "a", "value": 3, "name": "renamed"}  # type: ignore[union-attr]
    profiler.enabled = False
    assert function(4) == 4
    profiler.enabled = True
    assert len(profiler.traces) == 1


# Tasks

TASKS = {
    "gather": """
async def fetch(n):
    with profiler.span(f"fetch {n}"):
        await asyncio.sleep(0.03 - n / 100)
        with profiler.span(f"decode {n}"): await asyncio.sleep(0)

async def main():
    with profiler.span("main"):
        await asyncio.gather(*(fetch(n) for n in range(3)))

asyncio.run(main())
""",
    "TaskGroup": """
@profiler.span
async def fetch(n):
    await asyncio.sleep(0.03 - n / 100)
    with profiler.span(f"decode {n}"): await asyncio.sleep(0.001)

async def main():
    with profiler.span("main"):
        async with asyncio.TaskGroup() as group:
            for n in range(3):
                group.create_task(profiler.span(f"fetch {n}")(fetch)(n))

asyncio.run(main())
""",
}


@pytest.mark.parametrize("way", TASKS)
def test_spans_of_tasks_nest_as_tracy_needs_them(python: Path, tmp_path: Path, way: str) -> None:
    # The reader fails on a zone that ends and did not begin, as Tracy does.
    found = seen(python, tmp_path, TASKS[way])
    assert found.named("main")
    for n in range(3):
        for zone in found.named(f"decode {n}"):
            assert zone.parent is not None
            assert f"fetch {n}" in nesting([zone])[0]
    others = [(n, other) for n in range(3) for other in range(3) if n != other]
    ways = " ".join(nesting(found.zones))
    for n, other in others:
        assert f"fetch {n}/fetch {other}" not in ways
        assert f"fetch {n}/decode {other}" not in ways
    assert all(zone.end is not None for zone in found.zones)


def test_a_span_that_ends_after_the_one_around_it(python: Path, tmp_path: Path) -> None:
    body = """
async def late():
    with profiler.span("late"): await asyncio.sleep(0.02)

async def main():
    with profiler.span("early"):
        task = asyncio.create_task(late())
        await asyncio.sleep(0)
    with profiler.span("next"): await task

asyncio.run(main())
with profiler.span("after"): pass
"""
    found = seen(python, tmp_path, body)
    assert nesting(found.named("after")) == ["after"]
    assert {"early", "late", "next"} <= {zone.label for zone in found.zones}


def test_a_span_that_ends_in_another_thread(python: Path, tmp_path: Path) -> None:
    body = """
span = profiler.span("wanders")
span.__enter__()
thread = threading.Thread(target=span.__exit__, args=(None, None, None))
thread.start(); thread.join()
with profiler.span("after"): pass
"""
    found = seen(python, tmp_path, body)
    assert found.named("wanders")
    assert found.named("after")


def test_without_asking_no_memory_is_told(said: Seen) -> None:
    assert not said.memory
