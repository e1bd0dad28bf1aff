"""The runs that no other of a study beats, to be read."""

from collections.abc import Sequence
from io import StringIO

from mlflow.entities import Run
from optuna.trial import FrozenTrial
from rich.console import Console
from rich.table import Table


def front_table(
    front: Sequence[tuple[FrozenTrial, Run]], *, objectives: Sequence[str], keys: Sequence[str]
) -> str:
    """A row a run: its scores, what it was, its name."""
    if not front:
        return "the front is empty: no trial is complete"
    table = Table(*objectives, *keys, "run", box=None, padding=(0, 2, 0, 0))
    for column in table.columns[: len(objectives)]:
        column.justify = "right"
    for trial, run in front:
        scores = (f"{score:.4f}" for score in trial.values)
        table.add_row(*scores, *(_shown(trial.params[key]) for key in keys), run.info.run_name)
    console = Console(file=StringIO(), width=400, markup=False, emoji=False, highlight=False)
    console.print(table)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in lines)


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
