"""tasks.py churn | shares SECONDS: asyncio programs that tell by their functions which task runs.

In a stack, the innermost function whose name begins with `in_` is called like the task that runs it,
up to the first `__`. No other function is called so. Outside of tasks there is none.

churn: for ever, tasks that live some microseconds each and are made of the memory of the one before,
in two event loops in two threads; in the second, tasks start inside of the step that makes them
(eager, 3.12 and later; such a task is called Task-N until it waits for the first time).

shares: in two loops in two threads, tasks that compute for a known part of the time by the thread's
CPU clock: see SHARES. Prints `ready` when all tasks are there.
"""

import asyncio
import collections
import sys
import threading
import time

# By loop: the name of a task, the coroutine function it is made of, and the milliseconds that it computes
# in its turn.
SHARES = {
    "in_first": {"in_alpha": ("plain", 2.0), "in_beta": ("nested", 1.0), "in_gamma": ("grouped", 4.0)},
    "in_second": {"in_delta": ("plain", 2.5), "in_epsilon": ("nested", 1.0)},
}
# The first loop computes in a callback, too, outside of all tasks; the second in its main task.
CALLBACK, MAIN = 0.5, 0.5


def leaf(name):
    space = {}
    exec(f"def {name}(n):\n    for _ in range(n):\n        pass\n", space)
    return space[name]


# --- churn


class Wrapped:
    """An awaitable written in Python, which drives a coroutine by hand."""

    def __init__(self, coroutine):
        self.coroutine = coroutine

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        return self.send(None)

    def send(self, value):
        return self.coroutine.send(value)


async def awaits(function, n):
    function(n)
    await asyncio.sleep(0)
    function(n)


async def wraps(function, n):
    await Wrapped(awaits(function, n))


async def generates(function, n):
    async def each():
        function(n)
        yield n
        await asyncio.sleep(0)
        function(n)

    async for _ in each():
        sum(function(n) or n for _ in range(2))


async def churn(prefix):
    main = leaf("in_main")
    leaves = [leaf(f"in_{prefix}{number}") for number in range(6)]
    bodies = [awaits, wraps, generates]
    asyncio.current_task().set_name("in_main")
    while True:
        for n in (10, 300, 3000):
            for body in bodies:
                for function in leaves:
                    await asyncio.create_task(body(function, n), name=function.__name__)
                    main(n)
                await asyncio.gather(
                    *(asyncio.create_task(body(function, n), name=function.__name__) for function in leaves)
                )


async def eager_churn():
    if sys.version_info >= (3, 12):
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    await churn("eager")


# --- shares


spent = collections.Counter()


def spin(name, seconds):
    start = now = time.thread_time()
    while now - start < seconds:
        now = time.thread_time()
    spent[name] += now - start


def named_spin(name):
    space = {"spin": spin}
    exec(f"def {name}(seconds):\n    spin({name!r}, seconds)\n", space)
    return space[name]


async def plain(function, turn):
    while True:
        function(turn)
        await asyncio.sleep(0)


async def inner(function, turn):
    function(turn)
    await asyncio.sleep(0)


async def nested(function, turn):
    async def middle():
        await inner(function, turn)

    while True:
        await middle()


async def grouped(function, turn):
    while True:
        async with asyncio.TaskGroup() as group:
            group.create_task(inner(function, turn), name=asyncio.current_task().get_name())


async def share(which, seconds, ready):
    loop = asyncio.get_running_loop()
    tasks = []
    for name, (kind, milliseconds) in SHARES[which].items():
        coroutine = globals()[kind](named_spin(name), milliseconds / 1e3)
        tasks.append(asyncio.create_task(coroutine, name=name))
    if which == "in_first":

        def callback():
            spin("callback", CALLBACK / 1e3)
            loop.call_soon(callback)

        loop.call_soon(callback)
    ready.wait()
    end = time.monotonic() + seconds
    main = named_spin(which)
    asyncio.current_task().set_name(which)
    while time.monotonic() < end:
        if which == "in_second":
            main(MAIN / 1e3)
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    if sys.argv[1] == "churn":
        threading.Thread(target=lambda: asyncio.run(eager_churn()), daemon=True).start()
        print("ready", flush=True)
        asyncio.run(churn("task"))
    else:
        barrier = threading.Barrier(2)
        seconds = float(sys.argv[2])
        second = threading.Thread(target=lambda: asyncio.run(share("in_second", seconds, barrier)), name="second")
        second.start()
        asyncio.run(share("in_first", seconds, barrier))
        second.join()
        for name, time_spent in spent.items():
            print(name, time_spent)
