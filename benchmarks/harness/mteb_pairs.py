"""mteb's retrieval evaluation of language pairs, from an evaluation set in memory."""

import logging
import warnings
from collections.abc import Sequence

import mteb
from datasets import Dataset, disable_progress_bars
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData
from mteb.abstasks.task_metadata import TaskMetadata
from sentence_transformers import SentenceTransformer

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.items import LanguagePair

Splits = dict[LanguagePair, RetrievalSplitData]
"""Corpus, queries and judgements of each pair."""

logging.getLogger("mteb").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", module="mteb")
disable_progress_bars()


class Pairs(AbsTaskRetrieval):
    """A subset a language pair, as in mteb's own multilingual retrieval tasks."""

    metadata = TaskMetadata(
        name="LanguagePairs",
        dataset={"path": "in-memory", "revision": "1"},
        description="Queries of one language, passages of one language.",
        type="Retrieval",
        category="t2t",
        eval_langs=["mul-Zyyy"],
        main_score="ndcg_at_10",
    )

    def __init__(self, splits: Splits) -> None:
        super().__init__()
        self.hf_subsets = [str(pair) for pair in splits]
        self.dataset = {str(pair): {"test": split.copy()} for pair, split in splits.items()}
        self.data_loaded = True


def evaluate_pairs(model: SentenceTransformer, splits: Splits) -> dict[LanguagePair, float]:
    """nDCG@10 of each pair; everything as mteb does it by default, and nothing read from its cache
    of results."""
    result = mteb.evaluate(model, Pairs(splits), cache=None, show_progress_bar=False)
    scores = {each["hf_subset"]: each for each in result.task_results[0].scores["test"]}
    return {pair: scores[str(pair)]["ndcg_at_10"] for pair in splits}


def splits_of(evaluation_set: EvaluationSet) -> Splits:
    """Every pair of its languages."""
    of = evaluation_set
    queries = _a_language(of.query_ids, of.queries, of.query_languages)
    passages = _a_language(of.passage_ids, of.passages, of.passage_languages)
    relevant: dict[LanguagePair, dict[str, dict[str, int]]] = {}
    for q, p, grade in zip(of.query_J, of.passage_J, of.grade_J, strict=True):
        pair = LanguagePair(of.query_languages[q], of.passage_languages[p])
        judged = relevant.setdefault(pair, {}).setdefault(of.query_ids[q], {})
        judged[of.passage_ids[p]] = int(grade)
    return {
        LanguagePair(query, passage): RetrievalSplitData(
            corpus=passages[passage],
            queries=queries[query],
            relevant_docs=relevant[LanguagePair(query, passage)],
            top_ranked=None,
        )
        for query in queries
        for passage in passages
    }


def _a_language(
    ids: Sequence[str], texts: Sequence[str], languages: Sequence[str]
) -> dict[str, Dataset]:
    rows: dict[str, list[dict[str, str]]] = {}
    for row_id, text, language in zip(ids, texts, languages, strict=True):
        rows.setdefault(language, []).append({"id": row_id, "text": text})
    return {language: Dataset.from_list(of) for language, of in rows.items()}
