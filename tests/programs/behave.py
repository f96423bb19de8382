"""behave.py WHAT…: a program whose behaviour a profiler must not change.

`exit N`, `signal NAME` (dies of it), `echo` (stdin to stdout), `look` (prints what it inherited, as
JSON), `sigint SECONDS` (says "ready", then counts SIGINTs and prints the count; with a path instead of
a number, computes until there is such a file), `spin SECONDS`, `close SECONDS` (closes every descriptor
first), `until FILE CODE` (says "ready", computes until there is such a file, and exits with the code),
`truth FILE` (says "ready" and computes for ever; FILE holds a 64-bit number, kept current: nanoseconds
of the monotonic clock).
"""

import json
import mmap
import os
import signal
import sys
import time


def spin(seconds):
    end = time.perf_counter() + seconds
    x = 0
    while time.perf_counter() < end:
        x += 1


def spin_until(path):
    while not os.path.exists(path):
        spin(0.01)


def look():
    status = {}
    for line in open("/proc/self/status"):
        key, _, value = line.partition(":")
        if key in ("SigBlk", "SigIgn", "TracerPid"):
            status[key] = value.strip()
    descriptors = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            descriptors[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            pass  # the listing's own
    limits = open("/proc/self/limits").read()
    json.dump(
        {
            "environment": dict(os.environ),
            "status": status,
            "descriptors": sorted(descriptors),
            "limits": limits,
            "group": os.getpgrp() != os.getpid(),
            "folder": os.getcwd(),
            "arguments": sys.argv[2:],
        },
        sys.stdout,
        sort_keys=True,
    )


def tell_the_truth(path):
    with open(path, "r+b") as file:
        now = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")
    print("ready", flush=True)
    while True:
        now[0] = time.monotonic_ns()


def main():
    what = sys.argv[1]
    if what == "exit":
        sys.exit(int(sys.argv[2]))
    elif what == "signal":
        os.kill(os.getpid(), getattr(signal, sys.argv[2]))
    elif what == "echo":
        for line in sys.stdin:
            sys.stdout.write(line.upper())
            sys.stdout.flush()
    elif what == "look":
        look()
    elif what == "sigint":
        seen = []
        signal.signal(signal.SIGINT, lambda *_: seen.append(1))
        signal.signal(signal.SIGTERM, lambda *_: seen.append(100))
        print("ready", flush=True)
        if "/" in sys.argv[2]:
            spin_until(sys.argv[2])
        else:
            spin(float(sys.argv[2]))
        print("seen", sum(seen), flush=True)
        sys.exit(3)
    elif what == "until":
        print("ready", flush=True)
        spin_until(sys.argv[2])
        sys.exit(int(sys.argv[3]))
    elif what == "truth":
        tell_the_truth(sys.argv[2])
    elif what == "spin":
        spin(float(sys.argv[2]))
    elif what == "close":
        os.closerange(0, 1000)
        spin(float(sys.argv[2]))


main()
