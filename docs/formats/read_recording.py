"""A second reader of .sondage files, to go with recording.md: python read_recording.py FILE

Needs pyarrow. Reads chunk after chunk, as one does when there is no footer, and prints each table's
rows and bytes and the samples' totals. `tables(path)` gives the tables themselves.
"""

import json
import struct
import sys
import zlib

import pyarrow as pa

TABLES = {1: "info", 2: "strings", 3: "files", 4: "functions", 5: "frames", 6: "stacks", 7: "processes",
          8: "threads", 9: "tasks", 10: "modules", 11: "samples", 12: "counter_series", 13: "counters",
          14: "messages", 15: "losses", 16: "clock", 17: "source_texts", 18: "summaries", 19: "tiles",
          20: "index", 21: "sites", 22: "locks", 32: "zones", 34: "waits", 36: "frame_marks", 37: "logs",
          38: "zone_details", 39: "zone_summaries", 40: "zone_tiles"}
HEADER = struct.Struct("<4sHBB6I5Q4xI")
END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


def chunks(data):
    """Each chunk: table name, kind (0 rows, 1 schema), flags, time base, the Arrow message, stored length."""
    magic, version, _flags, crc = struct.unpack_from("<8sHHI", data)
    assert magic == b"\x89SONDAGE" and version in (1, 2) and zlib.crc32(data[:12]) == crc, "not a recording of version 1 or 2"
    at = 16
    while data[at : at + 4] == b"\xf5SCK":
        (_, table, kind, flags, length, raw_length, _rows, payload_crc, _sequence, _block,
         _first, _last, detail, _count, _threads, header_crc) = HEADER.unpack_from(data, at)
        assert zlib.crc32(data[at : at + 76]) == header_crc, f"damaged header at byte {at}"
        payload = data[at + 80 : at + 80 + length]
        if len(payload) < length or zlib.crc32(payload) != payload_crc:
            break  # A torn tail: what comes before it is complete.
        if flags & 1:
            payload = pa.Codec("zstd").decompress(payload, decompressed_size=raw_length, asbytes=True)
        yield TABLES.get(table), kind, flags, detail, payload, 80 + length
        at += 80 + length


def without_planes(table):
    """The table with its numbers put together from planes: all lowest bytes, all next ones, and so on."""
    columns, rows = [], table.num_rows
    for column in table.combine_chunks().columns:
        if pa.types.is_primitive(column.type) and rows:
            planes, width = column.chunk(0).buffers()[1].to_pybytes(), column.type.bit_width // 8
            plain = bytearray(rows * width)
            for number in range(width):
                plain[number::width] = planes[number * rows : (number + 1) * rows]
            column = pa.Array.from_buffers(column.type, rows, [None, pa.py_buffer(plain)])
        columns.append(column)
    return pa.table(columns, names=table.column_names)


def times_and_weights(table, base, relative):
    """The times and weights of a chunk of samples: sums of steps, and differences to what is expected."""
    time, last = base, {}
    rows = zip(*(table[name].to_pylist() for name in ("time_step", "weight_extra", "thread")))
    for step, extra, thread in rows:
        time = (time + step) % 2**64
        slot = thread % 4096
        expected = max(0, time - last[slot]) if relative and slot in last else 0
        last[slot] = time
        yield time, (expected + extra) % 2**64


def tables(path):
    """The tables of a recording by name; samples with columns `time` and `weight`."""
    with open(path, "rb") as file:
        data = file.read()
    schemas, batches, sizes = {}, {}, {}
    for name, kind, flags, detail, message, stored in chunks(data):
        if name is None:
            continue  # A table of a later version.
        sizes[name] = sizes.get(name, 0) + stored
        if kind == 1:
            schemas[name] = message
            continue
        batch = pa.ipc.open_stream(schemas[name] + message + END_OF_STREAM).read_all()
        if flags & 4:
            batch = without_planes(batch)
        if name == "samples":
            times, weights = zip(*times_and_weights(batch, detail, flags & 2))
            batch = batch.drop_columns(["time_step", "weight_extra"])
            batch = batch.append_column("time", pa.array(times, pa.uint64()))
            batch = batch.append_column("weight", pa.array(weights, pa.uint64()))
        batches.setdefault(name, []).append(batch)
    return {name: pa.concat_tables(parts) for name, parts in batches.items()}, sizes


if __name__ == "__main__":
    found, stored = tables(sys.argv[1])
    samples = found.get("samples")
    print(json.dumps({
        "tables": {name: {"rows": table.num_rows, "bytes": stored[name]} for name, table in sorted(found.items())},
        "weight": sum(samples["weight"].to_pylist()) if samples else 0,
        "count": sum(samples["count"].to_pylist()) if samples else 0,
    }, indent=1))
