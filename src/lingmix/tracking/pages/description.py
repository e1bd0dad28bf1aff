"""Descriptions of runs and sweeps for MLflow's pages, in Markdown."""

import getpass
import math
import shlex
from collections.abc import Mapping, Sequence
from statistics import fmean

from mlflow.entities import Run

from lingmix.evaluation.metric_names import BEST_SCORE, SETTINGS, setting_maps
from lingmix.tracking.deciding import decides
from lingmix.tracking.lifecycle import KIND
from lingmix.tracking.store.limits import cut

COMMAND_LENGTH, VALUES_LENGTH, LINE_LENGTH = 2500, 120, 76
CONTINUED = " \\\n  "
BEST_SHOWN = 5


def run_note(command: str, tags: Mapping[str, str]) -> str:
    """Return the description of a run: the command that repeats it, and its code."""
    commit = tags.get("mlflow.source.git.commit")
    edited = ", edited since" if tags.get("mlflow.source.git.dirty") == "true" else ""
    code = f"commit `{commit[:10]}`{edited}" if commit else "an installed package"
    return f"To make this run again, with the code of {code}:\n\n{_block(command)}"


def sweep_note(
    command: str,
    complete: Sequence[Run],
    *,
    front: str | None,
    report: str | None,
    view: str | None,
) -> str:
    """Return the description of a sweep: its best runs so far, and the command that repeats it.

    `front` is the table of a study's Pareto front; `report` and `view` are links.
    """
    parts, score = [], selection_metric(complete)
    if score and (found := rank_runs(complete)):
        parts.append(_best(found, score=score, count=len(complete)))
        parts.append(_links(report=report, view=view))
        parts.append(_varied(complete))
        parts.append(_table(found[:BEST_SHOWN], "development" if score == BEST_SCORE else score))
    if front:
        parts.append(f"```\n{front}\n```")
    parts += ["To make or finish this sweep again:", _block(command)]
    return "\n\n".join(part for part in parts if part)


def rank_runs(complete: Sequence[Run]) -> list[tuple[float, Run]]:
    """Return the runs that have the selection metric, with its value, the best first."""
    score = selection_metric(complete)
    if score is None:
        return []
    scored = [(run.data.metrics.get(score, math.nan), run) for run in complete]
    found = [(value, run) for value, run in scored if math.isfinite(value)]
    return sorted(found, key=lambda scored: (-scored[0], scored[1].info.run_name))


def source_tags(command: str) -> dict[str, str]:
    """Return the tags of MLflow's source columns: the command and the user."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container may know only the number of its user
        user = "unknown"
    return {"mlflow.source.name": command, "mlflow.source.type": "LOCAL", "mlflow.user": user}


def link(run: Run, *path: str) -> str:
    """Return a relative link to a run's page in MLflow's UI."""
    info = run.info
    return "/".join((f"#/experiments/{info.experiment_id}/runs/{info.run_id}", *path))


def selection_metric(complete: Sequence[Run]) -> str | None:
    """Return the metric to select runs by: a test score only where there is no development set."""
    names = {name for run in complete for name in run.data.metrics}
    if BEST_SCORE in names:
        return BEST_SCORE
    for setting in reversed(SETTINGS):
        if tested := [name for name in setting_maps(names) if name.score.scope == setting]:
            return str(tested[0])
    return None


def varied_params(complete: Sequence[Run]) -> dict[str, list[str]]:
    """Return the params that decide a result and differ between runs, with their sorted values."""
    params = [run.data.params for run in complete]
    keys = sorted({key for run_params in params for key in run_params if decides(key)})
    values = {key: {run_params.get(key, "") for run_params in params} for key in keys}
    return {key: sorted(values[key], key=_by_number) for key in keys if len(values[key]) > 1}


def _by_number(value: str) -> tuple[float, str]:
    try:
        return float(value), value
    except ValueError:
        return math.inf, value


def _varied(complete: Sequence[Run]) -> str:
    varied = varied_params(complete).items()
    texts = (f"`{key}` {cut(', '.join(values), VALUES_LENGTH)}" for key, values in varied)
    return f"Varied: {'; '.join(texts)}." if varied else ""


def _links(*, report: str | None, view: str | None) -> str:
    found = [f"[the report]({report}), with all figures"] if report else []
    found += [f"[all runs by what differs]({view})"] if view else []
    return f"See {' and '.join(found)}." if found else ""


def _best(found: Sequence[tuple[float, Run]], *, score: str, count: int) -> str:
    best = found[0][1]
    by = f"{score}, for want of a development set"
    if score == BEST_SCORE:
        by = f"development {best.data.params.get('data.development_score', 'score')}"
    line = f"**Best of {count} complete runs** by {by}: [{best.info.run_name}]({link(best)})"
    if best.data.tags.get(KIND) == "evaluation":
        return line
    return (
        f"{line}, [its model]({link(best, 'artifacts', 'model')}), for `lingmix-evaluate "
        f"encoder.name=runs:/{best.info.run_id}`"
    )


def _table(found: Sequence[tuple[float, Run]], score: str) -> str:
    tested = [_test_maps(run.data.metrics) for _, run in found]
    settings = list(dict.fromkeys(name for maps in tested for name in maps))
    head = ["run", score, *(f"test mAP {setting}" for setting in settings)]
    rows = [
        [f"[{run.info.run_name}]({link(run)})", f"{value:.4f}"]
        + [f"{maps[setting]:.4f}" if setting in maps else "" for setting in settings]
        for (value, run), maps in zip(found, tested, strict=True)
    ]
    cells = [head, ["---" for _ in head], *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _test_maps(metrics: Mapping[str, float]) -> dict[str, float]:
    """Mean mAP over the evaluation sets, by setting."""
    by_setting: dict[str, list[float]] = {}
    for name in setting_maps(metrics):
        by_setting.setdefault(str(name.score.scope), []).append(metrics[str(name)])
    return {setting: fmean(by_setting[setting]) for setting in sorted(by_setting)}


def _block(command: str) -> str:
    # broken into lines, as MLflow makes the page as wide as the longest; a word is never split
    lines: list[str] = []
    for word in _words(command):
        if lines and len(lines[-1]) + len(word) < LINE_LENGTH:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return f"```sh\n{cut(CONTINUED.join(lines), COMMAND_LENGTH)}\n```"


def _words(command: str) -> list[str]:
    try:
        return [shlex.quote(word) for word in shlex.split(command)]
    except ValueError:  # the command was cut to fit into a tag
        return [command]
