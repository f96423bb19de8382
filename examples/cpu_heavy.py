"""A nightly batch: read orders, find duplicate customers, price options, write a summary.

    sondage run examples/cpu_heavy.py

About three seconds of pure Python on one thread, in four stages. The program times its stages
itself and prints their shares, so that a profile can be held against them. A good profile shows

- `find_duplicates`, the largest: nearly all of it in `edit_distance`, in the inner loop;
- `price_options`: split between `price_path` and the standard library's `random.gauss`;
- `summarise`: in `json`'s pure-Python encoder, which `indent` makes it use;
- `read_orders`: spread over the reading loop, `parse_amount` and `Order`.

`make_orders` comes before them and is not in the printed shares.
"""

from __future__ import annotations

import csv
import io
import json
import math
import random
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

T = TypeVar("T")

FIRST = (
    "Anna Bjorn Chloe David Elif Farid Greta Hugo Ines Jonas Karin Louis Maria Nils Olga".split()
)
LAST = (
    "Andersson Bernard Costa Dubois Eriksen Fischer Garcia Hansen Ivanova Jansen Kowalski".split()
)


@dataclass(frozen=True)
class Order:
    """One line of the order file."""

    number: int
    customer: str
    amount: Decimal


def make_orders(count: int, rng: random.Random) -> str:
    """Return an order file, with the typing mistakes that real ones have."""
    out = io.StringIO()
    writer = csv.writer(out)
    for number in range(count):
        name = f"{rng.choice(FIRST)} {rng.choice(LAST)}"
        if rng.random() < 0.2:
            at = rng.randrange(len(name))
            name = name[:at] + rng.choice("aeiou") + name[at + 1 :]
        writer.writerow([number, name, f"{rng.randrange(100, 100_000) / 100:,.2f}"])
    return out.getvalue()


def parse_amount(text: str) -> Decimal:
    """Read '1,234.50'."""
    return Decimal(text.replace(",", "")).quantize(Decimal("0.01"))


def read_orders(text: str) -> list[Order]:
    """Parse the order file."""
    return [
        Order(int(number), customer.strip().title(), parse_amount(amount))
        for number, customer, amount in csv.reader(io.StringIO(text))
    ]


def edit_distance(a: str, b: str) -> int:
    """Count the letters to change between two names (Levenshtein)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def find_duplicates(orders: list[Order]) -> list[tuple[str, str]]:
    """Pairs of customer names that differ by one letter."""
    names = sorted({order.customer for order in orders})[:300]
    return [
        (a, b)
        for at, a in enumerate(names)
        for b in names[at + 1 :]
        if abs(len(a) - len(b)) <= 1 and edit_distance(a, b) == 1
    ]


def price_path(spot: float, steps: int, rng: random.Random) -> float:
    """Follow one random price over a year, and return its average."""
    drift, volatility, dt = 0.03, 0.25, 1.0 / steps
    total = 0.0
    for _ in range(steps):
        move = rng.gauss(0.0, 1.0)
        spot *= math.exp((drift - volatility**2 / 2) * dt + volatility * math.sqrt(dt) * move)
        total += spot
    return total / steps


def price_options(paths: int, rng: random.Random) -> dict[int, float]:
    """Price Asian options at several strikes by Monte Carlo."""
    averages = [price_path(100.0, 52, rng) for _ in range(paths)]
    return {
        strike: sum(max(average - strike, 0.0) for average in averages) / paths
        for strike in range(80, 125, 5)
    }


def summarise(orders: list[Order], prices: dict[int, float]) -> str:
    """Totals by customer, largest first, as JSON."""
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for order in orders:
        totals[order.customer] += order.amount
    ranked = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    report = {
        "customers": [{"name": name, "total": str(total)} for name, total in ranked],
        "orders": [[order.number, order.customer, str(order.amount)] for order in orders],
        "prices": prices,
    }
    return json.dumps(report, indent=1, sort_keys=True)


def main() -> None:
    """Run the batch and print how long each stage took."""
    rng = random.Random(7)
    text = make_orders(150_000, rng)
    spent: dict[str, float] = {}

    def timed(stage: str, work: Callable[[], T]) -> T:
        began = time.perf_counter()
        result = work()
        spent[stage] = time.perf_counter() - began
        return result

    orders = timed("read_orders", lambda: read_orders(text))
    pairs = timed("find_duplicates", lambda: find_duplicates(orders))
    prices = timed("price_options", lambda: price_options(25_000, rng))
    summary = timed("summarise", lambda: summarise(orders, prices))

    whole = sum(spent.values())
    print(f"{len(orders)} orders, {len(pairs)} likely duplicates, {len(summary)} bytes of summary")
    for stage, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"{stage:16} {100 * seconds / whole:5.1f} %  {seconds:.2f} s")


if __name__ == "__main__":
    main()
