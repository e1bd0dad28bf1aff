"""What a run reads, as MLflow shows it."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import mlflow.data
import pytest

from lingmix.tracking import contents
from lingmix.tracking.datasets import dataset_inputs, log_inputs
from lingmix.tracking.identity import HASH
from lingmix.tracking.outbox.sender import open_outbox
from lingmix.tracking.store.client import open_store

PAIRS = "lingmix.data.sources.pair_rows.read_pairs"
CLDR = "lingmix.data.sources.cldr.cldr_evaluation_set"


def configured(path):
    return {
        "data": {
            "train": [{"_target_": PAIRS, "path": str(path)}],
            "development": {"_target_": CLDR, "languages": ["en"], "split": "development"},
        },
        "evaluation": {
            "mlqa": {"_target_": "x.read_mlqa_r", "url": "https://u:secret@h/m.zip"},
            "belebele": {"_target_": "x.read_belebele", "repo": "facebook/b", "revision": "7"},
        },
    }


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "ntrex" / "pairs.jsonl"
    path.parent.mkdir()
    path.write_text("one")
    return path


def digest_of(path):
    contents._content.cache_clear()
    return dataset_inputs(configured(path))[0]["digest"]


def test_sources_have_names_contexts_and_places_that_mlflow_reads(pairs):
    found = dataset_inputs(configured(pairs))
    assert [(one["name"], one["context"], one["source_type"]) for one in found] == [
        ("ntrex/pairs.jsonl", "training", "local"),
        ("development", "development", "code"),
        ("mlqa", "test", "http"),
        ("belebele", "test", "hugging_face"),
    ]
    assert json.loads(found[0]["source"]) == {"uri": str(pairs)}
    assert "babel 2." in found[1]["source"]
    assert json.loads(found[1]["profile"])["split"] == "development"


def test_a_password_in_a_source_is_not_shown(pairs):
    assert "secret" not in json.dumps(dataset_inputs(configured(pairs)))


def test_a_digest_is_of_what_a_file_holds_wherever_it_lies(pairs, tmp_path):
    elsewhere = tmp_path / "copy.jsonl"
    elsewhere.write_text("one")
    before = digest_of(pairs)
    assert digest_of(elsewhere) == before
    pairs.write_text("other")
    assert digest_of(pairs) != before


def test_inputs_reach_the_store_once_also_when_a_run_goes_on(client, experiment, pairs, tmp_path):
    def run(error):
        with open_outbox(
            client.tracking_uri,
            folder=tmp_path / "work",
            experiment=tmp_path.name,
            output_dir=tmp_path,
            run={"name": "run", "params": {}, "tags": {HASH: "hash"}, "parent": None},
            inputs=dataset_inputs(configured(pairs)),
            wait=5.0,
        ):
            if error:
                raise error

    with pytest.raises(RuntimeError):
        run(RuntimeError())
    run(None)
    (found,) = client.search_runs([experiment])
    logged = found.inputs.dataset_inputs
    contexts = {one.dataset.name: {tag.key: tag.value for tag in one.tags} for one in logged}
    assert len(logged) == 4
    assert contexts["mlqa"] == {"mlflow.data.context": "test"}
    assert {type(mlflow.data.get_source(one)).__name__ for one in logged} == {
        "LocalArtifactDatasetSource",
        "CodeDatasetSource",
        "HTTPDatasetSource",
        "HuggingFaceDatasetSource",
    }


def test_runs_that_bring_the_same_new_data_at_once_all_have_it(client, experiment, pairs):
    logged = dataset_inputs(configured(pairs))
    runs = [client.create_run(experiment).info.run_id for _ in range(8)]
    together = threading.Barrier(len(runs))

    def log(run_id):
        own = open_store(client.tracking_uri)
        together.wait()
        log_inputs(own, run_id, logged)

    with ThreadPoolExecutor(len(runs)) as pool:
        list(pool.map(log, runs))
    counts = {len(client.get_run(one).inputs.dataset_inputs) for one in runs}
    assert counts == {len(logged)}


def test_each_of_several_files_is_a_source(pairs, tmp_path):
    other = tmp_path / "more.jsonl"
    other.write_text("two")
    config = configured(pairs)
    config["data"]["train"][0]["path"] = [str(pairs), str(other)]
    found = [one for one in dataset_inputs(config) if one["context"] == "training"]
    assert [json.loads(one["source"])["uri"] for one in found] == [str(pairs), str(other)]
    assert (
        found[0]["digest"] == dataset_inputs(configured(pairs))[0]["digest"] != found[1]["digest"]
    )
