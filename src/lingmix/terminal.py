"""Output of commands to the terminal, or to the pipe or file in its place."""

import io
import logging
import os
import re
import signal
import sys
from typing import NoReturn

CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that a terminal interprets: controls, without tab and line feed, and those that change
the direction of text."""


def say(text: str) -> None:
    """Print a line to stdout and flush it."""
    sys.stdout.write(f"{printable(text)}\n")
    sys.stdout.flush()


def exit_with_error(line: str) -> NoReturn:
    """Exit with status 1 and this one line on stderr."""
    sys.exit(printable(line).replace("\n", "\\n"))


def exit_interrupted(line: str) -> NoReturn:
    """Exit after Ctrl-C with this one line and the status that a shell gives for it."""
    sys.stderr.write(f"{printable(line)}\n")
    sys.exit(128 + signal.SIGINT)


def printable(text: str) -> str:
    """Return the text with control characters escaped: a name may come from a shared store."""
    return CONTROL_CHARACTERS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class PrintableRecord(logging.LogRecord):
    """A log record whose message has its control characters escaped."""

    def getMessage(self) -> str:
        return printable(super().getMessage())


def prepare_streams() -> None:
    """Redirect closed standard streams to /dev/null, and escape what their encodings lack."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(
                os.devnull, os.O_RDWR
            )  # takes the lowest number, which the next file would get otherwise
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    logging.setLogRecordFactory(PrintableRecord)
    logging.raiseExceptions = False  # no traceback for a log line that cannot be written


def exit_broken_pipe() -> NoReturn:
    """Exit with the status that a shell gives for SIGPIPE: a reader such as `head -1` is done."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # it is flushed at exit
    sys.exit(128 + signal.SIGPIPE)
