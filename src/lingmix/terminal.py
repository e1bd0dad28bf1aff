"""What a command writes to its terminal, or to what stands in its place."""

import io
import logging
import os
import re
import signal
import sys
from typing import NoReturn

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Letters that a terminal obeys: all controls but the tab and the line feed, and those that turn
round what follows them."""


def say(text: str) -> None:
    """To the person at the terminal, at once."""
    sys.stdout.write(f"{printable(text)}\n")
    sys.stdout.flush()


def exit_with_error(line: str) -> NoReturn:
    """Ends the process with status 1 and this one line."""
    sys.exit(printable(line).replace("\n", "\\n"))


def exit_interrupted(line: str) -> NoReturn:
    """Ends the process after Ctrl-C with this one line and the status that a shell gives for it."""
    sys.stderr.write(f"{printable(line)}\n")
    sys.exit(128 + signal.SIGINT)


def printable(text: str) -> str:
    """The text with every letter escaped that a terminal would obey: a name may come from a store
    that others write to."""
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class PrintableRecord(logging.LogRecord):
    """What is logged, as it may be shown."""

    def getMessage(self) -> str:  # noqa: N802 - logging's own name
        return printable(super().getMessage())


def prepare_streams() -> None:
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
    logging.setLogRecordFactory(PrintableRecord)
    logging.raiseExceptions = False  # a log line that nobody reads is not worth a trace


def exit_broken_pipe() -> NoReturn:
    """After a BrokenPipeError: a reader that has seen enough, such as `head -1`, ends the process
    with the status that a shell gives for SIGPIPE.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # it is flushed at exit
    sys.exit(128 + signal.SIGPIPE)
