"""The export command: folders that other tools read, equal to what the run has recorded."""

import json

import numpy as np
import onnxruntime
import pytest
from mlflow import MlflowClient
from sentence_transformers import SentenceTransformer

from lingmix.assembly.vocabulary import exported_vocabulary
from lingmix.cli.config import resolved
from lingmix.commands.export import export
from lingmix.errors import InputError
from lingmix.model.embed import encode_texts
from lingmix.publishing.choice import worth
from lingmix.publishing.records import load_encoder_of
from lingmix.tracking.lifecycle import KIND, STATE
from tests.publishing.conftest import MAP

TEXTS = ["Which currency is used in Japan?", "Kürzer.", "Der Yen ist die Währung von Japan."]


def ours(recorded, role):
    encoder = load_encoder_of(recorded)
    return encode_texts(encoder, TEXTS, role, batch_tokens=4096, precision="32-true")


def test_each_form_is_measured_beside_the_record(exported, trained):
    folder, said = exported
    rows = {line.split()[0]: line.split() for line in said.splitlines() if " multilingual " in line}
    recorded = f"{trained.recorded.scores[MAP]:.4f}"
    assert {*rows} == {"sentence_transformers", "onnx", "onnx_int8", "openvino"}
    for form in ("sentence_transformers", "onnx", "openvino"):
        assert rows[form][3:6] == ["mAP", recorded, recorded]
    assert said.splitlines()[-1] == str(folder)


def test_sentence_transformers_gives_the_vectors_of_the_run(exported, trained):
    model = SentenceTransformer(str(exported[0]), device="cpu")
    for role, encode in (("query", model.encode_query), ("passage", model.encode_document)):
        np.testing.assert_allclose(encode(TEXTS), ours(trained.recorded, role), atol=1e-5)


