"""Spans: what is recorded, and what is inside what, whatever runs them."""

from __future__ import annotations

import asyncio
import contextvars
import datetime
import inspect
import logging
import pathlib
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import tree

import sondage
from sondage import CumulativeSpan, ProfilingSpan, ProfilingTrace, profiler


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    profiler.enabled = True
    profiler.clear()
    yield
    profiler.enabled = True
    profiler.clear()
    assert profiler.current_span() is None


def last() -> ProfilingSpan:
    root = profiler.traces[-1].root_span
    assert isinstance(root, ProfilingSpan)
    return root


def test_a_span_has_the_documented_fields() -> None:
    before = time.perf_counter()
    with profiler.span("outer", args={"size": 3}) as outer:
        time.sleep(0.002)
        with profiler.span("inner") as inner:
            inner.set("hits", 2.5)
    after = time.perf_counter()
    assert isinstance(outer, ProfilingSpan)
    assert isinstance(inner, ProfilingSpan)
    assert (outer.name, outer.data, outer.children) == ("outer", {"size": 3}, [inner])
    assert inner.data == {"hits": 2.5}
    assert before <= outer.start <= inner.start <= after
    assert 2.0 <= outer.duration_ms <= (after - before) * 1e3 + 0.01
    assert inner.duration_ms <= outer.duration_ms


def test_a_trace_has_the_documented_fields() -> None:
    before = time.time()
    with profiler.span("command", args={"user": "ann"}) as root:
        pass
    trace = profiler.traces[-1]
    assert isinstance(trace, ProfilingTrace)
    assert trace.command_name == "command"
    assert trace.kwargs == {"user": "ann"}
    assert len(trace.command_id) == 16
    assert int(trace.command_id, 16) != 0
    assert before - 0.01 <= trace.timestamp <= time.time() + 0.01
    assert trace.root_span is root
    assert trace.total_duration_ms == pytest.approx(root.duration_ms)


def test_current_span_is_found_from_anywhere_below() -> None:
    def deep() -> None:
        span = profiler.current_span()
        assert span is not None
        span.set("found", True)

    assert profiler.current_span() is None
    with profiler.span("outer"):
        deep()
    assert last().data == {"found": True}


def test_a_command_inside_a_command_is_its_child() -> None:
    @profiler.span("inner")
    def inner() -> None: ...

    @profiler.span("outer")
    def outer() -> None:
        inner()
        inner()

    outer()
    assert [tree(t.root_span) for t in profiler.traces] == ["outer(inner inner)"]


def test_the_newest_five_hundred_traces_are_kept() -> None:
    assert sondage.PROFILER_MAX_TRACES == 500
    for number in range(520):
        with profiler.span(f"t{number}"):
            pass
    names = [trace.command_name for trace in profiler.traces]
    assert names == [f"t{number}" for number in range(20, 520)]
    profiler.clear()
    assert profiler.traces == []


def test_switched_off_every_probe_is_a_no_op() -> None:
    counts: list[int] = []

    @profiler.span("decorated")
    def decorated() -> int:
        counts.append(1)
        return 7

    @profiler.cumulative_span("passes")
    def passes() -> int:
        return 8

    profiler.enabled = False
    assert profiler.enabled is False
    with profiler.span("a", args={"x": 1}) as span:
        assert not span
        assert span.set("key", 1) is span
        assert profiler.current_span() is None
    with profiler.cumulative_span("b"):
        pass
    assert (decorated(), passes(), counts) == (7, 8, [1])
    assert profiler.traces == []
    profiler.enabled = True
    assert decorated() == 7
    assert len(profiler.traces) == 1


def test_what_is_decorated_while_off_records_when_on() -> None:
    profiler.enabled = False

    @profiler.span("later")
    def later() -> None: ...

    profiler.enabled = True
    later()
    assert profiler.traces[-1].command_name == "later"


def test_what_is_decorated_while_off_keeps_its_arguments_and_kind() -> None:
    profiler.enabled = False

    @profiler.span("fixed", args={"kind": "batch"})
    def fixed() -> None: ...

    @profiler.cumulative_span("sum")
    def added() -> None: ...

    profiler.enabled = True
    fixed()
    added()
    added()
    first, second = profiler.traces
    assert first.kwargs == {"kind": "batch"}
    assert isinstance(second.root_span, CumulativeSpan)
    assert second.root_span.count == 2


