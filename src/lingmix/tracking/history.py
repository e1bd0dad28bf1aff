"""Queries for recorded runs, and tables of them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mlflow import MlflowClient
from mlflow.entities import Experiment, Run

from lingmix.errors import InputError
from lingmix.tracking.generation import column_label, generation
from lingmix.tracking.identity import ASKED, CODE, DATA, HASH, VERSIONS
from lingmix.tracking.lifecycle import COMMAND, COMPLETE, KIND, STATE, SWEEP
from lingmix.tracking.versions import as_setting, format_versions, parse_versions


def experiment_named(client: MlflowClient, name: str) -> Experiment:
    """Raise InputError where no experiment of the name is recorded."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        known = ", ".join(one.name for one in client.search_experiments())
        raise InputError(f"name: no experiment {name!r} is recorded; there are: {known}")
    return experiment


def runs(client: MlflowClient, experiment: str, query: str = "") -> Iterator[Run]:
    """Yield all runs of an experiment that match an MLflow search string, the newest first."""
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
    """Return the newest complete run of each configuration hash."""
    found: dict[str, Run] = {}
    for run in runs(client, experiment, f"tags.`{STATE}` = '{COMPLETE}' and tags.`{HASH}` != ''"):
        found.setdefault(run.data.tags[HASH], run)
    return found


def complete_run(client: MlflowClient, experiment: str, identity: str) -> Run | None:
    """Return the newest complete run of a configuration hash, or None."""
    query = f"tags.`{STATE}` = '{COMPLETE}' and tags.`{HASH}` = '{identity}'"
    return next(runs(client, experiment, query), None)


def lacks_run_files(run: Run, asked: int | None) -> bool:
    """Whether a complete run lacks the run files requested now, which are not part of its hash."""
    return asked is not None and run.data.params.get("run_files") != str(asked)


def changes_since(client: MlflowClient, experiment: str, tags: Mapping[str, str]) -> list[str]:
    """Return the `changes` since complete runs for the tags of one run that is not complete."""
    query = f"tags.`{STATE}` = '{COMPLETE}' and tags.`{ASKED}` = '{tags[ASKED]}'"
    return changes(runs(client, experiment, query), [tags])


def newest_generation(found: Iterable[Run]) -> list[Run]:
    """Return the newest run of each configuration, whatever its code, libraries or data.

    `found` has the newest first.
    """
    latest: dict[str, Run] = {}
    for run in found:
        latest.setdefault(_configuration(run), run)
    return list(latest.values())


def replaced_runs(client: MlflowClient, experiment: str) -> list[str]:
    """Return lines on the runs that `newest_generation` leaves out: how many, and what changed."""
    complete = [*complete_runs(client, experiment).values()]
    latest = {_configuration(run): run for run in newest_generation(complete)}
    changed: Counter[str] = Counter()
    for run in complete:
        if run is not (now := latest[_configuration(run)]):
            changed[_changed(generation(run.data.tags), generation(now.data.tags))] += 1
    return [f"{count} older runs ({what})" for what, count in changed.items()]


def _changed(recorded: Mapping[str, str], now: Mapping[str, str]) -> str:
    names = [name for name in recorded if recorded[name] != now.get(name)]
    return (
        ", ".join(f"{column_label(name)} {recorded[name]}" for name in names)
        or "of the same settings"
    )


def changes(complete: Iterable[Run], missing: Sequence[Mapping[str, str]]) -> list[str]:
    """Return lines on complete runs of the same settings, but of other code, libraries or data.

    `missing` are the identity tags of runs that are not complete.
    """
    asked = {tags[ASKED]: tags for tags in missing}
    latest = {run.data.tags.get(ASKED, ""): run.data.tags for run in reversed([*complete])}
    both = [(recorded, asked[key]) for key, recorded in latest.items() if key in asked]
    code = Counter((recorded[CODE], current[CODE]) for recorded, current in both)
    libraries = Counter(_upgraded(recorded, current) for recorded, current in both)
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
    if data := sum(recorded[DATA] != current[DATA] for recorded, current in both):
        lines.append(f"complete with other data than there is now: {data}, to run again")
    return lines


def _upgraded(recorded: Mapping[str, str], current: Mapping[str, str]) -> tuple[str, str]:
    """The libraries whose versions differ between two runs' tags, as text."""
    then, now = (parse_versions(tags.get(VERSIONS, "")) for tags in (recorded, current))
    moved = [name for name in then if name in now and then[name] != now[name]]
    return format_versions({name: then[name] for name in moved}), format_versions(
        {name: now[name] for name in moved}
    )


def parent_run(client: MlflowClient, experiment: str, sweep: str) -> Run | None:
    """Return the parent run of a sweep, or None."""
    query = f"tags.`{SWEEP}` = '{sweep}' and tags.`{KIND}` = 'sweep'"
    return next(runs(client, experiment, query), None)


def _configuration(run: Run) -> str:
    tags = run.data.tags
    return tags.get(ASKED, tags[HASH])


def commands(client: MlflowClient, experiment: str) -> list[str]:
    """Return the commands of the sweeps of an experiment, the oldest first."""
    sweeps = runs(client, experiment, f"tags.`{KIND}` = 'sweep'")
    typed = [run.data.tags[COMMAND] for run in sweeps if COMMAND in run.data.tags]
    return list(dict.fromkeys(reversed(typed)))


def unfinished_runs(client: MlflowClient, experiment: str) -> list[str]:
    """Return names and states of the configurations whose newest run is not complete."""
    complete = complete_runs(client, experiment)
    latest = newest_generation(runs(client, experiment, f"tags.`{HASH}` != ''"))
    return sorted(
        f"{run.info.run_name} ({run.data.tags.get(STATE, 'unknown')})"
        for run in latest
        if run.data.tags[HASH] not in complete
    )
