"""Which recorded run is exported: a named one, or the best by a stated metric."""

from collections.abc import Sequence
from functools import partial

from mlflow import MlflowClient

from lingmix.analysis.metric_columns import KNOWN
from lingmix.errors import InputError
from lingmix.evaluation.metric_names import TEST, ScoreName, parse, parsed
from lingmix.tracking.recorded_run import Best, best_run, recorded_run

BEST = "best"


def chosen_run(
    client: MlflowClient, run: str, *, experiment: str, sweep: str | None, metric: str
) -> Best:
    """Finds the run of an id; `best` is the best of an experiment, or of a sweep in it."""
    if run != BEST:
        return Best(recorded_run(client, run))
    return best_run(
        client,
        experiment,
        sweep=sweep,
        metric_of=partial(metric_named, metric),
        worth=partial(worth, metric.rpartition("/")[2]),
    )


def metric_named(asked: str, recorded: Sequence[str]) -> str:
    """Returns the metric that is asked for, by its name or, of the only set that has it, its score.

    Raises InputError where there is none, or there are several.
    """
    tests = [name for name in parsed(recorded) if name.split == TEST]
    found = [str(name) for name in tests if asked in (str(name), str(name.score))]
    if len(found) == 1:
        return found[0]
    name = parse(asked)
    score = name.score if name else ScoreName(asked.rpartition("/")[2])
    near = found or [str(name) for name in tests if name.score.metric == score.metric] or tests
    raise InputError(
        f"metric: must name one of what the runs have recorded, {', '.join(map(str, near))}, got "
        f"{asked}"
    )


def worth(metric: str, value: float) -> float:
    """Returns a number that is greatest for the best value; a metric that is not known is a
    score."""
    best = KNOWN[metric].best if metric in KNOWN else "highest"
    return {"highest": value, "lowest": -value, "nearest 0": -abs(value)}[best]
