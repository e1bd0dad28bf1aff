"""Runs found again."""

import ast
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import polars as pl
from mlflow import MlflowClient
from mlflow.entities import Run

from lingmix.evaluation.metric_names import TEST, parsed
from lingmix.tracking.generation import generation, is_generation, named
from lingmix.tracking.identity import ASKED, CODE, DATA, HASH, VERSIONS, decides
from lingmix.tracking.lifecycle import COMMAND, COMPLETE, KIND, STATE, SWEEP
from lingmix.tracking.pair_scores import with_pair_scores
from lingmix.tracking.versions import as_setting, from_words, in_words

NAMED = ("sampler.alpha", "augmentation.scale", "seed", "pairs")
"""Params with a column of their own."""

CELL = pl.Schema(
    {
        "run_id": pl.String,
        "run_name": pl.String,
        "alpha": pl.Float64,
        "scale": pl.Int64,
        "seed": pl.Int64,
        "pairs": pl.String,
    }
)
EVALUATION = pl.Schema({"run_id": pl.String, "encoder": pl.String})
"""Columns that are there even without a run."""

KEPT_PARAMS = (
    "param.sampler.alpha_end",
    "param.trainer.max_steps",
    "param.languages",
    "param.encoder.name",
)


def runs(client: MlflowClient, experiment: str, query: str = "") -> Iterator[Run]:
    """All runs of an experiment, newest first, that match an MLflow search string."""
    token = None
    while True:
        page = client.search_runs(
            [experiment], filter_string=query, max_results=1000, page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return


def complete_runs(client: MlflowClient, experiment: str) -> dict[str, Run]:
    """The newest complete run of each configuration hash."""
    found: dict[str, Run] = {}
    for run in runs(client, experiment, f"tags.`{STATE}` = '{COMPLETE}' and tags.`{HASH}` != ''"):
        found.setdefault(run.data.tags[HASH], run)
    return found


def complete_run(client: MlflowClient, experiment: str, identity: str) -> Run | None:
    """The newest complete run of a configuration hash."""
    query = f"tags.`{STATE}` = '{COMPLETE}' and tags.`{HASH}` = '{identity}'"
    return next(runs(client, experiment, query), None)


def lacks_run_files(run: Run, asked: int | None) -> bool:
    """Whether a complete run was made without the run files that are asked for now: they change no
    figure, so it is the same run."""
    return asked is not None and run.data.params.get("run_files") != str(asked)


def as_before(client: MlflowClient, experiment: str, tags: Mapping[str, str]) -> list[str]:
    """`changes` of one run that is not complete."""
    query = f"tags.`{STATE}` = '{COMPLETE}' and tags.`{ASKED}` = '{tags[ASKED]}'"
    return changes(runs(client, experiment, query), [tags])


def newest(found: Iterable[Run]) -> list[Run]:
    """Without runs that a newer run of the same configuration replaces, which is of other code,
    libraries or data; `found` has the newest first."""
    kept: dict[str, Run] = {}
    for run in found:
        kept.setdefault(_configuration(run), run)
    return list(kept.values())


def replaced(client: MlflowClient, experiment: str) -> list[str]:
    """The runs that `newest` leaves out: how many, and what of them is no longer so."""
    complete = [*complete_runs(client, experiment).values()]
    latest = {_configuration(run): run for run in newest(complete)}
    changed: Counter[str] = Counter()
    for run in complete:
        if run is not (now := latest[_configuration(run)]):
            changed[_changed(generation(run.data.tags), generation(now.data.tags))] += 1
    return [f"{count} older runs ({what})" for what, count in changed.items()]


def _changed(there: Mapping[str, str], now: Mapping[str, str]) -> str:
    names = [name for name in there if there[name] != now.get(name)]
    return ", ".join(f"{named(name)} {there[name]}" for name in names) or "of the same settings"


def changes(complete: Iterable[Run], missing: Sequence[Mapping[str, str]]) -> list[str]:
    """What is complete in the same words, but of other code, libraries or data, a line for each;
    `missing` are the identity tags of what is not complete."""
    asked = {tags[ASKED]: tags for tags in missing}
    latest = {run.data.tags.get(ASKED, ""): run.data.tags for run in reversed([*complete])}
    both = [(there, asked[key]) for key, there in latest.items() if key in asked]
    code = Counter((there[CODE], here[CODE]) for there, here in both)
    libraries = Counter(_upgraded(there, here) for there, here in both)
    lines = [
        f"complete with other code (then {then}, now {now}): {count}, to run again; "
        f"tracking.code={then} keeps what is there"
        for (then, now), count in code.items()
        if then != now
    ]
    lines += [
        f"complete with other libraries (then {then}, now {now}): {count}, to run again; "
        f"'tracking.versions={{{as_setting(then)}}}' keeps what is there"
        for (then, now), count in libraries.items()
        if then != now
    ]
    if data := sum(there[DATA] != here[DATA] for there, here in both):
        lines.append(f"complete with other data than there is now: {data}, to run again")
    return lines


def _upgraded(there: Mapping[str, str], here: Mapping[str, str]) -> tuple[str, str]:
    """The libraries whose versions differ between two runs' tags, in words."""
    then, now = (from_words(tags.get(VERSIONS, "")) for tags in (there, here))
    moved = [name for name in then if name in now and then[name] != now[name]]
    return in_words({name: then[name] for name in moved}), in_words(
        {name: now[name] for name in moved}
    )


def parent_run(client: MlflowClient, experiment: str, sweep: str) -> Run | None:
    """The parent run of a sweep, if it has one."""
    query = f"tags.`{SWEEP}` = '{sweep}' and tags.`{KIND}` = 'sweep'"
    return next(runs(client, experiment, query), None)


def cells(
    client: MlflowClient, experiment: str, pair_metrics: Collection[str] = ()
) -> pl.DataFrame:
    """One row a complete cell that has an alpha: what it was, `param.<key>` columns where cells
    differ, metrics; of the largest scales `pair_metrics` of each language pair."""
    complete = newest(complete_runs(client, experiment).values())
    rows = [_cell(run) for run in complete if _has_alpha(run)]
    table = _table(CELL, with_pair_scores(client, rows, pair_metrics))
    same = [
        name
        for name in table.columns
        if name.startswith("param.")
        and not is_generation(name)
        and (name not in KEPT_PARAMS or table[name][0] == "None")
        and table[name].n_unique() == 1
    ]
    return table.drop(same)


def without_alpha(client: MlflowClient, experiment: str) -> list[str]:
    """How many trainings `cells` leaves out, whose samplers have no alpha to compare them by."""
    complete = complete_runs(client, experiment).values()
    trained = [run for run in complete if "sampler._target_" in run.data.params]
    count = sum(not _has_alpha(run) for run in trained)
    return [f"{count} runs of samplers without an alpha"] if count else []


def _has_alpha(run: Run) -> bool:
    return run.data.params.get("sampler.alpha", "None") != "None"


def evaluations(
    client: MlflowClient, experiment: str, pair_metrics: Collection[str] = ()
) -> pl.DataFrame:
    """One row a complete evaluation of an encoder, the newest first: its name, `param.<key>` for
    all else that decides the result, metrics, and `pair_metrics` of each language pair."""
    complete = newest(complete_runs(client, experiment).values())
    rows = [_evaluation(run) for run in complete if run.data.tags.get(KIND) == "evaluation"]
    return _table(EVALUATION, with_pair_scores(client, rows, pair_metrics))


def _cell(run: Run) -> dict[str, object]:
    params = run.data.params
    scale = params.get("augmentation.scale", "0")
    return {
        "run_id": run.info.run_id,
        "run_name": run.info.run_name,
        "alpha": float(params["sampler.alpha"]),
        "scale": None if scale == "None" else int(scale),
        "seed": int(params["seed"]),
        "pairs": _compact(params.get("pairs", "all")),
        **_params(run, besides=NAMED),
        **_test_metrics(run),
    }


def _evaluation(run: Run) -> dict[str, object]:
    return {
        "run_id": run.info.run_id,
        "encoder": run.data.params["encoder.name"],
        **_params(run, besides=("encoder.name",)),
        **_test_metrics(run),
    }


def _configuration(run: Run) -> str:
    tags = run.data.tags
    return tags.get(ASKED, tags[HASH])


def _params(run: Run, *, besides: Sequence[str]) -> dict[str, str]:
    """Those that decide a result, and the generation."""
    deciding = {key: value for key, value in run.data.params.items() if decides(key)}
    if "languages" in deciding:
        deciding["languages"] = _compact(deciding["languages"])
    params = {f"param.{key}": deciding[key] for key in deciding if key not in besides}
    return params | generation(run.data.tags)


def _test_metrics(run: Run) -> dict[str, float]:
    metrics = run.data.metrics
    return {str(name): metrics[str(name)] for name in parsed(metrics) if name.split == TEST}


def _table(columns: pl.Schema, rows: list[dict[str, object]]) -> pl.DataFrame:
    found = pl.DataFrame(rows, infer_schema_length=None)
    return pl.concat([pl.DataFrame(schema=columns), found], how="diagonal_relaxed")


def _compact(choices: str) -> str:
    """MLflow keeps a list as its Python text, of a very long one the beginning; `languages` and
    `pairs` have no order."""
    listed = choices.startswith("[") and choices.endswith("]")
    return f"[{','.join(sorted({*map(str, ast.literal_eval(choices))}))}]" if listed else choices


def commands(client: MlflowClient, experiment: str) -> list[str]:
    """What was typed to make the sweeps of an experiment, the oldest first."""
    sweeps = runs(client, experiment, f"tags.`{KIND}` = 'sweep'")
    typed = [run.data.tags[COMMAND] for run in sweeps if COMMAND in run.data.tags]
    return list(dict.fromkeys(reversed(typed)))


def unfinished(client: MlflowClient, experiment: str) -> list[str]:
    """The configurations whose newest run is not complete, unless one of the same hash is."""
    complete = complete_runs(client, experiment)
    latest = newest(runs(client, experiment, f"tags.`{HASH}` != ''"))
    return sorted(
        f"{run.info.run_name} ({run.data.tags.get(STATE, 'unknown')})"
        for run in latest
        if run.data.tags[HASH] not in complete
    )
