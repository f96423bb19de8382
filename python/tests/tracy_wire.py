"""Tracy's own side of its protocol: what a profiler reads from a program that it connects to.

Version 82, as Tracy 0.14 speaks it. A program answers a greeting, then sends LZ4 blocks of events;
names go by address, and are asked for.
"""

from __future__ import annotations

import socket
import struct
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from tracy_events import KINDS

PROTOCOL = 82
WELCOME, MISMATCH = 1, 2
ON_DEMAND = 1

# How long the text behind an event is told, and what is to be added to it.
LENGTHS = {
    "SingleStringData": ("<H", 256),
    "SecondStringData": ("<H", 256),
    "SingleStringData8": ("<B", 0),
    "SecondStringData8": ("<B", 0),
    "FrameImageData": ("<I", 0),
    "SymbolCode": ("<I", 0),
    "SourceCode": ("<I", 0),
}
QUERY_STRING, QUERY_THREAD, QUERY_PLACE, QUERY_PLOT, QUERY_FRAME = 1, 2, 3, 4, 5
QUERY_FIBER, QUERY_DISCONNECT = 7, 9
# What answers a question with the pointer that was asked for.
ANSWERS = {"StringData", "ThreadName", "PlotName", "FrameName", "FiberName"}


@dataclass
class Place:
    """Where in the source a zone is."""

    name: str
    function: str
    file: str
    line: int
    colour: int = 0


@dataclass
class Zone:
    """A zone that began."""

    place: Place
    thread: int
    fiber: int
    depth: int
    begin: int
    end: int | None = None
    parent: Zone | None = None
    texts: list[str] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    own_name: str | None = None
    own_colour: int | None = None

    @property
    def label(self) -> str:
        """What Tracy shows: the zone's own name before its place's."""
        return self.own_name or self.place.name or self.place.function


@dataclass
class Seen:
    """What a program said, with names instead of numbers."""

    program: str
    zones: list[Zone]
    plots: dict[str, list[float]]
    frames: Counter[str]
    messages: list[tuple[str, int]]
    locks: dict[str, list[tuple[str, int]]]
    threads: dict[int, str]
    fibers: dict[int, str]
    memory: Counter[str]
    kinds: Counter[str]

    def named(self, label: str) -> list[Zone]:
        """Return the zones of a name."""
        return [zone for zone in self.zones if zone.label == label]

    def thread_of(self, zone: Zone) -> str:
        """Return the name of a zone's thread."""
        return self.threads[zone.thread]


def decompress(block: bytes, before: bytes) -> bytes:
    """Return what an LZ4 block holds that may refer to what came `before` it."""
    out = bytearray(before)
    at = 0

    def more(length: int) -> int:
        nonlocal at
        while length >= 15:
            byte = block[at]
            at += 1
            length += byte
            if byte != 255:
                break
        return length

    while at < len(block):
        token = block[at]
        at += 1
        literals = more(token >> 4)
        out += block[at : at + literals]
        at += literals
        if at >= len(block):
            break
        back = int.from_bytes(block[at : at + 2], "little")
        at += 2
        length = more(token & 15) + 4
        assert 0 < back <= len(out)
        start = len(out) - back
        for step in range(length):
            out.append(out[start + step])
    return bytes(out[len(before) :])


