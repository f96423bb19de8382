"""Spans under threads, tasks and greenlets, of classes and of every call; their figures."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import pathlib
import subprocess
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import last, tree

from sondage import ProfilingSpan, profiler

pytestmark = pytest.mark.usefixtures("clean")


# Threads, tasks, executors, greenlets


def test_threads_have_trees_of_their_own() -> None:
    start = threading.Barrier(4)

    def work(name: str) -> None:
        start.wait()
        for _ in range(50):
            with profiler.span(name), profiler.span("inner"):
                time.sleep(0)

    with profiler.span("main"):
        threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    trees = [tree(trace.root_span) for trace in profiler.traces]
    assert trees[-1] == "main"
    assert sorted(trees[:-1]) == sorted([f"t{n}(inner)" for n in range(4)] * 50)


def test_a_copied_context_carries_the_span_into_an_executor() -> None:
    def work(name: str) -> None:
        with profiler.span(name):
            pass

    with profiler.span("outer"), ThreadPoolExecutor(2) as pool:
        for name in ("a", "b", "a"):
            pool.submit(contextvars.copy_context().run, work, name).result()
        pool.submit(work, "alone").result()
    assert tree(last()) == "outer(a b a)"
    assert tree(profiler.traces[0].root_span) == "alone"


def test_gather_and_task_groups() -> None:
    async def work(name: str, pauses: int) -> None:
        with profiler.span(name):
            for _ in range(pauses):
                await asyncio.sleep(0)
            with profiler.span(f"{name}-end"):
                await asyncio.sleep(0)

    async def main() -> None:
        with profiler.span("gather"):
            await asyncio.gather(work("a", 3), work("b", 1), work("c", 2))
        with profiler.span("group"):
            async with asyncio.TaskGroup() as group:
                group.create_task(work("d", 2))
                with profiler.span("inside"):
                    group.create_task(work("e", 1))

    asyncio.run(main())
    trees = [tree(trace.root_span) for trace in profiler.traces]
    assert trees == [
        "gather(a(a-end) b(b-end) c(c-end))",
        "group(inside(e(e-end)) d(d-end))",
    ]


def test_a_task_belongs_to_the_span_that_was_current_when_it_was_made() -> None:
    """The state of the copy counts, not that of the moment when the task first runs."""

    async def work(name: str) -> None:
        await asyncio.sleep(0)
        with profiler.span(name):
            await asyncio.sleep(0)

    async def main() -> None:
        with profiler.span("first"), profiler.span("gone"):
            pass
        with profiler.span("outer"):
            with profiler.span("before"):
                pass
            task = asyncio.create_task(work("of outer"))
            with profiler.span("later"):
                other = asyncio.create_task(work("of later"))
                await task
        lone = asyncio.create_task(work("of nobody"))
        with profiler.span("unrelated"):
            await other
            await lone

    asyncio.run(main())
    trees = [tree(trace.root_span) for trace in profiler.traces]
    assert "outer(before of outer later(of later))" in {t.replace("  ", " ") for t in trees} or (
        "outer(before later(of later) of outer)" in trees
    )
    assert "of nobody" in trees
    assert "unrelated" in trees


def test_cancellation_ends_the_span() -> None:
    @profiler.span("waits")
    async def waits() -> None:
        with profiler.span("inside"):
            await asyncio.sleep(60)

    async def main() -> None:
        with profiler.span("outer"):
            task = asyncio.create_task(waits())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with profiler.span("after"):
                pass

    asyncio.run(main())
    assert tree(last()) == "outer(waits(inside) after)"
    waiting = last().children[0]
    assert isinstance(waiting, ProfilingSpan)
    assert waiting.failed
    assert waiting.data == {"error": "CancelledError"}


RESULTS = [None, 0, (), (1, 2), ValueError("a value"), StopIteration(3)]


@pytest.mark.parametrize("result", RESULTS, ids=repr)
@pytest.mark.parametrize("waits", [False, True])
def test_a_decorated_function_gives_what_it_gave(result: object, waits: bool) -> None:
    @profiler.span("gives")
    async def gives(value: object, *, times: int = 1) -> object:
        for _ in range(times if waits else 0):
            await asyncio.sleep(0)
        return value

    async def main() -> None:
        assert await gives(result) is result
        assert await gives(value=result, times=2) is result
        with pytest.raises(TypeError, match="unexpected keyword"):
            await gives(result, other=1)  # type: ignore[call-arg]

    asyncio.run(main())
    assert last().data["times"] == 2


def test_what_waits_for_ever_is_collected() -> None:
    class Box:
        waiting: Any = None

    async def run(decorated: bool) -> None:
        future = asyncio.get_running_loop().create_future()

        async def wait(box: Box) -> None:  # noqa: ARG001
            await future

        box = Box()
        there = weakref.ref(box)
        box.waiting = (profiler.span("wait")(wait) if decorated else wait)(box)
        box.waiting.send(None)
        del box
        gc.collect()
        assert there() is None

    # As a function that is not decorated.
    for decorated in (False, True):
        asyncio.run(run(decorated))


def test_a_context_that_runs_again_remembers_its_span() -> None:
    with profiler.span("outer"):
        context = contextvars.copy_context()
    with profiler.span("other"):

        def work() -> None:
            assert profiler.current_span() is not None
            with profiler.span("inside"):
                pass

        context.run(work)
        context.run(work)
    first, second = (trace.root_span for trace in profiler.traces)
    assert tree(first) == "outer(inside inside)"
    assert tree(second) == "other"


def test_many_other_variables_do_not_disturb() -> None:
    """A context with many variables has no flat root, and is set the slow way."""
    variables = [contextvars.ContextVar[int](f"v{n}") for n in range(100)]

    def work() -> None:
        for at, variable in enumerate(variables):
            variable.set(at)
            with profiler.span("a"), profiler.span("b"):
                variable.set(at + 1)
                copy = contextvars.copy_context()
                with profiler.span("c"):
                    pass
                copy.run(lambda: profiler.span("d").__enter__().__exit__(None, None, None))
        assert [variable.get() for variable in variables] == list(range(1, 101))

    contextvars.copy_context().run(work)
    assert {tree(trace.root_span) for trace in profiler.traces} == {"a(b(c d))"}


def test_greenlets_have_trees_of_their_own() -> None:
    greenlet = pytest.importorskip("greenlet")

    def work(name: str) -> None:
        with profiler.span(name):
            main.switch()
            with profiler.span(f"{name}-inner"):
                main.switch()

    main = greenlet.getcurrent()
    one, two = greenlet.greenlet(work), greenlet.greenlet(work)
    with profiler.span("outer"):
        one.switch("one")
        two.switch("two")
        one.switch()
        with profiler.span("inside"):
            two.switch()
        one.switch()
        two.switch()
    trees = sorted(tree(trace.root_span) for trace in profiler.traces)
    assert trees == ["one(one-inner)", "outer(inside)", "two(two-inner)"]


def test_a_span_left_in_another_context_ends() -> None:
    span = profiler.span("moved")
    contextvars.copy_context().run(span.__enter__)
    assert profiler.current_span() is None
    with profiler.span("other"):
        span.__exit__(None, None, None)
        assert profiler.current_span() is not span
    assert sorted(tree(trace.root_span) for trace in profiler.traces) == ["moved", "other"]


def random_walk(seed: int) -> None:
    """Hold our current span against a ContextVar that is set and reset by the book."""
    import random

    draw = random.Random(seed)
    truth: contextvars.ContextVar[Any] = contextvars.ContextVar("truth", default=None)

    def check() -> None:
        assert profiler.current_span() is truth.get()

    def inner(depth: int) -> None:
        for _ in range(draw.randrange(4)):
            check()
            action = draw.randrange(4)
            if action == 0 and depth:
                with profiler.span("s") as span:
                    token = truth.set(span)
                    inner(depth - 1)
                    truth.reset(token)
            elif action == 1 and depth:
                contextvars.copy_context().run(inner, depth - 1)
            elif action == 2:
                kept.append(contextvars.copy_context())
            elif kept and depth:
                draw.choice(kept).copy().run(inner, depth - 1)
            check()

    kept: list[contextvars.Context] = []
    for _ in range(10):
        contextvars.copy_context().run(inner, 5)


@pytest.mark.parametrize("seed", range(50))
def test_copied_contexts_at_random(seed: int) -> None:
    random_walk(seed)


def test_this_interpreter_is_served_the_fast_way() -> None:
    from sondage import _native

    assert _native.CONTEXT_IN_PLACE


# Classes


def test_trace_all_wraps_what_a_class_defines() -> None:
    @profiler.trace_all(exclude=["quiet"])
    class Service:
        limit = 3

        def __init__(self) -> None:
            self._x = 1

        def method(self, n: int) -> int:
            return self.helper(n)

        @staticmethod
        def helper(n: int) -> int:
            return n + 1

        @classmethod
        def make(cls) -> Service:
            return cls()

        @property
        def x(self) -> int:
            """The x."""
            return self._x

        @x.setter
        def x(self, value: int) -> None:
            self._x = value

        async def fetch(self) -> int:
            await asyncio.sleep(0)
            return self.x

        def quiet(self) -> None: ...

    service = Service.make()
    assert service.method(1) == 2
    service.x = 5
    assert asyncio.run(service.fetch()) == 5
    service.quiet()
    name = Service.__qualname__
    trees = [tree(trace.root_span).replace(f"{name}.", "") for trace in profiler.traces]
    assert trees == ["make(__init__)", "method(helper)", "x (set)", "fetch(x)"]
    assert Service.x.__doc__ == "The x."
    assert Service.limit == 3


def test_trace_all_bare_and_with_a_wrong_name() -> None:
    @profiler.trace_all
    class Plain:
        def run(self) -> int:
            return 1

    assert Plain().run() == 1
    assert profiler.traces[-1].command_name.endswith("Plain.run")
    with pytest.raises(AttributeError, match="nothing"):
        profiler.trace_all(exclude=["nothing"])(Plain)


# Calls


def test_trace_calls_records_every_call_below() -> None:
    def leaf(n: int) -> int:
        return n

    def middle(n: int) -> int:
        return leaf(n) + sum(map(leaf, [1, 2]))

    @profiler.trace_calls
    def top(n: int) -> int:
        with profiler.span("mine"):
            return middle(n) + leaf(n)

    assert top(3) == 9
    leaf(1)
    text = tree(last()).replace(
        f"{test_trace_calls_records_every_call_below.__name__}.<locals>.", ""
    )
    assert text == "top(mine(middle(leaf leaf leaf) leaf))"
    assert last().data == {"n": 3}
    assert len(profiler.traces) == 1


def test_trace_calls_ends_calls_by_exception() -> None:
    def fails() -> None:
        raise ValueError("no")

    def catches() -> None:
        with pytest.raises(ValueError, match="no"):
            fails()

    @profiler.trace_calls
    def top() -> None:
        catches()
        raise KeyError("out")

    with pytest.raises(KeyError):
        top()
    assert last().failed
    (child,) = last().children
    assert isinstance(child, ProfilingSpan)
    assert not child.failed
    assert profiler.current_span() is None
    failed = [each for each in child.children if isinstance(each, ProfilingSpan) and each.failed]
    assert [each.name.rpartition(".")[2] for each in failed] == ["fails"]


def test_trace_calls_is_confined_to_its_own_stack() -> None:
    stop = threading.Event()

    def elsewhere() -> None:
        def other() -> None: ...

        while not stop.is_set():
            other()

    @profiler.trace_calls
    def top() -> None:
        def own() -> None: ...

        for _ in range(200):
            own()
            time.sleep(0)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    top()
    stop.set()
    thread.join()
    names = {child.name.rpartition(".")[2] for child in last().children}
    assert names == {"own"}
    assert len(last().children) == 200


def test_trace_calls_follows_a_coroutine_and_nobody_else() -> None:
    async def leaf() -> None:
        await asyncio.sleep(0)

    @profiler.trace_calls
    async def top() -> None:
        await leaf()
        await leaf()

    async def stranger() -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(top(), stranger(), stranger())

    asyncio.run(main())
    text = tree(last())
    assert text.count("leaf") >= 2
    assert "stranger" not in text


def test_trace_calls_of_itself_and_of_generators() -> None:
    def numbers(n: int) -> Iterator[int]:
        yield from range(n)

    @profiler.trace_calls
    def fact(n: int) -> int:
        assert list(numbers(1)) == [0]
        return 1 if n < 2 else n * fact(n - 1)

    assert fact(3) == 6
    assert tree(last()).count("fact") == 3 + tree(last()).count("fact.<locals>")


def test_a_trace_of_more_spans_than_fit_says_how_many_are_missing() -> None:
    def leaf() -> None: ...

    @profiler.trace_calls
    def top() -> None:
        for _ in range(10_500):
            leaf()

    top()
    assert len(last().children) == 10_000
    assert last().dropped == 500
    assert "500 more spans" in str(last())


# Figures and pictures


def test_overhead_is_measured_and_adds_up() -> None:
    from sondage import _native as native

    each = profiler.overhead_per_span_ns
    assert 5 < each < 50_000
    before = native.counts()[0]
    with profiler.span("a"):
        for _ in range(9999):
            with profiler.span("b"):
                pass
    assert native.counts()[0] - before == 10_000
    assert native.own_nanos()[1] >= 39
    least = native.counts()[0] * profiler.overhead_per_span_ns / 1e6
    assert profiler.total_overhead_ms >= least
    assert [trace.command_name for trace in profiler.traces] == ["a"]


def test_trees_are_drawn_for_terminals_and_notebooks() -> None:
    with profiler.span("<outer>", args={"n": 1}):
        with profiler.span("inner"):
            pass
        with profiler.cumulative_span("sum"):
            pass
    trace = profiler.traces[-1]
    lines = str(trace).splitlines()
    assert [line.split("  ")[0] for line in lines] == ["<outer>", "├─ inner", "└─ sum"]
    assert "n=1" in lines[0]
    html = trace._repr_html_()
    assert "&lt;outer&gt;" in html
    assert html.count("<tr") == 3


def test_deep_trees_end_without_recursion() -> None:
    spans = [profiler.span("deep") for _ in range(50_000)]
    for span in spans:
        span.__enter__()
    for span in reversed(spans):
        span.__exit__(None, None, None)
    del spans, span
    profiler.clear()


def test_the_logger_tells_of_traces_when_asked(caplog: pytest.LogCaptureFixture) -> None:
    profiler.log_traces(logging.INFO)
    try:
        with caplog.at_level(logging.INFO, logger="Profiler"), profiler.span("logged"):
            pass
    finally:
        profiler.log_traces(None)
    assert [record.name for record in caplog.records] == ["Profiler"]
    assert caplog.messages[0].startswith("logged took ")


def test_memory_of_traces_is_given_back(python: pathlib.Path) -> None:
    """Spans that end out of turn, in generators, tasks and contexts, leave nothing behind."""
    code = """
import asyncio, contextvars, gc, resource
from sondage import profiler
def gen():
    with profiler.span("gen"):
        yield
def once():
    with profiler.span("a"):
        g = gen(); next(g)
        with profiler.span("b", args={"x": [1]}):
            for _ in g: pass
            contextvars.copy_context().run(profiler.span("left open").__enter__)
    async def main():
        @profiler.span("t")
        async def t(): await asyncio.sleep(0)
        with profiler.span("m"):
            await asyncio.gather(t(), t())
    asyncio.run(main())
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(700): once()
before = peak()
for _ in range(2000): once()
print(peak() - before)
"""
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1500, "kilobytes more after 2,000 more rounds"


def test_fork_goes_on_in_both(python: pathlib.Path) -> None:
    code = """
import os
from sondage import profiler
with profiler.span("before"):
    pid = os.fork()
    with profiler.span("child" if pid == 0 else "parent"):
        pass
os.write(1, profiler.traces[-1].root_span.children[0].name.encode() + b"\\n")
if pid == 0: os._exit(0)
os.waitpid(pid, 0)
"""
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == ["child", "parent"]
