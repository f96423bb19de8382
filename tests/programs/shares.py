"""shares.py SECONDS NUMBER...: functions that run for known shares of the time.

Function spin_K runs K-th NUMBER × 0.1 ms at a time, by the clock, one after the other. At the end
it prints one line a function: name, wall seconds, and a last line: "cpu", CPU seconds of the process.
"""

import sys
import time

SOURCE = """
def spin_{index}(now=time.perf_counter):
    end = now() + {length}
    x = 0
    while now() < end:
        x += 1
"""

seconds = float(sys.argv[1])
numbers = [int(word) for word in sys.argv[2:]]
functions = []
for index, number in enumerate(numbers):
    space = {"time": time}
    exec(SOURCE.format(index=index, length=number * 1e-4), space)
    functions.append(space[f"spin_{index}"])
walls = [0.0] * len(functions)


def main():
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop:
        for index, function in enumerate(functions):
            start = time.perf_counter()
            function()
            walls[index] += time.perf_counter() - start


main()
for index, wall in enumerate(walls):
    print(f"spin_{index} {wall}")
print(f"cpu {time.process_time()}", flush=True)
