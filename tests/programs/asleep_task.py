"""Stands still inside of asyncio tasks in two loops in two threads, and says when it is there.

The main thread is in the task "étape 1", made by a group in main(): innermost first its coroutines are
stand and second_step. The thread "other loop" is in the task that asyncio.run made, of other_main().
"""

import asyncio
import threading
import time

there = threading.Event()


def pause(tell):
    tell()
    while True:
        time.sleep(1000)


async def stand():
    pause(lambda: print("ready", flush=True))


async def second_step():
    await stand()


async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(second_step(), name="étape 1")


async def other_main():
    pause(there.set)


if __name__ == "__main__":
    other = threading.Thread(target=lambda: asyncio.run(other_main()), name="other loop", daemon=True)
    other.start()
    there.wait()
    asyncio.run(main())
