"""behave.py WHAT…: a program whose behaviour a profiler must not change.

`exit N`, `signal NAME` (dies of it), `echo` (stdin to stdout), `look` (prints what it inherited, as
JSON), `sigint SECONDS` (says "ready", then counts SIGINTs and prints the count), `spin SECONDS`,
`close SECONDS` (closes every descriptor first).
"""

import json
import os
import signal
import sys
import time


def spin(seconds):
    end = time.perf_counter() + seconds
    x = 0
    while time.perf_counter() < end:
        x += 1


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
        spin(float(sys.argv[2]))
        print("seen", sum(seen), flush=True)
        sys.exit(3)
    elif what == "spin":
        spin(float(sys.argv[2]))
    elif what == "close":
        os.closerange(0, 1000)
        spin(float(sys.argv[2]))


main()
