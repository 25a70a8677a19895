"""Runs a program in a pseudo-terminal of 80 by 24 and ends with its exit code.

Standard input is typed, and what is shown goes to standard output. SIGUSR1 makes the terminal
132 by 43, SIGUSR2 sends SIGTERM to the program. At the end, standard error has ``restored`` when
the terminal's settings are those from before.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios

controlling, programs = os.openpty()


def resize(columns: int, rows: int) -> None:
    fcntl.ioctl(controlling, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


resize(80, 24)
before = termios.tcgetattr(programs)
child = subprocess.Popen(
    sys.argv[1:],
    stdin=programs,
    stdout=programs,
    stderr=programs,
    start_new_session=True,
    preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
)
signal.signal(signal.SIGUSR1, lambda *_: resize(132, 43))
signal.signal(signal.SIGUSR2, lambda *_: child.send_signal(signal.SIGTERM))

sources = [sys.stdin.fileno(), controlling]
while True:
    ended = child.poll() is not None
    ready, _, _ = select.select(sources, [], [], 0 if ended else 0.05)
    if ended and controlling not in ready:
        break
    for source in ready:
        data = os.read(source, 65536)
        if source == controlling:
            os.write(sys.stdout.fileno(), data)
        elif data:
            os.write(controlling, data)
        else:
            sources.remove(source)

after = termios.tcgetattr(programs)
sys.stderr.write("restored\n" if after == before else f"changed: {before} {after}\n")
code = child.returncode
sys.exit(128 - code if code < 0 else code)
