"""Live progress of a sweep on a terminal, read from the journals of its cells."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from lingmix.sweep.cell import Cell, Outcome
from lingmix.tracking.outbox.journal import JOURNAL, read_records

SHOWN_METRICS = {"train/loss": "loss", "train/pairs_per_second": "pairs/s"}
"""Metrics at the end of a cell's line, and their labels."""

TRAINING = "train/"
"""Prefix of metrics by training step; system metrics count steps of their own."""


@contextmanager
def show_progress(
    cells: Sequence[Cell], outcomes: Iterator[Outcome]
) -> Iterator[Iterator[Outcome]]:
    """Yield the outcomes; on a terminal, show a line for each running cell and the time left."""
    progress = SweepProgress(cells)
    console = Console(stderr=False)
    if not console.is_terminal:
        yield progress.count(outcomes)
        return
    with Live(get_renderable=progress.lines, console=console, refresh_per_second=1, transient=True):
        yield progress.count(outcomes)


class SweepProgress:
    """Progress of all cells, read from their journals: these are shared wherever a cell runs."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._began, self._count, self._ended = time.time(), len(cells), 0
        self._left = {cell.identity: CellProgress(cell, since=self._began) for cell in cells}

    def count(self, outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
        for outcome in outcomes:
            self._left.pop(outcome.cell.identity, None)  # several processes may be of one
            self._ended += 1
            yield outcome

    def lines(self) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        running = [cell for cell in list(self._left.values()) if cell.update()]
        for cell in running:
            table.add_row(*cell.line())
        done = self._ended + sum(cell.share for cell in running)
        whole = ProgressBar(total=self._count, completed=done, width=20)
        table.add_row(f"{self._ended} of {self._count} cells", whole, self._time_left(done))
        return table

    def _time_left(self, done: float) -> str:
        if not done:
            return ""
        seconds = (time.time() - self._began) * (self._count - done) / done
        return f"{seconds / 60:.0f} min left" if seconds > 90 else f"{seconds:.0f} s left"


class CellProgress:
    """Progress of one cell: its newest step and metrics."""

    def __init__(self, cell: Cell, *, since: float) -> None:
        values = cell.values
        self._name, self._since = cell.name, since
        self._folder = Path(values["output_dir"], "runs", values["name"], cell.identity)
        self._steps = values.get("trainer", {}).get("max_steps")
        self._step = self._read = 0
        self._metrics: dict[str, float] = {}

    @property
    def share(self) -> float:
        return self._step / self._steps if self._steps else 0.0

    def update(self) -> bool:
        """Read new records of the journal; return whether the cell has begun in this sweep."""
        try:
            if (self._folder / JOURNAL).stat().st_mtime < self._since:
                return False
        except FileNotFoundError:
            return False
        for record, end in read_records(self._folder, self._read):
            self._read = end
            metrics = record.get("metrics", {})
            self._metrics |= metrics
            if any(name.startswith(TRAINING) for name in metrics):
                self._step = max(self._step, record["step"])
        return True

    def line(self) -> tuple[str, ProgressBar, str]:
        bar = ProgressBar(total=self._steps or 1, completed=self._step, width=20)
        shown = [
            f"{label} {_short(self._metrics[name])}"
            for name, label in SHOWN_METRICS.items()
            if name in self._metrics
        ]
        steps = [f"step {self._step}/{self._steps}"] if self._steps else []
        return self._name, bar, ", ".join([*steps, *shown])


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
