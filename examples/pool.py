"""A pool of worker processes that draws the Mandelbrot set, tile by tile.

    sondage run examples/pool.py

The parent hands out tiles and collects them; the workers compute. Tiles near the set cost far more
than those outside, so the timeline shows workers that end early and wait. The parent is asleep
nearly all the time.
"""

from __future__ import annotations

import argparse
import multiprocessing

TILE = 40


def escape_time(point: complex, limit: int) -> int:
    """Count the steps until the point escapes, up to a limit."""
    z = 0j
    for step in range(limit):
        z = z * z + point
        if abs(z) > 2.0:
            return step
    return limit


def draw_tile(job: tuple[int, int, int, int]) -> tuple[int, int, list[int]]:
    """Compute one square tile of a picture `size` pixels wide."""
    left, top, size, limit = job
    pixels = [
        escape_time(complex(-2.2 + 3.0 * x / size, -1.5 + 3.0 * y / size), limit)
        for y in range(top, min(top + TILE, size))
        for x in range(left, min(left + TILE, size))
    ]
    return left, top, pixels


def main() -> None:
    """Draw the picture and say how much of it is inside."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=720, help="pixels in each direction")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--method", choices=["fork", "spawn", "forkserver"], default="spawn")
    options = parser.parse_args()
    limit = 160
    jobs = [
        (left, top, options.size, limit)
        for top in range(0, options.size, TILE)
        for left in range(0, options.size, TILE)
    ]
    context = multiprocessing.get_context(options.method)
    inside = 0
    with context.Pool(options.workers) as pool:
        for _left, _top, pixels in pool.imap_unordered(draw_tile, jobs):
            inside += sum(steps == limit for steps in pixels)
    print(
        f"{100 * inside / options.size**2:.1f} % of {options.size} x {options.size} pixels inside"
    )


if __name__ == "__main__":
    main()
