"""What the tests of the package share."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


@contextmanager
def view(program: Path, recording: Path) -> Iterator[Callable[[str], Any]]:
    """Serve a recording; what is given answers questions of docs/api.md."""
    command = [str(program), "view", "--no-open", str(recording)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        url = server.stdout.readline().strip()

        def get(question: str) -> Any:
            with urllib.request.urlopen(f"{url}api/{question}") as answer:  # noqa: S310
                return json.load(answer)

        yield get
    finally:
        server.terminate()
        server.communicate()


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