def test_a_span_that_began_ends_when_it_is_switched_off_meanwhile() -> None:
    with profiler.span("a"):
        profiler.enabled = False
    profiler.enabled = True
    assert tree(last()) == "a"


def test_an_exception_goes_on_and_marks_the_span() -> None:
    with pytest.raises(KeyError, match="gone"), profiler.span("a") as span:
        raise KeyError("gone")
    assert isinstance(span, ProfilingSpan)
    assert span.failed
    assert span.data == {"error": "KeyError"}
    assert "FAILED" in str(span)


def test_a_span_may_be_used_without_with() -> None:
    span = profiler.span("by hand")
    assert span.__enter__() is span
    assert profiler.current_span() is span
    span.__exit__(None, None, None)
    assert tree(last()) == "by hand"


def test_exit_stacks_and_subclasses_of_context_managers_work() -> None:
    from contextlib import ExitStack

    with ExitStack() as stack:
        span = stack.enter_context(profiler.span("stacked"))
        assert profiler.current_span() is span
    assert tree(last()) == "stacked"
    assert type(span).__enter__ is not None


def test_a_span_entered_twice_is_one() -> None:
    span = profiler.span("again")
    with span, span:
        pass
    with span:
        assert profiler.current_span() is None
    assert [tree(t.root_span) for t in profiler.traces] == ["again"]


def test_wrong_uses_say_what_is_right() -> None:
    with pytest.raises(TypeError, match="name is a str"):
        profiler.span(3)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="no argument 'nmae'"):
        profiler.span(nmae="x")  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        ProfilingSpan()


# Arguments


class Loud:
    def __repr__(self) -> str:
        raise RuntimeError("nobody asked")

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("nobody asked")

    def __hash__(self) -> int:
        raise RuntimeError("nobody asked")


CAPTURED: list[tuple[object, object]] = [
    (3, 3),
    (True, True),
    (None, None),
    (2.5, 2.5),
    ("short", "short"),
    ("x" * 300, "x" * 200 + "…"),
    (1 << 80, "<int of more than 63 bits>"),
    (b"bytes", "<bytes of 5>"),
    ([1, "two", None], "[1, 'two', None]"),
    ((1,), "(1,)"),
    (list(range(100)), "[0, 1, 2, 3, 4, 5, 6, 7… 100 items]"),
    ({"a": 1, "password": "hush"}, "{'a': 1, 'password': ***}"),
    ({1, 2}, "<set of 2>"),
    ([[[[1]]]], "[[[[… 1 items]]]]"),
    (Loud(), "<Loud>"),
    ([Loud()], "[<Loud>]"),
    (datetime.date(2026, 11, 21), "2026-11-21"),
    (pathlib.PurePosixPath("/a/b"), "/a/b"),
    ("\ud800", "\ud800"),
]


@pytest.mark.parametrize(("value", "kept"), CAPTURED, ids=[str(at) for at in range(len(CAPTURED))])
def test_arguments_are_kept_bounded_and_without_running_code(value: object, kept: object) -> None:
    with profiler.span("a", args={"value": value}) as span:
        span.set("set", value)
    assert last().data["value"] == kept
    assert last().data["set"] == kept


def test_a_recursive_argument_ends() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with profiler.span("a", args={"x": endless}) as span:
        pass
    assert isinstance(span, ProfilingSpan)
    assert span.data["x"] == "[[[[… 1 items]]]]"


def test_arguments_are_captured_by_name_and_secrets_masked() -> None:
    class Service:
        @profiler.span("login")
        def login(self, user: str, password: str, *rest: int, api_token: str = "") -> str:
            return user

    assert Service().login("ann", "hush", 1, api_token="abc") == "ann"
    assert last().data == {"user": "ann", "password": "***", "api_token": "***"}


def test_what_is_masked_can_be_chosen() -> None:
    from sondage._profiler import _SECRETS

    profiler.mask("user")
    try:
        with profiler.span("a", args={"USER_name": "ann", "password": "x"}):
            pass
    finally:
        profiler.mask(*_SECRETS)
    assert last().data == {"USER_name": "***", "password": "x"}


