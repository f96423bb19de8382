"""What the tests of the package share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sondage import CumulativeSpan, ProfilingSpan, profiler

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def python() -> Path:
    """Return the interpreter of the environment that the wheel is installed in."""
    return Path(sys.executable)


@pytest.fixture(scope="session")
def program(python: Path) -> Path:
    """Return the installed program, beside the interpreter."""
    return python.parent / "sondage"


def output(*command: str | Path) -> str:
    """Run a command that must succeed, and return what it printed."""
    done = subprocess.run(list(command), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tree(node: ProfilingSpan | CumulativeSpan) -> str:
    """Write a span's name, and in brackets those inside it."""
    if isinstance(node, CumulativeSpan) or not node.children:
        return node.name
    return f"{node.name}({' '.join(tree(child) for child in node.children)})"


@pytest.fixture
def clean() -> Iterator[None]:
    """Let a test begin and end without traces, and without a span that is open."""
    profiler.enabled = True
    profiler.clear()
    yield
    profiler.enabled = True
    profiler.clear()
    assert profiler.current_span() is None


def last() -> ProfilingSpan:
    """Return the root of the newest trace."""
    root = profiler.traces[-1].root_span
    assert isinstance(root, ProfilingSpan)
    return root
