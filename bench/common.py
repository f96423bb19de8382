"""What the benchmark scripts share: the machine's description, interpreters, targets, tables."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sondage"
SID = CACHE / "sid"
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")


def machine() -> str:
    """Say on what the figures were measured."""
    cpu = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    cores = len(os.sched_getaffinity(0))
    kernel = platform.release()
    return f"{date.today():%Y-%m-%d}, {cores} cores of {cpu}, Linux {kernel}, virtual machine"


@dataclass(frozen=True)
class Interpreter:
    """A CPython that can be started, with the command that starts it."""

    version: str
    command: tuple[str, ...]
    # Where its root directory is; "/" unless it lives in a folder of its own.
    root: Path = Path("/")

    def visible(self, path: Path) -> Path:
        """Copy a file to where this interpreter sees it, and return the path it has there."""
        if self.root == Path("/"):
            return path
        shutil.copy(path, self.root / "tmp" / path.name)
        return Path("/tmp") / path.name


def interpreter(version: str) -> Interpreter:
    """Find CPython 3.x: of pyenv, of the system, or of Debian sid's folder."""
    pyenv = sorted((Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python3"))
    if pyenv:
        return Interpreter(version, (str(pyenv[-1]),))
    if (SID / f"usr/bin/python{version}").exists():
        mount_proc()
        return Interpreter(version, ("chroot", str(SID), f"/usr/bin/python{version}"), SID)
    if system := shutil.which(f"python{version}"):
        return Interpreter(version, (system,))
    sys.exit(f"no CPython {version} here\nhint: scripts/sid.sh unpacks 3.13 to 3.15")


def mount_proc() -> None:
    """Let programs in Debian sid's folder see /proc."""
    if not (SID / "proc/self").exists():
        subprocess.run(["mount", "--bind", "/proc", str(SID / "proc")], check=True)


@contextlib.contextmanager
def running(python: Interpreter, program: Path, *arguments: str) -> Iterator[int]:
    """Start a program, let it warm up, yield its process id, end it."""
    command = [*python.command, str(python.visible(program)), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.7)
        if process.poll() is not None:
            sys.exit(f"{' '.join(command)} ended with status {process.returncode}")
        yield process.pid
    finally:
        process.kill()
        process.wait()


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def spread(values: Sequence[float], form: str = ",.0f") -> str:
    """Write the median, with the smallest and the largest beside it."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:{form}} ({low:{form}} … {high:{form}})"