def test_lazy_arguments_are_made_only_when_recorded() -> None:
    made: list[int] = []

    def arguments() -> dict[str, object]:
        made.append(1)
        return {"cost": "high"}

    profiler.enabled = False
    with profiler.span("a", args=arguments):
        pass
    assert made == []
    profiler.enabled = True
    with profiler.span("a", args=arguments):
        pass
    assert last().data == {"cost": "high"}


def test_arguments_that_fail_are_left_out() -> None:
    def fails() -> dict[str, object]:
        raise ValueError("no")

    with profiler.span("a", args=fails):
        pass
    assert last().data == {}


def test_nothing_of_the_program_is_kept_alive() -> None:
    import weakref

    class Big: ...

    big = Big()
    gone = weakref.ref(big)
    with profiler.span("a", args={"big": big}) as span:
        span.set("again", [big])
    del big
    assert gone() is None


# Cumulative spans


def test_a_cumulative_span_is_one_entry() -> None:
    with profiler.span("outer"):
        for _ in range(10):
            with profiler.cumulative_span("step"):
                time.sleep(0.0005)
        with profiler.span("other"):
            pass
    step, other = last().children
    assert isinstance(step, CumulativeSpan)
    assert isinstance(other, ProfilingSpan)
    assert (step.name, step.count) == ("step", 10)
    assert 0.5 <= step.min_ms <= step.avg_ms <= step.max_ms <= step.total_ms
    assert step.total_ms == pytest.approx(step.avg_ms * 10)
    assert "10 passes" in str(step)


def test_cumulative_spans_of_other_parents_are_others() -> None:
    @profiler.cumulative_span("row")
    def row(n: int) -> int:
        return n

    for _ in range(2):
        with profiler.span("outer"):
            assert [row(n) for n in range(3)] == [0, 1, 2]
    counts = [trace.root_span.children[0].count for trace in profiler.traces]  # type: ignore[union-attr]
    assert counts == [3, 3]


def test_a_cumulative_span_outside_of_all_spans_is_a_trace() -> None:
    for _ in range(5):
        with profiler.cumulative_span("alone"):
            pass
    (trace,) = profiler.traces
    assert isinstance(trace.root_span, CumulativeSpan)
    assert (trace.command_name, trace.root_span.count) == ("alone", 5)


def test_cumulative_spans_decorate_coroutines_and_generators() -> None:
    @profiler.cumulative_span("co")
    async def co() -> int:
        await asyncio.sleep(0)
        return 1

    @profiler.cumulative_span("gen")
    def gen() -> Iterator[int]:
        yield 1

    with profiler.span("outer"):
        assert asyncio.run(co()) == 1
        assert list(gen()) == [1]
    assert "gen" in tree(last())
    assert inspect.iscoroutinefunction(co)
    assert inspect.isgeneratorfunction(gen)


# Decorators


def test_decorated_functions_stay_what_they_were() -> None:
    @profiler.span("f")
    def f(a: int, *, b: int = 2) -> int:
        """Doc."""
        return a + b

    @profiler.span("g")
    async def g() -> None: ...

    @profiler.span("h")
    def h() -> Iterator[int]:
        yield 1

    @profiler.span("i")
    async def i() -> AsyncIterator[int]:
        yield 1

    assert f(1, b=5) == 6
    assert (f.__name__, f.__doc__) == ("f", "Doc.")
    assert list(inspect.signature(f).parameters) == ["a", "b"]
    assert inspect.iscoroutinefunction(g)
    assert inspect.isgeneratorfunction(h)
    assert inspect.isasyncgenfunction(i)


def test_without_a_name_it_is_the_functions_own() -> None:
    @profiler.span
    def plain() -> None: ...

    @profiler.span()
    def called() -> None: ...

    plain()
    called()
    names = [trace.command_name.rpartition(".")[2] for trace in profiler.traces]
    assert names == ["plain", "called"]


def test_a_decorators_own_arguments_are_kept_too() -> None:
    @profiler.span("f", args={"kind": "batch"})
    def f(n: int) -> int:
        return n

    assert f(3) == 3
    assert last().data == {"kind": "batch", "n": 3}


def test_a_coroutine_is_a_span_from_begin_to_end() -> None:
    @profiler.span("co")
    async def co(n: int) -> int:
        await asyncio.sleep(0.002)
        with profiler.span("inside"):
            return n

    assert asyncio.run(co(4)) == 4
    assert tree(last()) == "co(inside)"
    assert last().duration_ms >= 2.0
    assert last().data == {"n": 4}


