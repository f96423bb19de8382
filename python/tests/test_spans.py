"""Spans: what is recorded, and what is inside what, whatever runs them."""

from __future__ import annotations

import asyncio
import datetime
import inspect
import pathlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from conftest import last, tree

import sondage
from sondage import CumulativeSpan, ProfilingSpan, ProfilingTrace, profiler

pytestmark = pytest.mark.usefixtures("clean")


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