@pytest.mark.parametrize(("form", "atol"), [("model", 1e-5), ("model_int8", 0.2)])
def test_onnxruntime_gives_them_from_the_graph_alone(exported, trained, form, atol):
    session = onnxruntime.InferenceSession(exported[0] / f"onnx/{form}.onnx")
    encoder = load_encoder_of(trained.recorded)
    for row, ids in enumerate(encoder.tokenize(TEXTS, "query")):
        inputs = {"input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), int)}
        hidden, vector = session.run(["last_hidden_state", "sentence_embedding"], inputs)
        assert hidden.shape == (1, len(ids), encoder.dimension)
        np.testing.assert_allclose(vector[0], ours(trained.recorded, "query")[row], atol=atol)


def test_a_cut_is_in_the_model_itself(trained, tmp_path):
    asked = [f"folder={tmp_path / 'cut'}", "dimensions=8", "limit=1"]
    export(trained.configured("export", f"run={trained.recorded.id}", *asked))
    cut = ours(trained.recorded, "query")[:, :8]
    expected = cut / np.linalg.norm(cut, axis=1, keepdims=True)
    model = SentenceTransformer(str(tmp_path / "cut"), device="cpu")
    np.testing.assert_allclose(model.encode_query(TEXTS), expected, atol=1e-5)


def test_a_vocabulary_of_the_runs_texts_changes_nothing_that_it_measures(trained, tmp_path):
    asked = [f"folder={tmp_path / 'used'}", "vocabulary=used", "limit=0.0001"]
    export(trained.configured("export", "run=best", *asked))
    assert "only the token pieces that its run" in (tmp_path / "used/README.md").read_text()


def test_pieces_that_no_text_of_a_run_uses_are_left_out_and_come_back(trained, tmp_path):
    text = "Der Yen ist die Währung von Japan."
    item = {"id": "1", "domain": "", "queries": {"de": [text]}, "passages": {"de": [text]}}
    (tmp_path / "items.jsonl").write_text(json.dumps(item))
    began = (
        *("encoder=pretrained", f"encoder.name={trained.recorded.path('model')}"),
        *("data=items", f"data.path={tmp_path / 'items.jsonl'}"),
        *("languages=[de]", "~evaluation.cldr_currency", "encoder.vocabulary=used"),
    )
    config = resolved(trained.configured("train", *began))
    whole = load_encoder_of(trained.recorded)
    size, before = whole.embedder.vocabulary, whole.fingerprint()
    vectors = encode_texts(whole, [text], "query", batch_tokens=4096, precision="32-true")
    smaller = exported_vocabulary(whole, "used", config, output_dir=tmp_path)
    assert smaller.embedder.vocabulary < size
    same = encode_texts(smaller, [text], "query", batch_tokens=4096, precision="32-true")
    np.testing.assert_array_equal(same, vectors)
    restored = exported_vocabulary(smaller, "restored", config, output_dir=tmp_path)
    assert restored.fingerprint() == before
    with pytest.raises(InputError, match=r"vocabulary: restored is for a run .* got one with all"):
        exported_vocabulary(restored, "restored", trained.recorded.config, output_dir=tmp_path)


def test_a_form_that_is_not_equal_is_refused_and_leaves_nothing(trained, tmp_path):
    asked = [f"folder={tmp_path / 'cut'}", "dimensions=1", "limit=0.001"]
    with pytest.raises(InputError, match=r"limit: sentence_transformers changes test/cldr.* more"):
        export(trained.configured("export", "run=best", *asked))
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["run=0123"], "run: no run '0123' is recorded"),
        (["run=best", "name=other"], "name: no experiment 'other' is recorded"),
        (["run=best", "metric=multilingual/mapp"], "metric: must name one of what"),
        (["run=best", "of_sweep=none"], "of_sweep: no sweep 'none' is recorded; there are: none"),
        (["run=best", "dimensions=16"], "dimensions: must be below the 16"),
    ],
)
def test_bad_input_ends_in_a_line(trained, tmp_path, overrides, line):
    folder = f"folder={tmp_path / 'model'}"
    with pytest.raises(InputError, match=line):
        export(trained.configured("export", folder, *overrides))
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_exists_is_left_as_it_is(trained, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"folder: .* exists; name another one"):
        export(trained.configured("export", "run=best", f"folder={tmp_path}"))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_runs_that_cannot_be_exported_are_refused(trained, tmp_path):
    client: MlflowClient = trained.recorded.client
    experiment = trained.recorded.run.info.experiment_id
    cases = {
        "must be complete, it is failed": {STATE: "failed"},
        "is of kind evaluation, which has no model": {STATE: "complete", KIND: "evaluation"},
        "has no model that can be fetched|has no config.yaml": {STATE: "complete"},
        "is deleted; `MLFLOW_TRACKING_URI=sqlite:.* mlflow runs restore": {STATE: "complete"},
    }  # fmt: skip
    for line, tags in cases.items():
        run = client.create_run(experiment, tags=tags).info.run_id
        if "deleted" in line:
            client.delete_run(run)
        with pytest.raises(InputError, match=line):
            export(trained.configured("export", f"run={run}", f"folder={tmp_path / 'model'}"))
    assert [*tmp_path.iterdir()] == []


def test_the_best_is_the_lowest_of_a_distance_and_the_nearest_of_a_bias():
    assert worth("map", 0.3) > worth("map", 0.2)
    assert worth("rank_distance", 0.2) > worth("rank_distance", 0.3)
    assert worth("share_gap", -0.1) > worth("share_gap", 0.3)


def test_the_folder_says_what_sentence_transformers_6_needs(exported):
    named = json.loads((exported[0] / "modules.json").read_text())
    assert [row["path"] for row in named] == ["", "1_Pooling", "2_Normalize"]


def test_the_same_export_is_not_made_again(exported, trained):
    folder, _ = exported
    before = (folder / "model.safetensors").stat().st_mtime_ns
    forms = "forms=[onnx,onnx_int8,openvino]"
    asked = [f"run={trained.recorded.id}", f"folder={folder}", forms, "limit=0.2"]
    assert "exported already" in export(trained.configured("export", *asked))
    assert (folder / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"folder: .* exists"):
        export(trained.configured("export", *asked[:-1], "limit=0.3"))
