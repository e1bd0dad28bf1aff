"""What the cells of a sweep are doing, while they do it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from lingmix.sweep.cell import Cell, Outcome
from lingmix.tracking.outbox.journal import JOURNAL, read

TOLD = {"train/loss": "loss", "train/pairs_per_second": "pairs/s"}
"""Metrics that a line ends with."""

TRAINED = "train/"
"""Metrics of a training; the load of the machine is counted in steps of its own."""


@contextmanager
def followed(cells: Sequence[Cell], outcomes: Iterator[Outcome]) -> Iterator[Iterator[Outcome]]:
    """The outcomes themselves; below them, on a terminal, a line a cell at work and the time
    left."""
    following = Following(cells)
    console = Console(stderr=False)
    if not console.is_terminal:
        yield following.told(outcomes)
        return
    with Live(
        get_renderable=following.lines, console=console, refresh_per_second=1, transient=True
    ):
        yield following.told(outcomes)


class Following:
    """Reads what the cells write into their journals: wherever they run, it is all there."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._began, self._count, self._ended = time.time(), len(cells), 0
        self._left = {cell.identity: Course(cell, since=self._began) for cell in cells}

    def told(self, outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
        for outcome in outcomes:
            self._left.pop(outcome.cell.identity)
            self._ended += 1
            yield outcome

    def lines(self) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        at_work = [course for course in list(self._left.values()) if course.look()]
        for course in at_work:
            table.add_row(*course.line())
        done = self._ended + sum(course.share for course in at_work)
        whole = ProgressBar(total=self._count, completed=done, width=20)
        table.add_row(f"{self._ended} of {self._count} cells", whole, self._time_left(done))
        return table

    def _time_left(self, done: float) -> str:
        if not done:
            return ""
        seconds = (time.time() - self._began) * (self._count - done) / done
        return f"{seconds / 60:.0f} min left" if seconds > 90 else f"{seconds:.0f} s left"


class Course:
    """How far a cell has come."""

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

    def look(self) -> bool:
        """Reads what is new; whether the cell has begun at all."""
        try:
            if (self._folder / JOURNAL).stat().st_mtime < self._since:
                return False
        except FileNotFoundError:
            return False
        for record, end in read(self._folder, self._read):
            self._read = end
            metrics = record.get("metrics", {})
            self._metrics |= metrics
            if any(name.startswith(TRAINED) for name in metrics):
                self._step = max(self._step, record["step"])
        return True

    def line(self) -> tuple[str, ProgressBar, str]:
        bar = ProgressBar(total=self._steps or 1, completed=self._step, width=20)
        known = [key for key in TOLD if key in self._metrics]
        told = [f"{TOLD[key]} {_short(self._metrics[key])}" for key in known]
        steps = [f"step {self._step}/{self._steps}"] if self._steps else []
        return self._name, bar, ", ".join([*steps, *told])


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
