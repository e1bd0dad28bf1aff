"""What a command writes to its terminal, or to what stands in its place."""

import io
import logging
import os
import signal
import sys
from typing import NoReturn


def say(text: str) -> None:
    """To the person at the terminal, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def ready_streams() -> None:
    """A closed stream leads nowhere from here on, and letters that it cannot show are escaped."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number, which a file would get else
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    logging.raiseExceptions = False  # a log line that nobody reads is not worth a trace


def end_unread() -> NoReturn:
    """After a BrokenPipeError: a reader that has seen enough, such as `head -1`, ends the process
    with the status that a shell gives for SIGPIPE.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # it is flushed at exit
    sys.exit(128 + signal.SIGPIPE)
