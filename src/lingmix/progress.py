"""A progress bar for loops that take longer than a few seconds."""

import time
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from rich.progress import Progress, ProgressColumn

T = TypeVar("T")

PATIENCE = 3.0
"""Seconds before the bar shows."""


def with_progress(
    parts: Iterable[T],
    what: str,
    *,
    total: float | None,
    size: Callable[[T], float],
    done: int = 0,
    columns: Iterable[ProgressColumn] = (),
) -> Generator[T, None, None]:
    """Yield the parts, and advance a bar on the terminal by the `size` of each when it is done."""
    began = time.monotonic()
    bar = Progress(*(columns or Progress.get_default_columns()), transient=True)
    task = bar.add_task(what, total=total, completed=done)
    try:
        for part in parts:
            yield part
            bar.advance(task, size(part))
            if (
                bar.console.is_terminal
                and not bar.live.is_started
                and time.monotonic() - began > PATIENCE
            ):
                bar.start()
    finally:
        if bar.live.is_started:
            bar.stop()