class Connection:
    """A profiler that is connected to a program."""

    def __init__(self, port: int, address: str = "127.0.0.1", protocol: int = PROTOCOL) -> None:
        self.socket = connect(address, port)
        self.socket.settimeout(30)
        self.socket.sendall(b"TracyPrf" + struct.pack("<I", protocol))
        self.status = self._take(1)[0]
        self.program = ""
        self.pid = 0
        if self.status == WELCOME:
            self._welcome()
        self.history = b""
        self.reader = Reader()

    def _welcome(self) -> None:
        layout = struct.Struct("<dqqQQQQqBB12sI64s1024s")
        fields = layout.unpack(self._take(layout.size))
        self.pid = fields[6]
        self.is_on_demand = bool(fields[8] & ON_DEMAND)
        self.program = fields[12].split(b"\0")[0].decode()
        if self.is_on_demand:
            self._take(16)

    def _take(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    def ask(self, what: int, pointer: int = 0) -> None:
        """Send a question, or a request to part."""
        self.socket.sendall(struct.pack("<BQI", what, pointer, 0))

    def read(self) -> None:
        """Read the next block of events."""
        (length,) = struct.unpack("<I", self._take(4))
        block = decompress(self._take(length), self.history)
        self.history = (self.history + block)[-65536:]
        self.reader.feed(block)

    def read_until(self, text: str) -> None:
        """Read until the program says `text`, and all that it said before, of any thread."""
        while not any(said == text for said, _ in self.reader.messages):
            self.read()
        # The program looks at its threads' queues in turn, and answers a question between.
        for _ in range(2):
            self._resolve()
            for _ in range(8):
                self._wait(QUERY_THREAD, next(iter(self.reader.used["thread"]), 1))

    def _wait(self, what: int, pointer: int) -> None:
        before = self.reader.answers
        self.ask(what, pointer)
        while self.reader.answers == before:
            self.read()

    def _resolve(self) -> None:
        reader = self.reader
        for pointer in reader.used["place"] - reader.places.keys():
            reader.asked_places.append(pointer)
            self._wait(QUERY_PLACE, pointer)
        questions = {
            "string": QUERY_STRING,
            "thread": QUERY_THREAD,
            "plot": QUERY_PLOT,
            "frame": QUERY_FRAME,
            "fiber": QUERY_FIBER,
        }
        for kind, question in questions.items():
            for pointer in reader.used[kind] - reader.names[kind].keys():
                self._wait(question, pointer)

    def seen(self, until: str = "the end") -> Seen:
        """Read until the program says this, and return all that it said."""
        self.read_until(until)
        return self.reader.seen(self.program)

    def read_to_the_end(self) -> None:
        """Read until the program is gone."""
        with suppress(EOFError, ConnectionError):
            while True:
                self.read()

    def close(self) -> None:
        """Part as a profiler does that has all it wants."""
        self.ask(QUERY_DISCONNECT)
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(address: str, port: int) -> socket.socket:
    """Connect to a program that is about to listen."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection((address, port), timeout=5)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _colour(data: bytes) -> int:
    """Return `0xRRGGBB` of blue, green and red."""
    return int.from_bytes(data, "little")


class Reader:
    """Turns blocks of events into what the program said. Fails on what Tracy would refuse."""

    def __init__(self) -> None:
        self.thread = 0
        self.fiber: dict[int, int] = {}
        self.time = 0
        self.text = ""
        self.kinds: Counter[str] = Counter()
        self.answers = 0
        self.asked_places: list[int] = []
        self.places: dict[int, tuple[int, int, int, int, int]] = {}
        kinds = ("string", "thread", "plot", "frame", "fiber")
        self.names: dict[str, dict[int, str]] = {kind: {} for kind in kinds}
        self.used: dict[str, set[int]] = {kind: set() for kind in (*kinds, "place")}
        self.payload: Place | None = None
        self.open: dict[tuple[int, int], list[int]] = {}
        self.zones: list[dict[str, Any]] = []
        self.plots: list[tuple[int, float]] = []
        self.frames: Counter[tuple[str, int]] = Counter()
        self.messages: list[tuple[str, int]] = []
        self.lock_places: dict[int, int] = {}
        self.lock_names: dict[int, str] = {}
        self.locks: list[tuple[int, str, int]] = []
        self.live: set[int] = set()
        self.memory: Counter[str] = Counter()

    def feed(self, block: bytes) -> None:
        """Read one block, which holds whole events."""
        at = 0
        while at < len(block):
            kind = KINDS[block[at]]
            values = kind.layout.unpack_from(block, at + 1)
            at += 1 + kind.layout.size
            fields = dict(zip(kind.fields, values, strict=False))
            data = b""
            if kind.name in LENGTHS or "pointer" in fields:
                layout, added = LENGTHS.get(kind.name, ("<H", 0))
                (length,) = struct.unpack_from(layout, block, at)
                at += struct.calcsize(layout)
                data = block[at : at + length + added]
                at += length + added
            self.kinds[kind.name] += 1
            self._event(kind.name, fields, data)
        assert at == len(block)

    def _event(self, name: str, fields: dict[str, Any], data: bytes) -> None:
        handler = getattr(self, f"_{name}", None)
        if name in ANSWERS:
            self._answer(name, fields["pointer"], data.decode())
        elif name in {"SingleStringData", "SingleStringData8"}:
            self.text = data.decode()
        elif name == "SourceLocationPayload":
            self._source_location_payload(data)
        elif handler is not None:
            handler(fields)
        elif name.startswith("ZoneBegin"):
            self._begin(name, fields)
        elif name.startswith("ZoneEnd"):
            self._end(name, fields)
        elif name.startswith("Plot") and "value" in fields:
            self.used["plot"].add(fields["name"])
            self.plots.append((fields["name"], fields["value"]))
            self.time += fields["time"]
        elif name.startswith("FrameMark"):
            if fields["name"]:  # 0 is the main frame
                self.used["frame"].add(fields["name"])
            self.frames[name.removeprefix("FrameMarkMsg"), fields["name"]] += 1
        elif name.startswith("Lock") and "time" in fields:
            if "thread" in fields:
                self.used["thread"].add(fields["thread"])
            self.locks.append((fields["lock"], name.removeprefix("Lock"), fields.get("thread", 0)))
        elif name.startswith("Mem") and "address" in fields:
            self._memory(name, fields)

    # The thread that events are of, until the next one is named.

    def _ThreadContext(self, fields: dict[str, Any]) -> None:  # noqa: N802
        self.thread = fields["thread"]
        self.used["thread"].add(self.thread)
        self.time = 0

    def _FiberEnter(self, fields: dict[str, Any]) -> None:  # noqa: N802
        self.time += fields["time"]
        self.used["fiber"].add(fields["fiber"])
        self.used["thread"].add(fields["thread"])
        self.fiber[fields["thread"]] = fields["fiber"]

    def _FiberLeave(self, fields: dict[str, Any]) -> None:  # noqa: N802
        self.time += fields["time"]
        assert self.fiber.pop(fields["thread"], 0), "a thread leaves a fiber that it is not in"

    # Zones

    def _stack(self) -> list[int]:
        fiber = self.fiber.get(self.thread, 0)
        return self.open.setdefault((0, fiber) if fiber else (self.thread, 0), [])

    def _step(self, name: str, time: int) -> int:
        # Far steps forwards are told less what the short kinds reach.
        reach = {"32": 1 << 16, "16": 0}.get(name[-2:], (1 << 16) + (1 << 32) if time >= 0 else 0)
        self.time += time + (0 if "Alloc" in name else reach)
        return self.time

    def _begin(self, name: str, fields: dict[str, Any]) -> None:
        stack = self._stack()
        payload, self.payload = self.payload, None
        if "place" in fields:
            self.used["place"].add(fields["place"])
        zone: dict[str, Any] = {
            "place": fields.get("place", payload),
            "thread": self.thread,
            "fiber": self.fiber.get(self.thread, 0),
            "depth": len(stack),
            "begin": self._step(name, fields["time"]),
            "parent": stack[-1] if stack else None,
            "texts": [],
            "values": [],
        }
        stack.append(len(self.zones))
        self.zones.append(zone)

    def _end(self, name: str, fields: dict[str, Any]) -> None:
        stack = self._stack()
        end = self._step(name, fields["time"])
        assert stack, "a zone ends that did not begin: Tracy gives up here"
        zone = self.zones[stack.pop()]
        zone["end"] = end
        assert end >= zone["begin"]

    def _zone(self) -> dict[str, Any]:
        stack = self._stack()
        assert stack, "something is said of a zone, and none is open: Tracy gives up here"
        return self.zones[stack[-1]]

    def _ZoneText(self, _: dict[str, Any]) -> None:  # noqa: N802
        self._zone()["texts"].append(self.text)

    def _ZoneName(self, _: dict[str, Any]) -> None:  # noqa: N802
        self._zone()["own_name"] = self.text

    def _ZoneValue(self, fields: dict[str, Any]) -> None:  # noqa: N802
        self._zone()["values"].append(fields["value"])

    def _ZoneColor(self, fields: dict[str, Any]) -> None:  # noqa: N802
        self._zone()["own_colour"] = _colour(fields["colour"])

    # Messages, locks, memory

    def _Message(self, fields: dict[str, Any]) -> None:  # noqa: N802
        # What Tracy says of itself has another source.
        if fields["meta"] & 15 == 0:
            self.messages.append((self.text, 0))

    def _MessageColor(self, fields: dict[str, Any]) -> None:  # noqa: N802
        self.messages.append((self.text, _colour(fields["colour"])))

    def _LockAnnounce(self, fields: dict[str, Any]) -> None:  # noqa: N802
        self.lock_places[fields["lock"]] = fields["place"]
        self.used["place"].add(fields["place"])

    def _LockName(self, fields: dict[str, Any]) -> None:  # noqa: N802
        self.lock_names[fields["lock"]] = self.text

    def _memory(self, name: str, fields: dict[str, Any]) -> None:
        if name.startswith("MemAlloc"):
            assert fields["address"] not in self.live, "memory is given twice: Tracy gives up here"
            self.live.add(fields["address"])
            self.memory["bytes"] += int.from_bytes(fields["bytes"], "little")
            self.memory["allocations"] += 1
        else:
            self.live.discard(fields["address"])
            self.memory["frees"] += 1

    # Names

    def _SourceLocation(self, fields: dict[str, Any]) -> None:  # noqa: N802
        pointers = (fields["name"], fields["function"], fields["file"])
        self.used["string"].update(pointer for pointer in pointers if pointer)
        place = (*pointers, fields["line"], _colour(fields["colour"]))
        self.places[self.asked_places.pop(0)] = place
        self.answers += 1

    def _source_location_payload(self, data: bytes) -> None:
        colour, line = _colour(data[:3]), int.from_bytes(data[4:8], "little")
        function, file, name = data[8:].split(b"\0", 2)
        self.payload = Place(name.decode(), function.decode(), file.decode(), line, colour)

    def _answer(self, name: str, pointer: int, text: str) -> None:
        kinds = {"StringData": "string", "ThreadName": "thread", "PlotName": "plot"}
        kind = kinds.get(name, "frame" if name == "FrameName" else "fiber")
        self.names[kind][pointer] = text
        self.answers += 1

    def _place(self, place: int | Place) -> Place:
        if isinstance(place, Place):
            return place
        name, function, file, line, colour = self.places[place]
        texts = self.names["string"]
        return Place(
            texts.get(name, ""), texts.get(function, ""), texts.get(file, ""), line, colour
        )

    def seen(self, program: str) -> Seen:
        """Put names to everything."""
        zones: list[Zone] = []
        for zone in self.zones:
            parent = zone.pop("parent")
            place = self._place(zone.pop("place"))
            zones.append(Zone(place, parent=None if parent is None else zones[parent], **zone))
        plots: dict[str, list[float]] = {}
        for name, value in self.plots:
            plots.setdefault(self.names["plot"][name], []).append(value)
        frames: Counter[str] = Counter()
        for (kind, name), count in self.frames.items():
            frames[kind + self.names["frame"].get(name, "")] += count
        locks: dict[str, list[tuple[str, int]]] = {}
        for lock, op, thread in self.locks:
            title = self.lock_names.get(lock) or self._place(self.lock_places[lock]).function
            locks.setdefault(title, []).append((op, thread))
        return Seen(
            program,
            zones,
            plots,
            frames,
            self.messages,
            locks,
            self.names["thread"],
            self.names["fiber"],
            self.memory,
            self.kinds,
        )
