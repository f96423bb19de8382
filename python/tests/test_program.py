"""Frames, plots, messages, locks, context across processes, and where events go."""

from __future__ import annotations

import logging
import os
import queue
import signal
import statistics
import subprocess
import threading
from pathlib import Path

import pytest
from conftest import tree

import sondage
from sondage import Condition, Lock, LogHandler, RLock, inject, profiler
from sondage._frames import Monitor, Rolling
from sondage._propagate import parse


def test_rolling_figures_are_those_of_the_whole_row() -> None:
    values = [5.0, 1.0, 9.5, 2.25, 9.5, 3.0]
    rolling = Rolling()
    for frame, value in enumerate(values):
        rolling.add(value, frame)
    assert (rolling.count, rolling.last, rolling.min, rolling.max) == (6, 3.0, 1.0, 9.5)
    assert rolling.peak_frame == 2
    assert rolling.avg == pytest.approx(statistics.fmean(values))
    assert rolling.stddev == pytest.approx(statistics.pstdev(values))


def test_frames_are_counted_and_timed() -> None:
    now = [100.0]
    monitor = Monitor(clock=lambda: now[0])
    assert (monitor.fps, monitor.cpu_percent, monitor.frame_ms) == (0.0, 0.0, 0.0)
    for at in range(5):
        if at == 3:
            monitor.input()
        now[0] += 0.020
        monitor._next_frame(now[0])
    assert monitor.frame == 4
    assert monitor.fps == pytest.approx(50)
    assert monitor.frame_ms == pytest.approx(20)
    assert monitor.frames.count == 4
    assert monitor.input_lag_ms == pytest.approx(20)
    assert monitor.cpu_percent >= 0


def test_components_know_their_peak_frame() -> None:
    monitor = Monitor()
    physics = monitor.component("physics")
    assert monitor.component("physics") is physics
    for millis in (1.0, 7.0, 2.0):
        physics.record(millis)
        monitor._next_frame(0.0)
    with physics, physics:
        pass
    assert (physics.count, physics.peak, physics.peak_frame) == (4, 7.0, 0)
    monitor.component("render").record(99.0)
    assert [each.name for each in monitor.components] == ["render", "physics"]
    monitor.reset()
    assert (physics.count, physics.min, monitor.frame) == (0, 0.0, 0)


def test_threads_have_passes_of_their_own() -> None:
    profiler.clear()
    component = Monitor().component("part")
    inside = threading.Barrier(4)

    def run() -> None:
        for _ in range(50):
            with component:
                inside.wait()
                with component:
                    inside.wait()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert component.count == 200
    assert [tree(trace.root_span) for trace in profiler.traces] == ["part"] * 200


def test_component_passes_are_spans() -> None:
    profiler.clear()
    with profiler.span("frame"), sondage.monitor.component("draw"):
        pass
    assert tree(profiler.traces[-1].root_span) == "frame(draw)"


def test_locks_behave_as_threadings() -> None:
    for lock in (Lock("a lock"), RLock()):
        with lock:
            assert lock.locked()
        assert not lock.locked()
        assert lock.acquire(False)
        lock.release()
        with pytest.raises(RuntimeError):
            lock.release()
    assert Lock("named").name == "named"
    assert Lock().name.startswith(__file__)
    plain = Lock()
    with plain:
        assert not plain.acquire(False)
        assert not plain.acquire(timeout=0.01)
    reentrant = RLock()
    with reentrant, reentrant:
        pass
    assert not reentrant.locked()


def test_conditions_wake_who_waits() -> None:
    for condition in (Condition(), Condition(Lock("own"))):
        seen: list[int] = []

        def wait(condition: Condition = condition, seen: list[int] = seen) -> None:
            with condition:
                condition.wait_for(lambda: bool(seen), timeout=10)
                seen.append(2)

        thread = threading.Thread(target=wait)
        thread.start()
        with condition:
            seen.append(1)
            condition.notify_all()
        thread.join()
        assert seen == [1, 2]


def test_patched_threading_serves_queues_and_goes_back() -> None:
    before = threading.Lock
    restore = sondage.patch_threading()
    try:
        assert isinstance(threading.Lock(), Lock)
        jobs: queue.Queue[int] = queue.Queue()
        thread = threading.Thread(target=lambda: jobs.put(jobs.get() + 1))
        jobs.put(1)
        thread.start()
        thread.join()
        assert jobs.get() == 2
    finally:
        restore()
    assert threading.Lock is before


