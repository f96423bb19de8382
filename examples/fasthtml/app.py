"""A small book shop on the web that says what it does: a trace for each request.

`README.md` says how to record it and what to look for. Everything of sondage that is used here is
in docs/guide/python.md.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any

import uvicorn
from fasthtml.common import H2, Form, Li, Middleware, P, Titled, Ul, fast_app

from sondage import Lock, LogHandler, extract, message, monitor, plot, process_name, profiler

log = logging.getLogger("shop")


@dataclass
class Book:
    """What is sold."""

    number: int
    title: str
    text: str
    left: int = 1000


WORDS = "amber bridge copper dune ember fern glass harbour island juniper kite lantern".split()
random.seed(7)
BOOKS = [
    Book(number, " ".join(random.sample(WORDS, 3)), " ".join(random.choices(WORDS, k=600)))
    for number in range(60)
]
stock = Lock("stock")
searchers = ThreadPoolExecutor(2, thread_name_prefix="search")
orders: queue.Queue[tuple[Context, Book] | None] = queue.Queue()


def note(key: str, value: object) -> None:
    """Add a value to the span that this is called in; there is none while the profiler is off."""
    if span := profiler.current_span():
        span.set(key, value)


class Traced:
    """ASGI middleware: each request is a span, inside the one that its headers name, if any."""

    def __init__(self, app: Any, done: Callable[[], None]) -> None:
        self.app = app
        self.done = done

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request; let other events pass."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with extract({name.decode(): value.decode() for name, value in scope["headers"]}):
            await self.request(scope["method"], scope["path"], scope, receive, send)
        self.done()

    # The decorator, not `with`: so it is known when the span runs and when it waits.
    @profiler.span("request")
    async def request(self, method: str, path: str, *asgi: Any) -> None:  # noqa: ARG002
        """Answer a request. Method and path are arguments of the span."""
        await self.app(*asgi)


@profiler.span("query")
async def query(table: str, seconds: float) -> list[Book]:
    """Stand in for a database: it is waited for."""
    await asyncio.sleep(seconds)
    return BOOKS if table == "books" else BOOKS[::7]


@profiler.span("score")
def score(words: list[str]) -> list[Book]:
    """Find the books that have most of the words; it is computed."""
    found = [(sum(book.text.split().count(word) for word in words), book) for book in BOOKS]
    found.sort(key=lambda pair: -pair[0])
    return [book for _, book in found[:5]]


@profiler.span("page")
def page(title: str, books: list[Book], *more: Any) -> Any:
    """Make a page of books."""
    with monitor.component("render"):
        rows = [Li(book.title, P(book.text[:200]), P(f"{book.left} left")) for book in books]
        return Titled(title, Ul(*rows), *more)


@profiler.span("mail")
def mail(book: Book) -> None:
    """Tell the buyer; the stock is counted meanwhile, which makes others wait."""
    with stock:
        time.sleep(0.002)
        text = f"{book.title}: {book.left} left"
    seal = hashlib.pbkdf2_hmac("sha256", text.encode(), b"salt", 5000)
    note("seal", seal.hex()[:8])
    time.sleep(0.003)


def mail_all() -> None:
    """Send mails, one after the other, each inside the span of the request that asked for it."""
    while (order := orders.get()) is not None:
        context, book = order
        plot("mails waiting", orders.qsize())
        context.run(mail, book)


def make(done: Callable[[], None]) -> Any:
    """Make the app; `done` is called after each request."""
    app, route = fast_app(
        middleware=[Middleware(Traced, done=done)],
        secret_key="an example has no secrets",  # noqa: S106
        default_hdrs=False,
    )

    @route("/")
    async def shelf() -> Any:
        """Two queries at once, then the page."""
        books, offers = await asyncio.gather(query("books", 0.004), query("offers", 0.009))
        return page("Books", books, H2("Offers"), Ul(*(Li(book.title) for book in offers)))

    @route("/search")
    async def search(words: str) -> Any:
        """Compute in a thread; `copy_context` takes the current span there."""
        wanted = words.split()
        note("words", len(wanted))
        loop = asyncio.get_running_loop()
        books = await loop.run_in_executor(searchers, copy_context().run, score, wanted)
        return page(f"Books with {words}", books, Form(action="/search"))

    # No `async`: FastHTML calls it in a thread, and the current span goes with it.
    @route("/order/{number}", methods=["POST"])
    @profiler.span("order")
    def order(number: int) -> Any:
        """Take a book out of the stock; the mail is sent by another thread."""
        book = BOOKS[number % len(BOOKS)]
        with stock:
            book.left -= 1
        orders.put((copy_context(), book))
        plot("mails waiting", orders.qsize())
        log.info("%s is sold, %d left", book.title, book.left)
        return page("Thank you", [book])

    @route("/figures")
    def figures() -> Any:
        """Show what the program knows of itself."""
        made = monitor.component("render")
        return Titled("Figures", P(f"{made.count} pages, {made.avg:.2f} ms each"))

    return app


def main() -> None:
    """Serve until Ctrl-C, or until so many requests were answered."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--until", type=int, default=0, metavar="REQUESTS")
    options = parser.parse_args()

    process_name("shop")
    log.setLevel(logging.INFO)
    log.addHandler(LogHandler())
    answered = 0

    def done() -> None:
        nonlocal answered
        answered += 1
        if answered == options.until:
            server.should_exit = True

    # asyncio's own loop: uvloop, which FastHTML brings, has threads that would only be in the way.
    config = uvicorn.Config(make(done), port=options.port, log_level="warning", loop="asyncio")
    server = uvicorn.Server(config)
    mailer = threading.Thread(target=mail_all, name="mailer")
    mailer.start()
    message("the shop is open")
    server.run()
    orders.put(None)
    mailer.join()
    print(f"{answered} requests")


if __name__ == "__main__":
    main()
