"""Retrieval equality: what an exported form scores, beside what the run has recorded."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy import stats

from lingmix.analysis.question_scores import FILE, run_scores, with_questions
from lingmix.analysis.scored_runs import scored_runs
from lingmix.errors import InputError
from lingmix.evaluation.metric_names import MAP, SETTINGS, ScoreName, on_test_set
from lingmix.evaluation.metrics import METRICS
from lingmix.evaluation.scores import SetScores
from lingmix.text_table import format_table

LEVEL = 0.95


class Interval(NamedTuple):
    """A mean over questions and the bounds of its 95 % interval, of Student's t."""

    mean: float
    low: float
    high: float


class Change(NamedTuple):
    """A retrieval metric of a setting, as recorded and exported; `change` is their difference over
    the same questions."""

    set: str
    score: ScoreName
    recorded: float
    exported: float
    change: Interval

    @property
    def name(self) -> str:
        return on_test_set(self.set, str(self.score))


class Compared(NamedTuple):
    """A form's changes by setting and metric, and all of its scores by the names of metrics."""

    form: str
    changes: list[Change]
    scores: dict[str, float]


def compare(
    form: str,
    scores: Iterable[SetScores],
    *,
    recorded: Mapping[str, float],
    per_query: Path,
    folder: Path,
) -> Compared:
    """Compares with what the run recorded, `scores.json` and `per_query.parquet`. Scores of queries
    pass through `folder`. Raises InputError where the evaluation is of other queries than then."""
    changes: list[Change] = []
    found: dict[str, float] = {}
    for of_set in scores:
        found |= {on_test_set(of_set.name, name): value for name, value in of_set.metrics.items()}
        exported = folder / f"{form}-{of_set.name.replace('/', '-')}.parquet"
        of_set.per_query.write_parquet(exported)
        for setting in SETTINGS:
            for metric in METRICS:
                score = ScoreName(metric, setting)
                name = on_test_set(of_set.name, str(score))
                if name in recorded and name in found:
                    change = _of_questions([per_query, exported], of_set.name, score)
                    changes.append(Change(of_set.name, score, recorded[name], found[name], change))
    return Compared(form, changes, found)


def _of_questions(files: Sequence[Path], set_name: str, score: ScoreName) -> Interval:
    """The interval of the mean of one file's scores, or of the difference of the second's."""
    rows = run_scores([*files], set_name, score.metric).filter(setting=str(score.scope))
    parts = with_questions(rows).collect().partition_by(FILE, as_dict=True, include_key=False)
    runs = pl.DataFrame(
        {"run_id": [*map(str, files)], "alpha": [float(n) for n in range(len(files))]}
    ).with_columns(scale=0, seed=0)
    grid = scored_runs(runs, ((str(file), parts[str(file),]) for file in files)).grid(
        str(score.scope)
    )
    scores_RQ = grid.scores_ACSQ[:, 0, 0]
    return interval(scores_RQ[0] if len(files) == 1 else scores_RQ[1] - scores_RQ[0])


def recorded_interval(per_query: Path, set_name: str, score: ScoreName) -> Interval:
    """Returns a recorded macro average with its interval over questions, within [0, 1]."""
    mean, low, high = _of_questions([per_query], set_name, score)
    return Interval(mean, max(low, 0.0), min(high, 1.0))


def interval(value_Q: np.ndarray) -> Interval:
    """Returns the mean of questions and its interval; one question alone has none (nan)."""
    mean, Q = float(value_Q.mean()), len(value_Q)
    if Q < 2:
        return Interval(mean, float("nan"), float("nan"))
    half = stats.t.ppf((1 + LEVEL) / 2, Q - 1) * value_Q.std(ddof=1) / np.sqrt(Q)
    return Interval(mean, mean - half, mean + half)


def refuse_unequal(compared: Sequence[Compared], limit: float) -> None:
    """Raises InputError where a retrieval metric of a setting has changed by more than `limit`."""
    for one in compared:
        worst = max(one.changes, key=lambda row: abs(row.change.mean), default=None)
        if worst is None:
            raise InputError("run: it has recorded no retrieval metric to compare with")
        if not abs(worst.change.mean) <= limit:
            low, high = worst.change.low, worst.change.high
            raise InputError(
                f"limit: {one.form} changes {worst.name} by {worst.change.mean:+.4f} "
                f"[{low:+.4f}, {high:+.4f}], from {worst.recorded:.4f} to {worst.exported:.4f}, "
                f"more than {limit:g}; set a greater limit, or leave out the form or the cut"
            )


def change_table(compared: Sequence[Compared]) -> str:
    """A row a form, set and setting with its mAP, and the metric that a form changes most."""
    rows = []
    for one in compared:
        worst = max(one.changes, key=lambda row: abs(row.change.mean))
        shown = [row for row in one.changes if row.score.metric == MAP]
        rows += [
            (
                one.form,
                row.set,
                str(row.score.scope),
                METRICS[row.score.metric].label,
                f"{row.recorded:.4f}",
                f"{row.exported:.4f}",
                f"{row.change.mean:+z.5f}",
                f"[{row.change.low:+.5f}, {row.change.high:+.5f}]",
            )
            for row in (*shown, *([] if worst in shown else [worst]))
        ]
    head = ("form", "set", "setting", "metric", "recorded", "exported", "change", "95 %")
    return format_table(head, rows, figures=slice(4, None))
