"""Text tables for a terminal."""

from collections.abc import Iterable, Sequence
from io import StringIO

from rich.console import Console
from rich.table import Table

WIDTH = 400
"""Characters of a row before it is wrapped."""


def format_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, figures: slice) -> str:
    """Return the rows as aligned text; the columns of the slice `figures` are right-aligned."""
    table = Table(*head, box=None, padding=(0, 2, 0, 0))
    for column in table.columns[figures]:
        column.justify = "right"
    for row in rows:
        table.add_row(*row)
    text = StringIO()
    Console(file=text, width=WIDTH, markup=False, emoji=False, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
