"""terminal.py WHAT…: a program at a terminal, where keys send signals.

Says "ready" when keys may be pressed. `interrupt`: computes until Ctrl-C, then a while longer, and says
how often it came before it ends by it. `handler`: the same with a handler of its own; exits with 7.
`wait`: computes until it is ended, by Ctrl-C without a word. `cpu SECONDS`: says its pid, computes for so much CPU time, says
"cpu" and how much it used, and exits with 5. `deaf`: ignores Ctrl-Z, and goes on when a line is
typed. `polite`: cleans up at Ctrl-Z before it stops itself, as editors do.
"""

import os
import signal
import sys
import time


def spin(seconds):
    end = time.process_time() + seconds
    x = 0
    while time.process_time() < end:
        x += 1


def interrupt():
    count = 0
    for seconds in (1000, 0.4):
        try:
            if not count:
                print("ready", flush=True)
            spin(seconds)
        except KeyboardInterrupt:
            count += 1
    print("interrupts:", count, flush=True)
    raise KeyboardInterrupt


def handler():
    seen = []
    signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    print("ready", flush=True)
    while not seen:
        spin(0.01)
    spin(0.4)
    print("interrupts:", len(seen), flush=True)
    sys.exit(7)


def stop_politely(*_):
    print("tidied up", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    print("back", flush=True)


def main():
    what = sys.argv[1]
    if what == "handler":
        handler()
    elif what == "interrupt":
        interrupt()
    elif what == "wait":
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        print("ready", flush=True)
        spin(1000)
    elif what == "cpu":
        spin(0.1)
        print("pid", os.getpid(), flush=True)
        spin(float(sys.argv[2]))
        print("cpu", time.process_time(), flush=True)
        sys.exit(5)
    elif what == "deaf":
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        print("ready", flush=True)
        sys.stdin.readline()
        spin(0.3)
        print("going on", flush=True)
        sys.exit(6)
    elif what == "polite":
        signal.signal(signal.SIGTSTP, stop_politely)
        print("ready", flush=True)
        spin(1.0)
        print("done", flush=True)
        sys.exit(8)


main()
