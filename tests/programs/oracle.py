"""A program whose possible stacks are known.

    oracle.py LAW [SCENARIO...]

Writes its law (see crates/inspect/tests/oracle/mod.rs) to the file LAW, then runs the scenarios for
ever, one after the other. The law comes from this very source: a comment `#> a, b` on a line says
that this line of the enclosing function may call a and b (and nothing else of this file); `#< root`
on a `def` line says that foreign code (a library, the interpreter) may call it.

Every pair of alternating chains has its own function at each depth, so that a stack mixed from two
moments holds a call that does not exist.
"""

import ast
import asyncio
import functools
import os
import re
import sys
import threading
import time

EXEC_KINDS = 35
EXEC_LEAVES = 7


# --- alternating chains of equal depth and equal frame size -------------------------------------
def chains(turns):
    for _ in range(turns):
        a_one(1)  #> a_one
        b_one(1)  #> b_one
        c_one(1)  #> c_one


def a_one(x):
    return a_two(x)  #> a_two


def a_two(x):
    return a_three(x)  #> a_three


def a_three(x):
    return a_four(x)  #> a_four


def a_four(x):
    return x


def b_one(x):
    return b_two(x)  #> b_two


def b_two(x):
    return b_three(x)  #> b_three


def b_three(x):
    return b_four(x)  #> b_four


def b_four(x):
    return x


def c_one(x):
    y = x + 1
    z = y * 2
    return c_two(y + z)  #> c_two


def c_two(x):
    y = x - 1
    z = c_three(y) + x  #> c_three
    return z


def c_three(x):
    y = 0
    while y < 3:
        y += 1
    return y


# --- one caller, two call sites ------------------------------------------------------------------
def sites(turns):
    for _ in range(turns):
        site_left(1)  #> site_left
        site_right(2)  #> site_right
        site_left(3)  #> site_left


def site_left(x):
    left_leaf(x)  #> left_leaf
    other_left_leaf(x)  #> other_left_leaf


def site_right(x):
    right_leaf(x)  #> right_leaf
    other_right_leaf(x)  #> other_right_leaf


def left_leaf(x):
    return x


def other_left_leaf(x):
    return x


def right_leaf(x):
    return x


def other_right_leaf(x):
    return x


# --- recursion -----------------------------------------------------------------------------------
def recursion(turns):
    for _ in range(max(1, turns // 100)):
        even(300)  #> even
        fib(9)  #> fib


def even(n):
    if n == 0:
        return fib(4)  #> fib
    return odd(n - 1)  #> odd


def odd(n):
    if n == 0:
        return 1
    return even(n - 1)  #> even


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)  #> fib


def deep(turns):
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20000)
    deeper(5000)  #> deeper
    sys.setrecursionlimit(limit)


def deeper(n):
    if n:
        return deeper(n - 1)  #> deeper
    return at_the_bottom()  #> at_the_bottom


def at_the_bottom():
    for _ in range(2000):
        fib(3)  #> fib


