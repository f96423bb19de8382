"""Customers of the book shop: asks `app.py` for pages, and says how many of each.

    python examples/fasthtml/load.py --requests 300

Of four requests two are for the shelf, one searches, one buys. Four customers come at once.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

PAGES = [
    ("GET", "/"),
    ("GET", "/search?words=amber+lantern+kite"),
    ("GET", "/"),
    ("POST", "/order/{number}"),
]


def wait_for(port: int, seconds: float = 30) -> None:
    """Wait until somebody listens."""
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def customer(port: int, numbers: range) -> Counter[str]:
    """Ask for pages, one after the other; return how many of each."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    asked: Counter[str] = Counter()
    for number in numbers:
        method, path = PAGES[number % len(PAGES)]
        connection.request(method, path.format(number=number))
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status} {body[:200].decode()}")
        asked[path.partition("?")[0]] += 1
    connection.close()
    return asked


def main() -> None:
    """Send the customers in."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--customers", type=int, default=4)
    options = parser.parse_args()
    wait_for(options.port)
    total: Counter[str] = Counter()
    ends = [options.requests * at // options.customers for at in range(options.customers + 1)]
    shares = [range(*share) for share in pairwise(ends)]
    with ThreadPoolExecutor(options.customers) as pool:
        for asked in pool.map(customer, [options.port] * len(shares), shares):
            total += asked
    print(json.dumps(total))


if __name__ == "__main__":
    main()
