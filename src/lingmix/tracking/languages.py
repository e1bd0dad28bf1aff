"""What a training knows of its languages, recorded beside its results: how much it trained on in
each language pair, and how many tokens its tokenizer needs in each language."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import polars as pl

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.items import LanguagePair

LANGUAGES = "languages.json"
"""The artifact with both."""

Tokenize = Callable[[Sequence[str], Literal["query"]], list[list[int]]]


class LanguageFacts(NamedTuple):
    """`trained_pairs` by language pair; by evaluation set and language `query_tokens`, the mean
    number of tokens of the queries that are asked in all of the set's languages (a tokenizer's
    fertility on the same content, which needs no words: arXiv 2305.15425 compares languages so)."""

    trained_pairs: Mapping[str, int]
    query_tokens: Mapping[str, Mapping[str, float]]


def write_languages(
    folder: Path,
    trained: Mapping[LanguagePair, int],
    sets: Sequence[EvaluationSet],
    tokenize: Tokenize,
) -> None:
    """Writes the artifact into the folder."""
    facts = LanguageFacts(
        {str(pair): count for pair, count in trained.items()},
        {one.name: query_tokens(one, tokenize) for one in sets},
    )
    (folder / LANGUAGES).write_text(json.dumps(facts._asdict(), indent=1), encoding="utf-8")


def read_languages(folder: Path) -> LanguageFacts | None:
    """Reads the artifact; None where a run has none."""
    file = folder / LANGUAGES
    return LanguageFacts(**json.loads(file.read_text("utf-8"))) if file.exists() else None


def query_tokens(evaluation_set: EvaluationSet, tokenize: Tokenize) -> dict[str, float]:
    """Returns the means by language, without what a prompt and special tokens add to every text;
    empty where no question is asked in all languages."""
    asked = pl.DataFrame(
        {"question": evaluation_set.questions, "language": [*evaluation_set.query_languages]}
    ).with_row_index("query")
    languages = asked["language"].n_unique()
    parallel = asked.filter(pl.col("language").n_unique().over("question") == languages)
    texts = [evaluation_set.queries[query] for query in parallel["query"]]
    added = len(tokenize([""], "query")[0])
    counts = [len(ids) - added for ids in tokenize(texts, "query")] if texts else []
    means = parallel.with_columns(tokens=pl.Series(counts, dtype=pl.Float64))
    return dict(means.group_by("language").agg(pl.mean("tokens")).sort("language").iter_rows())
