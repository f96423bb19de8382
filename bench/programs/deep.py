"""deep.py DEPTH: small calls at the end of a stack that is DEPTH functions deep."""

import sys


def descend(n):
    if n > 0:
        return descend(n - 1)
    while True:
        work(50)


def work(n):
    total = 0
    for i in range(n):
        total += leaf(i)
    return total


def leaf(i):
    return i * i


sys.setrecursionlimit(10_000)
descend(int(sys.argv[1]) - 4)  # the module, the last descend, work and leaf count too
