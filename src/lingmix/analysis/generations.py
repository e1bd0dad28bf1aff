"""Of which code, libraries, hardware and data the figures are."""

from collections.abc import Iterable

import polars as pl

from lingmix.tracking.generation import (
    CODE_COLUMN,
    HARDWARE_COLUMN,
    HOLDS,
    LIBRARY,
    column_label,
    is_generation,
)

UNKNOWN = "—"
APART = "runs that differ in it are neither averaged nor compared"


def bears_on(set_name: str, param: str) -> bool:
    """What another evaluation set was read from changes nothing here."""
    place = "param.evaluation."
    return not param.startswith(place) or param.startswith(f"{place}{set_name}.")


def generations_differ(runs: pl.DataFrame, column: str) -> bool:
    """Whether runs are of several generations by this column.

    Libraries that not all runs use tell nothing, and neither does the content of files where other
    files were asked for: that is another setting.
    """
    if column.startswith(LIBRARY):
        return len(_known(runs[column])) > 1
    if runs[column].n_unique() == 1 or not column.endswith(HOLDS):
        return runs[column].n_unique() > 1
    asked = "encoder" if column_label(column) == "encoder.name" else column.removesuffix(HOLDS)
    if asked not in runs.columns:
        return True
    return runs.group_by(asked).agg(pl.col(column).n_unique())[column].max() != 1


def generation_columns(runs: pl.DataFrame) -> list[str]:
    """Those that tell the runs of a table apart."""
    return [c for c in runs.columns if is_generation(c) and generations_differ(runs, c)]


def generations(*recorded: pl.DataFrame) -> list[tuple[str, str]]:
    """Labels and words: the code, the hardware, the libraries and the data of all runs."""
    columns = {c: None for table in recorded for c in table.columns if is_generation(c)}
    values = {
        c: sorted({v for table in recorded if c in table.columns for v in _known(table[c])})
        for c in columns
    }
    libraries = [
        f"{column_label(c)} {' or '.join(values[c])}" for c in values if c.startswith(LIBRARY)
    ]
    told = [
        ("Code", _alternatives(values.get(CODE_COLUMN, []))),
        ("Hardware", _alternatives(values.get(HARDWARE_COLUMN, []))),
        ("Libraries", ", ".join(sorted(libraries))),
        ("Data", "; ".join(_data({c: values[c] for c in values if c.endswith(HOLDS)}))),
    ]
    return [(what, words) for what, words in told if words]


def in_lines(told: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{what}: {words}" for what, words in told]


def _data(values: dict[str, list[str]]) -> Iterable[str]:
    """What holds the same is told once."""
    places: dict[str, list[str]] = {}
    for column, found in values.items():
        place = column_label(column).removesuffix("._package_")
        places.setdefault(" or ".join(found), []).append(place)
    return (f"{held} ({', '.join(sorted(some))})" for held, some in places.items())


def _alternatives(values: list[str]) -> str:
    return "; ".join(values) if len(values) < 2 else f"{'; '.join(values)}; {APART}"


def _known(values: pl.Series) -> list[str]:
    return [value for value in values.unique() if value not in (None, UNKNOWN)]
