"""Checkpoints: the lines they print, and when."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest

from sondage import ProfilingSpan, checkpoint, profiler
from sondage.checkpoint import Profiler, pg_profile_enabled


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    out = io.StringIO()
    monkeypatch.setattr(checkpoint, "output", out)
    profiler.clear()
    yield out
    pg_profile_enabled(True)
    profiler.clear()


def lines(out: io.StringIO) -> list[str]:
    """Write the report without its times."""
    return [re.sub(r"\d+\.\d+", "T", line) for line in out.getvalue().splitlines()]


def test_the_report_of_a_function_comes_at_its_end(printed: io.StringIO) -> None:
    def load() -> None:
        at = Profiler(msg="load")
        at("read")
        at("parsed")
        assert printed.getvalue() == ""

    load()
    assert lines(printed) == [
        "> Entering load",
        "  read: T, tot:T",
        "  parsed: T, tot:T",
        "< Exiting load, total time: T ms",
    ]


def test_times_are_since_the_last_and_since_the_begin(printed: io.StringIO) -> None:
    with Profiler(msg="m") as at:
        at("a")
        at("b")
    pairs = re.findall(r": (\d+\.\d+), tot:(\d+\.\d+)", printed.getvalue())
    (a, a_total), (b, b_total) = [(float(x), float(y)) for x, y in pairs]
    assert a == a_total
    assert b_total == pytest.approx(a + b, abs=0.0021)
    found = re.search(r"total time: (\d+\.\d+) ms", printed.getvalue())
    assert found
    assert float(found[1]) >= b_total


def test_blocks_inside_blocks_are_indented(printed: io.StringIO) -> None:
    with Profiler("outer") as outer:
        outer("one")
        with Profiler("inner") as inner:
            inner("two")
        outer("three")
    assert lines(printed) == [
        "> Entering outer",
        "  one: T, tot:T",
        "  > Entering inner",
        "    two: T, tot:T",
        "  < Exiting inner, total time: T ms",
        "  three: T, tot:T",
        "< Exiting outer, total time: T ms",
    ]


def test_an_exception_prints_too(printed: io.StringIO) -> None:
    def fails() -> None:
        at = Profiler("fails")
        at("before")
        raise KeyError

    with pytest.raises(KeyError):
        fails()
    with pytest.raises(KeyError), Profiler("block"):
        raise KeyError
    text = printed.getvalue()
    assert "< Exiting fails" in text
    assert "< Exiting block" in text


def test_made_without_arguments_it_is_on_and_named_by_its_place(printed: io.StringIO) -> None:
    at = Profiler()
    assert at.is_on
    at("x")
    at.finish()
    at.finish()
    name = test_made_without_arguments_it_is_on_and_named_by_its_place.__name__
    assert lines(printed)[0].startswith(f"> Entering {name}:")
    assert len(lines(printed)) == 3


def test_disabled_and_switched_off_print_nothing(printed: io.StringIO) -> None:
    with Profiler("a", disabled=True) as at:
        at("x")
    assert pg_profile_enabled()
    assert not pg_profile_enabled(False)
    with Profiler("b", disabled=not pg_profile_enabled()) as at:
        at("x")
    with Profiler("c") as at:
        at("x")
    assert printed.getvalue() == ""
    assert pg_profile_enabled(True)
    with Profiler("d"):
        pass
    assert lines(printed)[0] == "> Entering d"


def test_thresholds(printed: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    with Profiler("own", ms_threshold=1e6):
        pass
    monkeypatch.setattr(checkpoint, "ms_slower_then", 1e6)
    with Profiler("global"):
        pass
    assert printed.getvalue() == ""
    with Profiler("own goes first", ms_threshold=0.0):
        pass
    with Profiler("fast"), Profiler("slow inside", ms_threshold=0.0):
        pass
    entered = [line.strip() for line in lines(printed) if "Entering" in line]
    assert entered == ["> Entering own goes first", "> Entering slow inside"]


def test_labels_are_formatted_only_when_printed(printed: io.StringIO) -> None:
    made: list[int] = []

    def label() -> str:
        made.append(1)
        return "made"

    with Profiler("quiet", ms_threshold=1e6) as at:
        at(label)
    assert made == []
    with Profiler("loud") as at:
        at(label)
        at("%d rows of %s", 3, "x")
        at("%d rows", "wrong")
    assert made == [1]
    found = lines(printed)
    assert found[1:3] == ["  made: T, tot:T", "  3 rows of x: T, tot:T"]
    assert "TypeError" in found[3]


def test_it_is_a_span_too(printed: io.StringIO) -> None:
    with profiler.span("command"):
        with Profiler("block") as at:
            at("read")
            with profiler.span("deep"):
                pass
        assert printed.getvalue()
    root = profiler.traces[-1].root_span
    assert isinstance(root, ProfilingSpan)
    (block,) = root.children
    assert isinstance(block, ProfilingSpan)
    assert block.name == "block"
    assert list(block.data) == ["read"]
    assert [child.name for child in block.children] == ["deep"]


def test_switches_of_the_profiler_do_not_break_the_report(printed: io.StringIO) -> None:
    profiler.enabled = False
    try:
        with Profiler("off") as at:
            at("x")
    finally:
        profiler.enabled = True
    assert lines(printed)[1] == "  x: T, tot:T"
