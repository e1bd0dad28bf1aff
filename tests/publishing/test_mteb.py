"""Results for mteb's leaderboard are read by its own classes, as its tasks name them."""

from itertools import product
from types import SimpleNamespace

import mteb
import pytest
from hydra import compose, initialize_config_dir
from mteb.results import TaskResult

from lingmix.cli.config import CONF, resolved
from lingmix.evaluation.metrics import METRICS
from lingmix.publishing.leaderboard import BEIR, mteb_language, write_results


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> dict[str, TaskResult]:
    """Of scores 0.1 and so on by the order of language pairs, in the languages of our sets."""
    choices = ["belebele", "miracl", *BEIR]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = [compose("evaluate", [f"evaluation={name}", "encoder=tiny"]) for name in choices]
    nodes = {name: node for one in composed for name, node in resolved(one)["evaluation"].items()}
    scores = {}
    for name, node in nodes.items():
        languages = [*node["languages"]] if name in ("belebele", "miracl") else ["en"]
        pairs = (
            [(one, one) for one in languages]
            if name == "miracl"
            else [*product(languages, repeat=2)]
        )
        for number, (query, passage) in enumerate(pairs):
            at = f"test/{name}/pair/{query}-{passage}"
            scores |= {f"{at}/{metric}": number / 1000 for metric in METRICS}
    folder = tmp_path_factory.mktemp("mteb")
    write_results(folder, SimpleNamespace(config={"evaluation": nodes}, scores=scores))
    return {file.stem: TaskResult.from_disk(file) for file in folder.glob("*.json")}


def test_results_are_of_the_subsets_that_its_tasks_have(results):
    assert {*results} == {"BelebeleRetrieval", "MIRACLRetrieval", *BEIR.values()}
    for name, result in results.items():
        metadata = mteb.get_task(name).metadata
        subsets = metadata.hf_subsets_to_langscripts
        for split, rows in result.scores.items():
            assert split in metadata.eval_splits
            for row in rows:
                assert row["languages"] == subsets[row["hf_subset"]]


def test_a_pair_of_belebele_is_named_the_passages_language_first(results):
    """Of 21 languages: ar-en is the fifth pair."""
    rows = {row["hf_subset"]: row for row in results["BelebeleRetrieval"].scores["test"]}
    assert rows["eng_Latn-arb_Arab"]["main_score"] == 0.004
    assert rows["eng_Latn-arb_Arab"]["ndcg_at_10"] == 0.004
    assert len(rows) == 21 + 2 * 20
    assert results["SciFact"].get_score() == 0.0


def test_languages_are_named_as_mteb_names_them():
    names = {"en": "eng-Latn", "de": "deu-Latn", "zh": "zho-Hans", "ar": "arb-Arab", "xx": None}
    assert {language: mteb_language(language) for language in names} == names
