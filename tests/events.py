"""What a test waits for: it happens, or the test fails."""

import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

from tests.commands import Forked

T = TypeVar("T")

HANGS = 900.0
"""Seconds after which something is taken never to come."""


def until(happened: Callable[[], T], *, process: subprocess.Popen | Forked | None = None) -> T:
    """What it gives as soon as that is true; asks as long as the process runs."""
    began = time.monotonic()
    while not (found := happened()):
        assert process is None or process.poll() is None, "the process ended without it"
        assert time.monotonic() - began < HANGS, "it never came"
        time.sleep(0.005)
    return found
