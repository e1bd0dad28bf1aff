"""Scores of an encoder on evaluation sets, every setting read off one encoding."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.tokens import Role
from lingmix.evaluation.dense import DenseScorer, Embeddings
from lingmix.evaluation.from_search import searched_scores
from lingmix.evaluation.ranks import Scorer
from lingmix.evaluation.scores import SetScores, score
from lingmix.evaluation.self_matches import mask_self_matches
from lingmix.evaluation.trec import write_trec
from lingmix.search.exact import Searcher
from lingmix.search.vectors import Vectors

Encode = Callable[[Sequence[str], Role], Embeddings]
"""Texts in a role -> unit vectors, one row a text. To encode a text once, however many sets share
it, is its affair."""


class RunFiles(NamedTuple):
    """TREC run and qrels files, a folder a set, of `depth` passages a query."""

    folder: Path
    depth: int


def evaluate_encoder(
    encode: Encode,
    evaluation_sets: Iterable[EvaluationSet],
    *,
    depth: int | None,
    temperature: float,
    seed: int,
    run_files: RunFiles | None = None,
) -> Iterator[SetScores]:
    """Exact, set by set. A passage ranked beyond `depth` counts as not retrieved (None: no end),
    though language bias looks at the whole pool. The temperature is the model's own; the seed draws
    the negatives of the contrastive entropy."""
    for one in evaluation_sets:
        queries, passages = encode(one.queries, "query"), encode(one.passages, "passage")
        scorer = mask_self_matches(one, DenseScorer(one, queries, passages))
        write_runs(one, scorer, run_files)
        yield score(one, scorer, depth=depth, temperature=temperature, seed=seed)


def evaluate_by_search(
    encode: Callable[[Sequence[str], Role], Vectors],
    evaluation_sets: Iterable[EvaluationSet],
    searcher: Searcher,
    *,
    depth: int,
    seed: int,
) -> Iterator[SetScores]:
    """The scores of the `depth` passages found for each query; others count as not retrieved."""
    for one in evaluation_sets:
        queries, passages = encode(one.queries, "query"), encode(one.passages, "passage")
        yield searched_scores(one, queries, passages, searcher, depth=depth, seed=seed)


def write_runs(evaluation_set: EvaluationSet, scorer: Scorer, files: RunFiles | None) -> None:
    if files is not None:
        folder = files.folder / evaluation_set.name
        write_trec(evaluation_set, scorer, depth=files.depth, folder=folder)
