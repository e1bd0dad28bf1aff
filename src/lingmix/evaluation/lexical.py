"""Evaluates lexical baselines like an encoder: BM25 on words and TF-IDF on characters."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

import bm25s
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from tokenizers.pre_tokenizers import BertPreTokenizer

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.evaluation.evaluator import RunFiles, write_runs
from lingmix.evaluation.pools import Matrix, PoolScorer, Positions, Scorer
from lingmix.evaluation.scores import SetScores, score

Method = Literal["bm25", "tfidf"]

Corpus = Callable[[Positions], Matrix]
"""Takes positions of C queries; returns their scores for one language's passages."""

UNSPACED = re.compile("([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]+)")
"""Scripts that do not separate words: Thai, Lao, Burmese, Khmer, kana, Han."""


def evaluate_lexical(
    evaluation_sets: Iterable[EvaluationSet],
    *,
    method: Method,
    depth: int | None,
    run_files: RunFiles | None = None,
) -> Iterator[SetScores]:
    """Scores set after set like `evaluate_encoder`, without contrastive entropy: the scores of a
    baseline have no temperature."""
    for evaluation_set in evaluation_sets:
        scorer = LEXICAL[method](evaluation_set)
        write_runs(evaluation_set, scorer, run_files)
        yield score(evaluation_set, scorer, depth=depth, temperature=None, seed=0)


def bm25_scorer(evaluation_set: EvaluationSet) -> Scorer:
    queries = [words(text) for text in evaluation_set.queries]
    passages = [words(text) for text in evaluation_set.passages]

    def corpus(positions: Positions) -> Corpus:
        if not any(passages[p] for p in positions):
            return _nothing(len(positions))
        bm25 = bm25s.BM25()
        bm25.index([passages[p] for p in positions], show_progress=False)
        tokens = [bm25.get_tokens_ids(query) for query in queries]
        return lambda chosen: np.stack([bm25.get_scores_from_ids(tokens[q]) for q in chosen])

    return LexicalScorer(evaluation_set, corpus)


def words(text: str) -> list[str]:
    """Splits a text into lower-cased words; in scripts that do not separate words, into pairs of
    characters."""
    found: list[str] = []
    for word, _ in BertPreTokenizer().pre_tokenize_str(text.lower()):
        for part in filter(None, UNSPACED.split(word)):
            if UNSPACED.match(part):
                found += [part[i : i + 2] for i in range(max(1, len(part) - 1))]
            elif any(map(str.isalnum, part)):
                found.append(part)
    return found


def tfidf_scorer(evaluation_set: EvaluationSet) -> Scorer:
    if not any(text.strip() for text in evaluation_set.passages):
        return LexicalScorer(evaluation_set, lambda positions: _nothing(len(positions)))
    vectorizer = CountVectorizer(analyzer="char_wb", ngram_range=(2, 4), dtype=np.float32)
    passages_PV = vectorizer.fit_transform(evaluation_set.passages)
    queries_QV = vectorizer.transform(evaluation_set.queries)

    def corpus(positions: Positions) -> Corpus:
        weighting = TfidfTransformer(sublinear_tf=True)
        weights_VP = weighting.fit_transform(passages_PV[positions]).T.tocsr()
        return lambda chosen: (weighting.transform(queries_QV[chosen]) @ weights_VP).toarray()

    return LexicalScorer(evaluation_set, corpus)


def _nothing(passages: int) -> Corpus:
    """Scores 0 for a corpus without a word."""
    return lambda chosen: np.zeros((len(chosen), passages), dtype=np.float32)


class LexicalScorer:
    """Scores each language's corpus by its statistics; in a pool the raw scores are compared."""

    def __init__(
        self, evaluation_set: EvaluationSet, corpus: Callable[[Positions], Corpus]
    ) -> None:
        self._language_P = np.asarray(evaluation_set.passage_languages)
        languages = sorted(set(self._language_P.tolist()))
        self._positions = {
            language: np.flatnonzero(self._language_P == language) for language in languages
        }
        self._corpora = {
            language: corpus(positions) for language, positions in self._positions.items()
        }

    def over(self, passages_P: Positions) -> PoolScorer:
        languages = sorted(set(self._language_P[passages_P].tolist()))
        column_of = np.empty(len(self._language_P), dtype=np.int64)
        included = np.concatenate([self._positions[language] for language in languages])
        column_of[included] = np.arange(len(included))
        corpora = [self._corpora[language] for language in languages]
        return LexicalPool(corpora, column_of[passages_P])


class LexicalPool:
    """Scores whole corpora at once, as inverted indexes are not divided into blocks."""

    def __init__(self, corpora: Sequence[Corpus], column_P: Positions) -> None:
        self.width = len(column_P)
        self._corpora = corpora
        self._column_P = column_P

    def scores(self, queries: Positions, columns: Positions) -> Matrix:
        scores_CP = np.hstack([corpus(queries) for corpus in self._corpora])
        return scores_CP.take(self._column_P[columns], axis=1)


LEXICAL: dict[Method, Callable[[EvaluationSet], Scorer]] = {
    "bm25": bm25_scorer,
    "tfidf": tfidf_scorer,
}
