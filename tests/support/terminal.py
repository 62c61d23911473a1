# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs a command on a terminal of its own, types the line that is on standard input once the
command has asked for something, and prints what the terminal showed."""
import os
import pty
import sys
import time

typed = sys.stdin.buffer.readline()
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
shown = b""
while True:
    try:
        part = os.read(terminal, 4096)
    except OSError:
        break
    if not part:
        break
    shown += part
    if typed and shown.endswith(b": "):
        # A moment for the command to turn the echo off.
        time.sleep(0.3)
        os.write(terminal, typed)
        typed = b""
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
