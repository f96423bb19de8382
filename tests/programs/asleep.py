"""Stands still in a stack of every kind of frame, and says when it is there.

Innermost first the stack is: pause (or inside it, C), in_coroutine, Étage.méthode, <lambda>,
generator, by_sort, outer.<locals>.inner, outer, <module>. A surrogate name and a name of four-byte
characters are made by exec. Threads: MainThread, "second thread", "третий".
"""

import sys
import threading
import time


def pause():
    print("ready", flush=True)
    while True:
        time.sleep(1000)


async def in_coroutine():
    pause()


class Étage:
    def méthode(self):
        coroutine = in_coroutine()
        coroutine.send(None)


def generator():
    yield (lambda: Étage().méthode())()


def by_sort(key):
    for _ in generator():
        pass


SPACE = {"by_sort": by_sort}
exec(compile("def \U0001d4ea_four(key):\n    return by_sort(key)\n", "<four>", "exec"), SPACE)
four = SPACE[next(name for name in SPACE if name.endswith("_four"))]
four.__code__ = four.__code__.replace(co_name="\U0001f40d", co_qualname="\U0001f40d")
lone = (lambda key: four(key))
lone.__code__ = lone.__code__.replace(co_name="lone\udc80", co_qualname="lone\udc80")


def outer():
    def inner():
        sorted([1], key=lone)

    inner()


def waits():
    threading.Event().wait()


if __name__ == "__main__":
    threading.Thread(target=waits, name="second thread", daemon=True).start()
    threading.Thread(target=waits, name="третий", daemon=True).start()
    outer()