def test_logging_becomes_messages_and_never_raises() -> None:
    handler = LogHandler()
    logger = logging.getLogger("sondage-test")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        logger.error("%d files", 3)
        logging.raiseExceptions = False
        logger.error("%d files", "three")
    finally:
        logging.raiseExceptions = True
        logger.removeHandler(handler)
    with pytest.raises(ValueError, match="loud"):
        sondage.message("x", level="loud")


# Context


GOOD = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

TRACEPARENTS = [
    (GOOD, True),
    ("cc" + GOOD[2:] + "-more", True),
    ("00" + GOOD[2:] + "-more", False),
    ("ff" + GOOD[2:], False),
    ("", False),
    (GOOD.upper(), False),
    (GOOD.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32), False),
    (GOOD.replace("b7ad6b7169203331", "0" * 16), False),
    (GOOD.replace("b7ad", "b7 d"), False),
    (GOOD.replace("b7ad", "b_ad"), False),
    (GOOD[:-1], False),
]


@pytest.mark.parametrize(("value", "good"), TRACEPARENTS)
def test_traceparents_are_read_as_the_standard_says(value: str, good: bool) -> None:
    assert (parse(value) is not None) is good


def test_inject_and_extract() -> None:
    profiler.clear()
    assert inject({}) == {}
    with profiler.span("client") as client:
        headers = inject()
        trace = headers["traceparent"].split("-")[1]
    assert headers["traceparent"].split("-")[2] == client.span_id  # type: ignore[attr-defined]
    with sondage.extract({"Traceparent": headers["traceparent"]}):
        assert profiler.current_span() is None
        with profiler.span("server"):
            assert inject()["traceparent"].split("-")[1] == trace
    with sondage.extract({"traceparent": "nonsense"}), profiler.span("other"):
        assert inject()["traceparent"].split("-")[1] != trace
    assert [tree(each.root_span) for each in profiler.traces] == ["client", "server", "other"]
    assert profiler.traces[1].root_span.trace_id == trace  # type: ignore[union-attr]


def test_children_inherit_by_environment(python: Path) -> None:
    code = """
import sondage
with sondage.profiler.span("x"): print(sondage.inject()["traceparent"])
"""
    with profiler.span("parent") as span:
        environment = sondage.child_environment()
        trace = span.trace_id  # type: ignore[attr-defined]
    assert "TRACEPARENT" not in os.environ
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split("-")[1] == trace


# Files


def test_saving(tmp_path: Path) -> None:
    with profiler.span("saved"):
        sondage.plot("queue", 3)
        sondage.plot("load", 0.5)
        sondage.message("hello", level="warning", colour=0xFF0000)
        sondage.frame_mark()
        with sondage.frame("upload"):
            pass
    path = sondage.save(tmp_path / "of-{pid}.events")
    assert path == str(tmp_path / f"of-{os.getpid()}.events")
    data = Path(path).read_bytes()
    for text in (b"saved", b"queue", b"load", b"hello", b"upload"):
        assert text in data, text
    with pytest.raises(OSError, match="nowhere"):
        sondage.save(tmp_path / "nowhere" / "x")


def test_saving_at_exit_and_on_a_crash(python: Path, tmp_path: Path) -> None:
    code = """
import os, signal, sondage, sys
sondage.save_at_exit(sys.argv[1]); sondage.save_on_crash(sys.argv[2])
with sondage.profiler.span("a name to find"):
    if sys.argv[3] == "crash": os.kill(os.getpid(), signal.SIGSEGV)
"""
    ends = {"exit": 0, "crash": -signal.SIGSEGV}
    for way, status in ends.items():
        paths = [tmp_path / f"{way}-{when}" for when in ("exit", "crash")]
        command = [str(python), "-c", code, *map(str, paths), way]
        assert subprocess.run(command, check=False).returncode == status
        written = paths[0] if way == "exit" else paths[1]
        assert b"a name to find" in written.read_bytes()


def test_without_a_collector_connect_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="no collector listens") as told:
        sondage.connect(str(tmp_path / "nobody"))
    assert "hint:" in str(told.value)
    assert sondage.connection() is None
    assert sondage.lost().events >= 0