def test_a_failing_coroutine_marks_its_span() -> None:
    @profiler.span("co")
    async def co() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(co())
    assert last().failed
    assert last().data == {"error": "ValueError"}


def test_a_generators_consumer_is_not_inside_it() -> None:
    @profiler.span("gen")
    def gen(n: int) -> Iterator[int]:
        for number in range(n):
            with profiler.span("item"):
                yield number

    with profiler.span("outer"):
        for _ in gen(2):
            with profiler.span("use"):
                pass
    assert tree(last()) == "outer(gen(item item) use use)"


def test_a_generator_that_is_given_up_ends() -> None:
    @profiler.span("gen")
    def gen() -> Iterator[int]:
        yield 1
        yield 2

    with profiler.span("outer"):
        numbers = gen()
        assert next(numbers) == 1
        del numbers
        with profiler.span("after"):
            pass
    assert tree(last()) == "outer(gen after)"
    child = last().children[0]
    assert isinstance(child, ProfilingSpan)
    assert not child.failed


def test_generators_send_throw_and_return() -> None:
    @profiler.span("gen")
    def gen() -> Any:
        got = yield "first"
        try:
            yield got
        except LookupError:
            yield "caught"
        return "result"

    numbers = gen()
    assert next(numbers) == "first"
    assert numbers.send("sent") == "sent"
    assert numbers.throw(LookupError()) == "caught"
    with pytest.raises(StopIteration) as end:
        next(numbers)
    assert end.value.value == "result"
    assert tree(last()) == "gen"
    assert not last().failed


def test_interleaved_generators_do_not_mix() -> None:
    @profiler.span("gen")
    def gen(name: str) -> Iterator[None]:
        for number in range(2):
            with profiler.span(f"{name}{number}"):
                yield

    with profiler.span("outer"):
        for _ in zip(gen("a"), gen("b"), strict=True):
            pass
    assert tree(last()) == "outer(gen(a0 a1) gen(b0 b1))"


def test_with_inside_a_plain_generator_ends_out_of_turn() -> None:
    def plain() -> Iterator[int]:
        with profiler.span("inside"):
            yield 1

    with profiler.span("outer"):
        numbers = plain()
        next(numbers)
        with profiler.span("between"):
            assert next(numbers, None) is None
            with profiler.span("deep"):
                pass
        with profiler.span("after"):
            pass
    # As ContextVar has it: what begins while the generator is open is inside it.
    assert tree(last()) == "outer(inside(between(deep)) after)"


def test_asynchronous_generators() -> None:
    @profiler.span("agen")
    async def agen(n: int) -> AsyncIterator[int]:
        for number in range(n):
            await asyncio.sleep(0)
            with profiler.span("item"):
                yield number

    async def main() -> list[int]:
        with profiler.span("outer"):
            seen = []
            async for number in agen(3):
                with profiler.span("use"):
                    await asyncio.sleep(0)
                seen.append(number)
            return seen

    assert asyncio.run(main()) == [0, 1, 2]
    assert tree(last()) == "outer(agen(item item item) use use use)"


def test_an_asynchronous_generator_that_is_closed_and_thrown_into() -> None:
    log: list[str] = []

    @profiler.span("agen")
    async def agen() -> Any:
        try:
            yield 1
        except LookupError:
            log.append("caught")
            yield 2
        finally:
            log.append("closed")

    async def main() -> None:
        numbers = agen()
        assert await numbers.__anext__() == 1
        assert await numbers.athrow(LookupError()) == 2
        await numbers.aclose()
        with profiler.span("after"):
            pass

    asyncio.run(main())
    assert log == ["caught", "closed"]
    assert sorted(tree(t.root_span) for t in profiler.traces) == ["after", "agen"]


def test_off_generators_are_driven_all_the_same() -> None:
    @profiler.span("agen")
    async def agen() -> AsyncIterator[int]:
        yield 1
        yield 2

    @profiler.span("gen")
    def gen() -> Iterator[int]:
        yield 1

    async def main() -> list[int]:
        return [number async for number in agen()]

    profiler.enabled = False
    assert asyncio.run(main()) == [1, 2]
    assert list(gen()) == [1]
    assert profiler.traces == []


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
