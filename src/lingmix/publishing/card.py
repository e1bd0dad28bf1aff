"""The model card, made from the record of a run."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from lingmix.evaluation.bias import BIAS
from lingmix.evaluation.metric_names import (
    MAP,
    SETTINGS,
    TEST,
    MetricName,
    ScoreName,
    on_test_set,
    parsed,
)
from lingmix.evaluation.metrics import METRICS
from lingmix.publishing.equality import Compared, Interval, recorded_interval
from lingmix.publishing.model_facts import ModelFacts
from lingmix.publishing.origin import command_of, data_rows, training_rows
from lingmix.tracking.identity import CODE
from lingmix.tracking.recorded_run import Best, RecordedRun

CARD = "README.md"
TEMPLATE = Path(__file__).with_name("card.md.jinja")


class Asked(NamedTuple):
    """What the user says of the model: its name on the Hub or elsewhere, its licence, and licences
    of data sets by their names."""

    repo: str
    license: str | None
    data_licenses: Mapping[str, str]


def write_card(
    folder: Path,
    best: Best,
    facts: ModelFacts,
    compared: Sequence[Compared],
    *,
    figures: Mapping[str, str],
    asked: Asked,
) -> None:
    """Writes the card into the folder; `figures` are the files of trade-off figures by the set."""
    recorded = best.recorded
    scores, per_query = recorded.scores, recorded.path("per_query.parquet")
    languages = evaluated_languages(per_query)
    run, tags = recorded.run, recorded.run.data.tags
    card = ModelCard.from_template(
        _metadata(recorded, facts, scores, languages, asked),
        template_path=str(TEMPLATE),
        name=f"{asked.repo} ({recorded.name})",
        repo=asked.repo,
        languages=languages,
        facts=facts,
        run_id=recorded.id,
        version=tags.get(CODE, "").partition("-")[0],
        date=datetime.fromtimestamp(run.info.end_time / 1000, UTC).date(),
        seeds=1,
        chosen=best if best.trainings > 1 else None,
        sets=[_of_set(name, scores, per_query, figure=figures.get(name)) for name in _sets(scores)],
        untested=[*untested(recorded.config, scores, per_query, facts)],
        data=[*data_rows(recorded, asked.data_licenses)],
        command=command_of(recorded),
        training=training_rows(recorded),
        changes=_changes(compared, (MAP,)),
        all_changes=_changes(compared, METRICS),
    )
    card.save(folder / CARD)


def evaluated_languages(per_query: Path) -> list[str]:
    """Returns the languages of the queries and passages that were evaluated."""
    table = pl.scan_parquet(per_query).select("query_language", "passage_language").collect()
    return sorted({*table["query_language"], *table["passage_language"].drop_nulls()})


def _metadata(
    recorded: RecordedRun,
    facts: ModelFacts,
    scores: Mapping[str, float],
    languages: list[str],
    asked: Asked,
) -> ModelCardData:
    return ModelCardData(
        language=languages,
        license=asked.license,
        library_name="sentence-transformers",
        pipeline_tag="sentence-similarity",
        tags=["lingmix", "sentence-transformers", "feature-extraction", "multilingual"],
        base_model=facts.base_model,
        model_name=asked.repo,
        eval_results=[*eval_results(scores)],
    )


def eval_results(scores: Mapping[str, float]) -> Iterator[EvalResult]:
    """Yields each retrieval metric of each setting of each set, for `model-index`."""
    for name in _settings(scores):
        metric, setting = name.score.metric, str(name.score.scope)
        yield EvalResult(
            task_type="information-retrieval",
            task_name=f"{setting} retrieval",
            dataset_type=name.set,
            dataset_name=name.set,
            dataset_config=setting,
            dataset_split=TEST,
            metric_type=metric,
            metric_name=METRICS[metric].label,
            metric_value=scores[str(name)],
        )


def _settings(scores: Mapping[str, float]) -> list[MetricName]:
    return [
        name
        for name in parsed(scores)
        if name.split == TEST and name.score.metric in METRICS and name.score.scope in SETTINGS
    ]


def _sets(scores: Mapping[str, float]) -> list[str]:
    return [*dict.fromkeys(name.set for name in _settings(scores))]


def _of_set(
    name: str, scores: Mapping[str, float], per_query: Path, *, figure: str | None
) -> dict[str, Any]:
    head = ["", *(metric.label for metric in METRICS.values())]
    rows = [head, ["---", *("---:" for _ in METRICS)]]
    for setting in SETTINGS:
        found = [ScoreName(metric, setting) for metric in METRICS]
        values = [scores.get(on_test_set(name, str(score))) for score in found]
        if any(value is not None for value in values):
            rows.append([setting, *map(_cell(name, per_query), found, values)])
    bias = (
        (of, scores.get(on_test_set(name, str(ScoreName(metric, "multilingual")))))
        for metric, of in BIAS.items()
    )
    return {
        "name": name,
        "table": "\n".join(f"| {' | '.join(row)} |" for row in rows),
        "bias": ", ".join(f"{of.label} {of.format(v)}" for of, v in bias if v is not None),
        "figure": figure,
    }


def _cell(set_name: str, per_query: Path) -> Any:
    def cell(score: ScoreName, value: float | None) -> str:
        if value is None:
            return ""
        bounds = recorded_interval(per_query, set_name, score)
        return f"{value:.4f} {_bounds(bounds)}"

    return cell


def _bounds(bounds: Interval, form: str = ".3f") -> str:
    return f"[{bounds.low:{form}}, {bounds.high:{form}}]"


def untested(
    config: Mapping[str, Any], scores: Mapping[str, float], per_query: Path, facts: ModelFacts
) -> Iterator[str]:
    """Yields lines on what the record says nothing of."""
    sets = _sets(scores)
    yield f"Any other data, domain or kind of text than {', '.join(sets)}."
    languages, trained = evaluated_languages(per_query), config["languages"]
    yield f"Any language but {', '.join(languages)}."
    if trained != "all" and (absent := sorted({*trained} - {*languages})):
        yield f"{', '.join(absent)}, which it was trained on."
    for name in sets:
        found = {row.score.scope for row in _settings(scores) if row.set == name}
        if absent := [setting for setting in SETTINGS if setting not in found]:
            yield f"{name}: the {' and '.join(absent)} setting."
    longest = max((length for length in facts.lengths.values() if length), default=None)
    if longest:
        yield f"Texts of more than {longest} tokens, which are cut."
    if facts.trimmed:
        yield (
            "Texts of other words: it has only the token pieces that its run's texts use, and "
            "splits others into more of them, down to characters, or to unknown ones."
        )
    yield "Other seeds of the same training; harm that texts it finds may do."


def _changes(compared: Sequence[Compared], metrics: Collection[str]) -> str:
    rows = ["| form | set | setting | metric | recorded | exported | change |", "|---" * 7 + "|"]
    rows += [
        f"| {one.form} | {row.set} | {row.score.scope} | {METRICS[row.score.metric].label} | "
        f"{row.recorded:.4f} | {row.exported:.4f} | {row.change.mean:+z.4f} "
        f"{_bounds(row.change, '+.4f')} |"
        for one in compared
        for row in one.changes
        if row.score.metric in metrics
    ]
    return "\n".join(rows)
