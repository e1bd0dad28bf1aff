"""The card says what the record says, and mteb finds it so."""

import json
import re
from types import SimpleNamespace

import pytest
from benchmarks.harness.mteb_pairs import evaluate_pairs, splits_of
from huggingface_hub import ModelCard
from mteb.models import ModelMeta
from sentence_transformers import SentenceTransformer

from lingmix.cli.config import evaluation_sets
from lingmix.evaluation.metric_names import SETTINGS, on_test_set
from lingmix.evaluation.metrics import METRICS
from lingmix.publishing.licences import licence_of_evaluation, licence_of_training
from lingmix.publishing.origin import command_of


@pytest.fixture(scope="module")
def card(exported) -> ModelCard:
    return ModelCard.load(exported[0] / "README.md")


def test_the_cards_numbers_are_the_records(card, trained):
    scores = trained.recorded.scores
    labels = {metric.label: name for name, metric in METRICS.items()}
    section = card.text.partition("### cldr_geography")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "]
    head, _, *rows = rows
    assert [row[0] for row in rows] == [*SETTINGS]
    for setting, *cells in rows:
        for label, cell in zip(head[-len(cells) :], cells, strict=True):
            value, low, high = map(float, re.findall(r"-?[\d.]+", cell))
            recorded = scores[on_test_set("cldr_geography", f"{setting}/{labels[label]}")]
            assert value == pytest.approx(recorded, abs=5e-5)
            assert low - 5e-4 <= recorded <= high + 5e-4


def test_model_index_holds_each_metric_of_each_setting(card, trained):
    found = {
        on_test_set(one.dataset_type, f"{one.dataset_config}/{one.metric_type}"): one.metric_value
        for one in card.data.eval_results
    }
    assert len(found) == len(SETTINGS) * len(METRICS)
    assert found == {name: trained.recorded.scores[name] for name in found}
    assert (card.data.language, card.data.library_name) == (["de", "en"], "sentence-transformers")


def test_it_says_what_the_model_is_made_of_and_what_was_not_tested(card, trained):
    for row in trained.recorded.run.inputs.dataset_inputs:
        assert f"`{row.dataset.digest}`" in card.text
    assert "| cldr | training | Unicode-3.0 |" in card.text
    assert str(trained.recorded.path("model").parents[3]) not in card.text
    assert "Any language but de, en." in card.text
    assert "A query is encoded behind `query: `, up to " in card.text


def test_the_command_is_without_what_only_says_where_it_ran(tmp_path):
    given = ["output_dir=/home/me/runs", "tracking.uri=http://host", "languages=[en,de]", "+a.b=1"]
    (tmp_path / "overrides.yaml").write_text(json.dumps(given))
    recorded = SimpleNamespace(path=lambda name: tmp_path / name)
    assert command_of(recorded) == "lingmix-train 'languages=[en,de]' +a.b=1"


def test_licences_are_known_given_or_not_stated():
    assert licence_of_training("mine", {}, {}) == "not stated"
    assert licence_of_training("mine", {}, {"mine": "MIT"}) == "MIT"
    assert licence_of_training("questions", {"mkqa": "CC-BY-SA-3.0"}, {}) == "CC-BY-SA-3.0"
    assert licence_of_training("opus", {"a": "MIT", "b": "BSD"}, {}) == "a: MIT; b: BSD"
    assert licence_of_evaluation("xquad_r", "fetch_xquad_r", {}) == "CC-BY-SA-4.0"
    assert licence_of_evaluation("mine", "read_beir", {"mine": "MIT"}) == "MIT"


def test_mtebs_evaluator_finds_what_the_run_recorded(exported, trained):
    config, scores = trained.recorded.config, trained.recorded.scores
    (of,) = evaluation_sets(config["evaluation"], languages=config["languages"])
    found = evaluate_pairs(SentenceTransformer(str(exported[0]), device="cpu"), splits_of(of))
    assert {*map(str, found)} == {"en-en", "en-de", "de-en", "de-de"}
    for pair, ndcg in found.items():
        recorded = scores[on_test_set(of.name, f"pair/{pair}/ndcg_at_10")]
        assert ndcg == pytest.approx(recorded, abs=1e-5)


def test_mteb_takes_the_fields_of_its_model_meta(exported, trained):
    fields = json.loads((exported[0] / "mteb" / "model_meta.json").read_text())
    meta = ModelMeta(loader=None, **fields)
    assert meta.languages == ["deu-Latn", "eng-Latn"]
    assert (meta.embed_dim, meta.use_instructions, meta.open_weights) == (16, True, True)
    assert (meta.public_training_data, meta.training_datasets) == (True, {"cldr"})
    missing = {"public_training_code", "adapted_from"}  # of a checkout without a remote
    assert {key for key, value in fields.items() if value is None} <= missing
