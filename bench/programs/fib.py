"""Calls and returns, nothing else: the hardest program to read from outside."""


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


while True:
    fib(25)