# --- generators ----------------------------------------------------------------------------------
def generators(turns):
    for _ in range(turns // 4):
        uses_one(3)  #> uses_one
        uses_two(3)  #> uses_two
        uses_nested(2)  #> uses_nested


def uses_one(n):
    for _ in gen_one(n):  #> gen_one
        pass


def uses_two(n):
    for _ in gen_two(n):  #> gen_two
        pass


def gen_one(n):
    for i in range(n):
        gen_one_leaf(i)  #> gen_one_leaf
        yield i


def gen_two(n):
    for i in range(n):
        gen_two_leaf(i)  #> gen_two_leaf
        yield i


def gen_one_leaf(x):
    return x


def gen_two_leaf(x):
    return x


def uses_nested(n):
    for _ in outer_gen(n):  #> outer_gen
        nested_leaf()  #> nested_leaf


def outer_gen(n):
    yield from inner_gen(n)  #> inner_gen
    yield from inner_gen_two(n)  #> inner_gen_two


def inner_gen(n):
    for i in range(n):
        yield i


def inner_gen_two(n):
    for i in range(n):
        gen_two_leaf(i)  #> gen_two_leaf
        yield i


def nested_leaf():
    return 1


def send(turns):
    receiver = receives()  #> receives
    next(receiver)  #> receives
    for i in range(turns // 2):
        receiver.send(i)  #> receives
        send_leaf()  #> send_leaf
    receiver.close()  #> receives


def receives():
    while True:
        got = yield
        received(got)  #> received


def received(x):
    return x


def send_leaf():
    return 1


# --- exceptions, finally, with -------------------------------------------------------------------
def exceptions(turns):
    for i in range(turns // 3):
        try:
            raises_one(i)  #> raises_one
        except KeyError:
            handled(i)  #> handled
        try:
            raises_deep(i)  #> raises_deep
        except ValueError:
            handled_deep(i)  #> handled_deep
        with Context():  #> Context.__init__, Context.__enter__, Context.__exit__
            in_context()  #> in_context


def raises_one(i):
    try:
        raise KeyError(i)
    finally:
        finally_one()  #> finally_one


def raises_deep(i):
    try:
        raises_deeper(i)  #> raises_deeper
    finally:
        finally_deep()  #> finally_deep


def raises_deeper(i):
    raise ValueError(i)


def finally_one():
    return 1


def finally_deep():
    return 1


def handled(i):
    return i


def handled_deep(i):
    return i


class Context:
    def __init__(self):
        self.state = 0

    def __enter__(self):
        self.state = 1

    def __exit__(self, *error):
        leaving()  #> leaving


def leaving():
    return 1


def in_context():
    return 1


# --- Python called by C --------------------------------------------------------------------------
def callbacks(turns):
    numbers = list(range(20))
    for _ in range(max(1, turns // 40)):
        sorted(numbers, key=sort_key)  #> sort_key
        list(map(mapped, numbers))  #> mapped
        functools.reduce(reduced, numbers)  #> reduced
        max(numbers, key=max_key)  #> max_key
        re.sub("a", replaced, "aaaa")
        by_missing(numbers)  #> by_missing
        by_comparing()  #> by_comparing
        by_property()  #> by_property
        by_destructor()  #> by_destructor


def sort_key(x):
    return key_leaf(x)  #> key_leaf


def key_leaf(x):
    return -x


def mapped(x):
    return mapped_leaf(x)  #> mapped_leaf


def mapped_leaf(x):
    return x


def reduced(x, y):
    return x + y


def max_key(x):
    return nested_callback(x)  #> nested_callback


def nested_callback(x):
    return sum(map(nested_leaf_callback, (x, 1)))  #> nested_leaf_callback


def nested_leaf_callback(x):
    return x


def replaced(match):  #< root
    return replaced_leaf()  #> replaced_leaf


def replaced_leaf():
    return "b"


class Missing(dict):
    def __missing__(self, key):
        return missing_leaf(key)  #> missing_leaf


def missing_leaf(key):
    return key


def by_missing(numbers):
    missing = Missing()
    for number in numbers:
        missing[number]  #> Missing.__missing__


class Ordered:
    def __init__(self, value):
        self.value = value

    def __lt__(self, other):
        return less_leaf(self.value, other.value)  #> less_leaf

    def __eq__(self, other):
        return equal_leaf(self, other)  #> equal_leaf

    __hash__ = None


def less_leaf(x, y):
    return x < y


def equal_leaf(x, y):
    return x is y


def by_comparing():
    things = [Ordered(3), Ordered(1), Ordered(2)]  #> Ordered.__init__
    things.sort()  #> Ordered.__lt__
    Ordered(1) in things  #> Ordered.__eq__, Ordered.__init__


class Shape:
    @property
    def area(self):
        return area_leaf()  #> area_leaf

    def __getattr__(self, name):
        return attribute_leaf(name)  #> attribute_leaf

    def __getitem__(self, index):
        return item_leaf(index)  #> item_leaf


def area_leaf():
    return 1


def attribute_leaf(name):
    return name


def item_leaf(index):
    return index


def by_property():
    shape = Shape()
    for _ in range(10):
        shape.area  #> Shape.area
        shape.not_there  #> Shape.__getattr__
        shape[1]  #> Shape.__getitem__


class Dies:
    def __del__(self):
        dies_leaf()  #> dies_leaf


def dies_leaf():
    return 1


def by_destructor():
    for _ in range(5):
        holds_dying()  #> holds_dying, Dies.__del__
        lets_die()  #> lets_die


def holds_dying():
    dying = Dies()
    return 1  #> Dies.__del__


def lets_die():
    dying = Dies()
    del dying  #> Dies.__del__


# --- class bodies and code that is made and thrown away ------------------------------------------
def classes(turns):
    for _ in range(max(1, turns // 100)):
        make_class()  #> make_class


def make_class():
    class Made:  #> make_class.<locals>.Made
        x = in_body()  #> in_body

        def method(self):
            return method_leaf()  #> method_leaf

    Made().method()  #> make_class.<locals>.Made.method


def in_body():
    return 1


def method_leaf():
    return 1


EXECUTED = "<oracle exec>"
SOURCE = """
def made_{kind}(x):
    return exec_leaf_{leaf}(x)
"""


def executed(turns):
    for i in range(max(1, turns // 50)):
        kind = i % EXEC_KINDS
        code = compile(SOURCE.format(kind=kind, leaf=kind % EXEC_LEAVES), EXECUTED, "exec")
        space = dict(LEAVES)
        exec(code, space)
        made = space[f"made_{kind}"]
        del code
        calls_made(made)  #> calls_made


def calls_made(made):
    for _ in range(20):
        made(1)


def leaf_maker(number):
    space = {}
    exec(f"def exec_leaf_{number}(x):\n    return x\n", space)
    function = space[f"exec_leaf_{number}"]
    function.__code__ = function.__code__.replace(co_filename=__file__)
    return function


LEAVES = {f"exec_leaf_{number}": leaf_maker(number) for number in range(EXEC_LEAVES)}


def replaced_code(turns):
    # Code objects made without a compiler: as fast as addresses can be reused.
    for i in range(turns // 4):
        swapped(i % 3)  #> swapped


def swapped(kind):
    made = TEMPLATES[kind].replace(co_firstlineno=TEMPLATES[kind].co_firstlineno)
    function = FunctionType(made, globals())
    del made
    return function(1)  #> template_0, template_1, template_2


def template_0(x):
    return template_leaf_0(x)  #> template_leaf_0


def template_1(x):
    return template_leaf_1(x)  #> template_leaf_1


def template_2(x):
    return template_leaf_2(x)  #> template_leaf_2


def template_leaf_0(x):
    return x


def template_leaf_1(x):
    return x


def template_leaf_2(x):
    return x


FunctionType = type(fib)
TEMPLATES = [template_0.__code__, template_1.__code__, template_2.__code__]


# --- asyncio -------------------------------------------------------------------------------------
def coroutines(turns):
    asyncio.run(many_tasks(turns))


async def many_tasks(turns):  #< root
    await asyncio.gather(*(task(turns // 30) for task in (task_one, task_two, task_three)))  #> many_tasks.<locals>.<genexpr>


async def task_one(turns):  #< root
    for _ in range(turns):
        await one_deep()  #> one_deep


async def one_deep():
    await one_deeper()  #> one_deeper


async def one_deeper():
    one_leaf()  #> one_leaf
    await asyncio.sleep(0)


def one_leaf():
    return 1


async def task_two(turns):  #< root
    for _ in range(turns):
        await two_deep()  #> two_deep


async def two_deep():
    await two_deeper()  #> two_deeper


async def two_deeper():
    two_leaf()  #> two_leaf
    await asyncio.sleep(0)


def two_leaf():
    return 1


async def task_three(turns):  #< root
    async for _ in numbers_three(turns):  #> numbers_three
        three_leaf()  #> three_leaf


async def numbers_three(turns):
    for i in range(turns):
        await asyncio.sleep(0)
        yield i


def three_leaf():
    return 1


# --- threads that switch often -------------------------------------------------------------------
def switch_threads():
    sys.setswitchinterval(1e-5)
    for target in (thread_one, thread_two):
        threading.Thread(target=target, daemon=True).start()


def thread_one():  #< root
    while True:
        thread_one_deep(1)  #> thread_one_deep


def thread_one_deep(x):
    return thread_one_leaf(x)  #> thread_one_leaf


def thread_one_leaf(x):
    return sum(range(20))


def thread_two():  #< root
    while True:
        thread_two_deep(1)  #> thread_two_deep
        time.sleep(0)


def thread_two_deep(x):
    return thread_two_leaf(x)  #> thread_two_leaf


def thread_two_leaf(x):
    return sum(range(20))


# --- the law -------------------------------------------------------------------------------------
def functions_of(code):
    yield code
    for constant in code.co_consts:
        if hasattr(constant, "co_code"):
            yield from functions_of(constant)


def law():
    with open(__file__) as file:
        source = file.read()
    rows = [("file", __file__), ("file", EXECUTED), ("root", "<module>")]
    enclosing = {}

    def visit(node, prefix):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                name = prefix + child.name
                for line in range(child.lineno, child.end_lineno + 1):
                    enclosing[line] = name
                # The line of a `class` statement belongs to the code around it.
                if isinstance(child, ast.ClassDef):
                    enclosing[child.lineno] = prefix.removesuffix(".").removesuffix(".<locals>")
                    visit(child, name + ".")
                else:
                    visit(child, name + ".<locals>.")
            else:
                visit(child, prefix)

    visit(ast.parse(source), "")
    for number, line in enumerate(source.splitlines(), 1):
        if line.endswith("  #< root"):
            rows.append(("root", enclosing[number]))
        head, mark, callees = line.partition("  #> ")
        if mark:
            for callee in callees.split(","):
                rows.append(("edge", enclosing.get(number) or "<module>", number, callee.strip()))
    for code in functions_of(compile(source, __file__, "exec")):
        for line in {line or 0 for _, _, line in code.co_lines()} | {code.co_firstlineno}:
            rows.append(("line", code.co_qualname, line))
        if code.co_name in ("many_tasks", "<genexpr>"):
            for task in ("task_one", "task_two", "task_three"):
                rows.append(("edge", code.co_qualname, 0, task))
    for kind in range(EXEC_KINDS):
        rows.append(("edge", "calls_made", 0, f"made_{kind}"))
        rows.append(("edge", f"made_{kind}", 3, f"exec_leaf_{kind % EXEC_LEAVES}"))
        rows.append(("line", f"made_{kind}", 2))
        rows.append(("line", f"made_{kind}", 3))
    rows += [("line", "<module>", line) for line in (1, 2)]
    rows.append(("edge", "executed", 0, "<module>"))
    for number in range(EXEC_LEAVES):
        rows.append(("line", f"exec_leaf_{number}", 1))
        rows.append(("line", f"exec_leaf_{number}", 2))
    for scenario in [*SCENARIOS, *EXTRA.values(), switch_threads]:
        rows.append(("edge", "<module>", 0, scenario.__name__))
    return rows


SCENARIOS = [
    chains,
    sites,
    recursion,
    generators,
    send,
    exceptions,
    callbacks,
    classes,
    executed,
    replaced_code,
    coroutines,
]
EXTRA = {"deep": deep}

if __name__ == "__main__":
    names = sys.argv[2:]
    chosen = [scenario for scenario in SCENARIOS if not names or scenario.__name__ in names]
    chosen += [EXTRA[name] for name in names if name in EXTRA]
    rows = law()
    temporary = sys.argv[1] + ".part"
    with open(temporary, "w") as file:
        for row in rows:
            file.write("\t".join(str(field) for field in row) + "\n")
    os.replace(temporary, sys.argv[1])
    if "threads" in names:
        switch_threads()
        chosen = chosen or [chains]
    # Rounds short enough that a second of samples sees every scenario.
    while True:
        for scenario in chosen:
            scenario(2000)
