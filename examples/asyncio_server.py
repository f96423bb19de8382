"""An asyncio server and its clients in one process, for a few seconds.

    sondage run examples/asyncio_server.py

Named tasks do different things: `render` requests burn CPU in the event loop and so delay all
others, `lookup` requests wait for a slow store, `echo` requests do little. The flame graph must
show `render_page` as the cost; the tasks' names tell who asked for it.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import random

PORT = 0  # any free port


def render_page(rows: int) -> str:
    """Build an HTML table: pure CPU, no await."""
    cells = (f"<td>{html.escape(str(n * n))}</td><td>{n:x}</td>" for n in range(rows))
    return "<table>" + "".join(f"<tr>{cell}</tr>" for cell in cells) + "</table>"


async def lookup(key: str) -> str:
    """Ask a store that takes its time."""
    await asyncio.sleep(0.02)
    return key.upper()


async def answer(request: str) -> str:
    """Do what the request says."""
    kind, _, argument = request.partition(" ")
    match kind:
        case "render":
            return str(len(render_page(int(argument))))
        case "lookup":
            return await lookup(argument)
        case _:
            return argument


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one connection, line by line."""
    async for line in reader:
        writer.write((await answer(line.decode().strip()) + "\n").encode())
        await writer.drain()
    writer.close()


async def client(port: int, kind: str, until: float) -> int:
    """Send requests of one kind until the time is up; return how many were answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    loop, rng, answered = asyncio.get_running_loop(), random.Random(kind), 0
    while loop.time() < until:
        writer.write(f"{kind} {rng.randrange(200, 1_200)}\n".encode())
        await reader.readline()
        answered += 1
        await asyncio.sleep(0.001)
    writer.close()
    await writer.wait_closed()
    return answered


async def run(seconds: float) -> None:
    """Start the server and six clients."""
    server = await asyncio.start_server(serve, "127.0.0.1", PORT)
    port = server.sockets[0].getsockname()[1]
    until = asyncio.get_running_loop().time() + seconds
    kinds = ["render", "lookup", "lookup", "echo", "echo", "render"]
    tasks = [
        asyncio.create_task(client(port, kind, until), name=f"{kind}-client-{n}")
        for n, kind in enumerate(kinds)
    ]
    for kind, answered in zip(kinds, await asyncio.gather(*tasks), strict=True):
        print(f"{kind:8} {answered} answers")
    server.close()
    await server.wait_closed()


def main() -> None:
    """Run for a few seconds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3.0)
    asyncio.run(run(parser.parse_args().seconds))


if __name__ == "__main__":
    main()
