"""Children and the span that starts them: by environment, by `multiprocessing`, by fork."""

from __future__ import annotations

import asyncio
import inspect
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import SpawnProcess
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from sondage import inject, patch_processes, profiler

TOLD = "import os; print(os.environ.get('TRACEPARENT', 'none'))"
SPAN = """
import sondage
with sondage.profiler.span("child"): print(sondage.inject()["traceparent"])
"""


@pytest.fixture
def patched() -> Iterator[None]:
    restore = patch_processes()
    yield
    restore()


def ids(traceparent: str) -> tuple[str, str]:
    """Return trace and span."""
    _, trace, span, _ = traceparent.strip().split("-")
    return trace, span


def current() -> tuple[str, str]:
    return ids(inject()["traceparent"])


def run(code: str = TOLD, **options: Any) -> str:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, **options)
    return str(done.stdout).strip()


@pytest.mark.usefixtures("patched")
def test_a_plain_child_belongs_to_the_span_that_starts_it() -> None:
    with profiler.span("outer"):
        with profiler.span("inner"):
            assert ids(run()) == current()
        assert ids(run()) == current()
        assert ids(os.popen(f'{sys.executable} -c "{TOLD}"').read()) == current()  # noqa: S605
    assert run() == "none"
    assert "TRACEPARENT" not in os.environ


@pytest.mark.usefixtures("patched")
def test_a_childs_spans_are_in_the_trace() -> None:
    with profiler.span("parent"):
        trace, span = ids(run(SPAN))
        assert trace == current()[0]
        assert span != current()[1]


@pytest.mark.usefixtures("patched")
def test_an_environment_of_the_callers_is_not_touched() -> None:
    own = {"TRACEPARENT": "mine"}
    with profiler.span("parent"):
        assert run(env=own) == "mine"
        assert run(env={}) == "none"
        # By position, as few write it.
        command = [sys.executable, "-c", TOLD]
        for env, expected in (({}, "none"), (None, inject()["traceparent"])):
            child = subprocess.Popen(
                command, -1, None, None, subprocess.PIPE, None, None, True, False, None, env
            )
            out, _ = child.communicate()
            assert out.decode().strip() == expected


@pytest.mark.usefixtures("patched")
def test_posix_spawn(tmp_path: Path) -> None:
    def spawn(env: Any) -> str:
        out = tmp_path / "out"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        actions = [(os.POSIX_SPAWN_OPEN, 1, str(out), flags, 0o600)]
        command = [sys.executable, "-c", TOLD]
        pid = os.posix_spawn(sys.executable, command, env, file_actions=actions)
        assert os.waitpid(pid, 0)[1] == 0
        return out.read_text().strip()

    with profiler.span("parent"):
        assert ids(spawn(os.environ)) == current()
        assert spawn(dict(os.environ)) == "none"
    assert spawn(os.environ) == "none"


@pytest.mark.usefixtures("patched")
def test_tasks_start_children_at_once() -> None:
    async def start() -> None:
        with profiler.span("task"):
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", TOLD, stdout=subprocess.PIPE
            )
            out, _ = await child.communicate()
            assert ids(out.decode()) == current()

    async def main() -> None:
        await asyncio.gather(*(start() for _ in range(5)))

    asyncio.run(main())


@pytest.mark.usefixtures("patched")
def test_threads_start_children_at_once_each_under_its_own_span() -> None:
    barrier = threading.Barrier(8)
    seen: list[tuple[tuple[str, str], tuple[str, str]]] = []

    def start() -> None:
        with profiler.span("thread"):
            barrier.wait()
            seen.extend((ids(run()), current()) for _ in range(3))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 24
    assert len({span for span, _ in seen}) == 8
    assert all(child == parent for child, parent in seen)


def report(pipe: Any, levels: int = 0) -> None:
    """Say, in a child, in which trace its spans are; in threads too, and in its children."""
    with profiler.span("child"):
        pipe.send(current())
    thread = threading.Thread(target=lambda: pipe.send(new_trace()))
    thread.start()
    thread.join()
    if levels > 0:
        with profiler.span("child"):
            start(multiprocessing.get_context("spawn"), pipe, levels - 1)


def new_trace() -> tuple[str, str]:
    with profiler.span("thread"):
        return current()


def start(context: Any, pipe: Any, levels: int = 0) -> None:
    process = context.Process(target=report, args=(pipe, levels))
    process.start()
    process.join(60)
    assert process.exitcode == 0


def answers(pipe: Any) -> list[tuple[str, str]]:
    found = []
    while pipe.poll():
        found.append(pipe.recv())
    return found


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_processes_of_multiprocessing(method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    here, there = context.Pipe()
    # The server of `forkserver` is started outside of the spans of its children.
    for _ in range(2):
        with profiler.span("parent"):
            start(context, there)
            trace, _ = current()
        assert [found for found, _ in answers(here)] == [trace, trace]
    start(context, there)
    # Outside of a span the child's are traces of their own.
    one, two = answers(here)
    assert trace not in {one[0], two[0]}
    assert one[0] != two[0]


@pytest.mark.usefixtures("patched")
def test_childrens_children_are_told_too() -> None:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    with profiler.span("parent"):
        start(context, there, levels=1)
        trace, _ = current()
    found = answers(here)
    assert len(found) == 4
    assert {each for each, _ in found} == {trace}


class Own(SpawnProcess):
    """A process with a `run` of its class."""

    def __init__(self, pipe: Any) -> None:
        super().__init__(name="own")
        self.pipe = pipe

    def run(self) -> None:
        with profiler.span("child"):
            self.pipe.send(current())


@pytest.mark.usefixtures("patched")
def test_classes_with_a_run_of_their_own_and_pools() -> None:
    here, there = multiprocessing.Pipe()
    with profiler.span("parent"):
        process = Own(there)
        process.start()
        assert "run" not in vars(process)
        process.join(60)
        trace, _ = current()
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            assert pool.submit(new_trace).result()[0] == trace
    assert answers(here)[0][0] == trace
    with pytest.raises(AssertionError), profiler.span("twice"):
        process.start()
    assert "run" not in vars(process)


def test_a_forked_child_needs_no_patch() -> None:
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    with profiler.span("parent"):
        start(context, there)
        trace, _ = current()
    in_main_thread, in_another = answers(here)
    assert in_main_thread[0] == trace
    assert in_another[0] != trace


def test_nothing_is_left_of_a_patch() -> None:
    def functions() -> list[Any]:
        return [subprocess.Popen.__init__, os.posix_spawn, os.posix_spawnp, BaseProcess.start]

    before = functions()
    first, second = patch_processes(), patch_processes()
    patched = functions()
    assert not any(one is other for one, other in zip(before, patched, strict=True))
    assert inspect.signature(subprocess.Popen) == inspect.signature(before[0].__get__(object()))
    first()
    first()
    assert functions() == patched
    with profiler.span("parent"):
        assert ids(run()) == current()
        second()
        assert functions() == before
        assert run() == "none"


def test_a_patch_under_another_patch_does_nothing_once_it_is_taken_back() -> None:
    before = os.posix_spawn
    restore = patch_processes()
    ours = os.posix_spawn

    def theirs(*args: Any, **kwargs: Any) -> int:
        return ours(*args, **kwargs)

    os.posix_spawn = theirs
    restore()
    try:
        assert os.posix_spawn is theirs
        with profiler.span("parent"):
            pid = os.posix_spawn("/bin/sh", ["sh", "-c", 'test -z "$TRACEPARENT"'], os.environ)
            assert os.waitpid(pid, 0)[1] == 0
    finally:
        os.posix_spawn = before
