"""Evaluates an encoder on evaluation sets; each text is encoded once for all settings."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.tokens import Role
from lingmix.evaluation.centering import Center, CenteredVectors
from lingmix.evaluation.dense import DenseScorer
from lingmix.evaluation.from_search import searched_scores
from lingmix.evaluation.geometry import PassageVectors, geometry
from lingmix.evaluation.metric_names import centered
from lingmix.evaluation.pools import Scorer
from lingmix.evaluation.scores import SetScores, score
from lingmix.evaluation.trec import write_trec
from lingmix.search.exact import Searcher
from lingmix.search.vectors import Embeddings, Vectors

Encode = Callable[[Sequence[str], Role], Embeddings]
"""Turns texts in a role into unit vectors, one row a text; may cache texts that sets share."""


class RunFiles(NamedTuple):
    """Where TREC run and qrels files are written, one subfolder a set, and how many passages a
    query they have."""

    folder: Path
    depth: int


def evaluate_encoder(
    encode: Encode,
    evaluation_sets: Iterable[EvaluationSet],
    *,
    depth: int | None,
    temperature: float,
    seed: int,
    center: Center | None = None,
    run_files: RunFiles | None = None,
) -> Iterator[SetScores]:
    """Scores set after set by exact ranks.

    A passage ranked beyond `depth` counts as not retrieved (None: no limit), though language bias
    is measured on the whole pool. `temperature` is that of the model's loss, for the contrastive
    entropy, whose negatives the seed draws. With `center` each set is followed by the same one,
    under the name of `centered`, whose passage vectors are centered.
    """
    for evaluation_set in evaluation_sets:
        queries = encode(evaluation_set.queries, "query")
        passages = encode(evaluation_set.passages, "passage")
        measured = [(evaluation_set, passages)]
        if center is not None:
            centered_passages = CenteredVectors(passages, evaluation_set.passage_languages)
            named = replace(evaluation_set, name=centered(evaluation_set.name))
            measured.append((named, centered_passages))
        for named, vectors in measured:
            yield score_vectors(
                named,
                queries,
                vectors,
                depth=depth,
                temperature=temperature,
                seed=seed,
                run_files=run_files,
            )


def score_vectors(
    evaluation_set: EvaluationSet,
    queries: Embeddings,
    passages: Embeddings,
    *,
    depth: int | None,
    temperature: float,
    seed: int,
    run_files: RunFiles | None = None,
) -> SetScores:
    """Scores a set by the exact ranks of its vectors, and measures these."""
    scorer = DenseScorer(evaluation_set, queries, passages)
    write_runs(evaluation_set, scorer, run_files)
    scores = score(evaluation_set, scorer, depth=depth, temperature=temperature, seed=seed)
    scores.metrics.update(geometry(PassageVectors(evaluation_set, passages, seed)))
    return scores


def evaluate_by_search(
    encode: Callable[[Sequence[str], Role], Vectors],
    evaluation_sets: Iterable[EvaluationSet],
    searcher: Searcher,
    *,
    depth: int,
    seed: int,
) -> Iterator[SetScores]:
    """Scores set after set by the `depth` passages that a search finds for each query; all others
    count as not retrieved."""
    for evaluation_set in evaluation_sets:
        queries = encode(evaluation_set.queries, "query")
        passages = encode(evaluation_set.passages, "passage")
        yield searched_scores(evaluation_set, queries, passages, searcher, depth=depth, seed=seed)


def write_runs(evaluation_set: EvaluationSet, scorer: Scorer, files: RunFiles | None) -> None:
    if files is not None:
        folder = files.folder / evaluation_set.name
        write_trec(evaluation_set, scorer, depth=files.depth, folder=folder)
