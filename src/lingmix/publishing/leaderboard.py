"""What mteb's leaderboard takes: the fields of its `ModelMeta`, and results in its JSON form.

Of the sets that mteb has, those whose task is the same are written: BEIR's, MIRACL and Belebele. Of
the metrics those that both have: mteb's mAP is cut, ours is not.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.core import get_global

from lingmix.data.items import LanguagePair
from lingmix.evaluation.metric_names import TEST, parsed
from lingmix.model.layout import write_json
from lingmix.publishing.model_facts import ModelFacts
from lingmix.tracking.identity import HASH
from lingmix.tracking.recorded_run import RecordedRun

FOLDER = "mteb"
SHARED_METRICS = ("ndcg_at_10", "recall_at_1", "recall_at_10", "recall_at_100", "mrr_at_10")
MAIN = "ndcg_at_10"

BEIR = {
    "beir_arguana": "ArguAna",
    "beir_climate_fever": "ClimateFEVER",
    "beir_dbpedia_entity": "DBPedia",
    "beir_fever": "FEVER",
    "beir_fiqa": "FiQA2018",
    "beir_hotpotqa": "HotpotQA",
    "beir_nfcorpus": "NFCorpus",
    "beir_nq": "NQ",
    "beir_quora": "QuoraRetrieval",
    "beir_scidocs": "SCIDOCS",
    "beir_scifact": "SciFact",
    "beir_trec_covid": "TRECCOVID",
}
"""mteb's tasks by the names of our sets; without MS MARCO, which it reports on another split, and
Touche-2020, of which it has another version."""

MEBIBYTE, FLOAT32 = 2**20, 4
BIBLIOGRAPHIC = (
    "alb", "arm", "baq", "bur", "chi", "cze", "dut", "fre", "geo", "ger", "gre", "ice", "mac",
    "mao", "may", "per", "rum", "slo", "tib", "wel",
)  # fmt: skip
"""Codes of ISO 639-2 for libraries, which have another code in ISO 639-3."""

ALPHA_3 = {
    two: three
    for three, two in get_global("language_aliases").items()
    if len(three) == 3 and len(two) == 2 and three not in BIBLIOGRAPHIC
} | {"zh": "zho", "fa": "fas", "ar": "arb", "sw": "swh"}
"""ISO 639-3 by ISO 639-1; CLDR lists several for some, of which mteb takes these."""

MIRACL_NAMES = {"ar": "ara-Arab", "sw": "swa-Latn"}
"""Languages that mteb names otherwise in MIRACL than elsewhere."""

ENGLISH = "eng_Latn"
"""Of two different languages, one is English in mteb's Belebele."""


def write_mteb(
    folder: Path, recorded: RecordedRun, facts: ModelFacts, *, repo: str, license: str | None
) -> None:
    """Writes `mteb/model_meta.json`, and a file of results for each task that is mteb's too."""
    meta = model_meta(recorded, facts, repo=repo, license=license)
    place = folder / FOLDER
    place.mkdir()
    write_json(meta, place / "model_meta.json")
    write_results(place / "results", recorded)


def write_results(folder: Path, recorded: RecordedRun) -> None:
    """Writes a file of results for each task that is mteb's too."""
    for result in _task_results(recorded):
        write_json(result, folder / f"{result['task_name']}.json")


def model_meta(
    recorded: RecordedRun, facts: ModelFacts, *, repo: str, license: str | None
) -> dict[str, Any]:
    """Returns the fields of mteb's `ModelMeta`; its loader is sentence-transformers' own."""
    config, ended = recorded.config, recorded.run.info.end_time / 1000
    trained = [row.dataset for row in recorded.inputs if _is_training(row)]
    lengths = [length for length in facts.lengths.values() if length]
    languages = config["languages"]
    return {
        "name": repo if "/" in repo else f"lingmix/{repo}",
        "revision": recorded.run.data.tags[HASH],
        "release_date": datetime.fromtimestamp(ended, UTC).date().isoformat(),
        "languages": None
        if languages == "all"
        else sorted(filter(None, map(mteb_language, languages))),
        "n_parameters": facts.parameters,
        "n_embedding_parameters": facts.embedding_parameters,
        "memory_usage_mb": round(facts.parameters * FLOAT32 / MEBIBYTE),
        "max_tokens": max(lengths, default=None),
        "embed_dim": facts.dimension,
        "license": license.lower() if license else "not specified",
        "open_weights": True,
        "public_training_code": recorded.run.data.tags.get("mlflow.source.git.repoURL"),
        "public_training_data": all(data.source_type != "local" for data in trained),
        "framework": ["Sentence Transformers", "PyTorch", "safetensors"],
        "similarity_fn_name": "cosine",
        "use_instructions": any(facts.prompts.values()),
        "training_datasets": sorted({data.name for data in trained}),
        "adapted_from": facts.base_model,
        "modalities": ["text"],
    }


def _is_training(row: Any) -> bool:
    return any(tag.value == "training" for tag in row.tags)


def mteb_language(language: str) -> str | None:
    """Returns `eng-Latn` for `en`, None for what has no ISO 639-3 code or script in CLDR."""
    likely = get_global("likely_subtags").get(language)
    code = ALPHA_3.get(language)
    return f"{code}-{likely.split('_')[1]}" if likely and code else None


def _task_results(recorded: RecordedRun) -> Iterator[dict[str, Any]]:
    """Yields mteb's `TaskResult` of each set that it has, from the scores of language pairs."""
    evaluation, scores = recorded.config["evaluation"], recorded.scores
    for name, node in evaluation.items():
        task = _task(name, node)
        rows = [*_rows(task, name, node, scores)] if task else []
        if task and rows:
            yield {
                "task_name": task,
                "dataset_revision": str(node.get("revision", "1.0")),
                "mteb_version": None,
                "scores": {str(node.get("split", TEST)): rows},
                "evaluation_time": None,
                "kg_co2_emissions": None,
            }


def _task(name: str, node: Mapping[str, Any]) -> str | None:
    reader = str(node["_target_"]).rpartition(".")[2]
    if reader == "read_miracl":
        return None if node.get("judged_only") else "MIRACLRetrieval"
    return "BelebeleRetrieval" if reader == "read_belebele" else BEIR.get(name)


def _rows(
    task: str, set_name: str, node: Mapping[str, Any], scores: Mapping[str, float]
) -> Iterator[dict[str, Any]]:
    pairs: dict[LanguagePair, dict[str, float]] = {}
    for name in parsed(scores):
        pair, metric = name.score.scope, name.score.metric
        ours = name.split == TEST and name.set == set_name and metric in SHARED_METRICS
        if ours and isinstance(pair, LanguagePair):
            pairs.setdefault(pair, {})[metric] = scores[str(name)]
    for pair, values in pairs.items():
        if found := _subset(task, pair, node):
            subset, languages = found
            row = {"hf_subset": subset, "languages": languages, "main_score": values[MAIN]}
            yield row | values


def _subset(
    task: str, pair: LanguagePair, node: Mapping[str, Any]
) -> tuple[str, list[str | None]] | None:
    """A language pair's name in a task of mteb and its languages, None where it has it not. Pairs
    of Belebele are named by FLORES codes, the passage's first."""
    query, passage = pair
    if task == "BelebeleRetrieval":
        codes = [node["languages"][passage], node["languages"][query]]
        if query != passage and ENGLISH not in codes:
            return None
        return "-".join(codes), [code.replace("_", "-") for code in codes]
    if task == "MIRACLRetrieval":
        return query, [MIRACL_NAMES.get(query) or mteb_language(query)]
    return "default", [mteb_language(query)]
