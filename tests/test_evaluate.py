"""The evaluate command: what it says of a folder is what the run that made it recorded."""

import json
from pathlib import Path

import mlflow.artifacts
import pytest
import pytrec_eval
import torch
from mlflow import MlflowClient
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from lingmix.commands.evaluate import evaluate
from lingmix.commands.sync import sync
from lingmix.commands.train import train
from lingmix.data.sources.cldr import read_cldr
from lingmix.errors import InputError
from lingmix.model.encoder import Encoder, load_encoder
from lingmix.model.unigram import learn_unigram
from lingmix.tracking.history import complete_runs
from lingmix.training.module import DualEncoder
from tests.conftest import QUICK, STATIC

SPECIAL = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
}


def records(config) -> list:
    client = MlflowClient(config.tracking.uri)
    experiment = client.get_experiment_by_name(config.name)
    return list(complete_runs(client, experiment.experiment_id).values())


def files(run, folder) -> Path:
    return Path(mlflow.artifacts.download_artifacts(run.info.artifact_uri, dst_path=str(folder)))


@pytest.fixture
def hugging_face_folder(tmp_path) -> Path:
    """A small model as `save_pretrained` leaves it."""
    items = read_cldr(languages=["en", "de", "tr"], domains=["geography"])
    texts = [text for item in items for one in item.passages.values() for text in one]
    tokenizer = learn_unigram(
        texts, vocabulary=600, special_tokens=list(SPECIAL.values()), cache=tmp_path / "cache"
    )
    folder = tmp_path / "bert"
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL).save_pretrained(folder)
    return folder


def untrained(cache: Path) -> Encoder:
    """A static encoder before its first step."""
    items = read_cldr(languages=["en", "de"], domains=["geography"])
    return load_encoder(
        revision=None,
        name="static",
        scratch={"dimension": 16, "vocabulary": 500, "scale": 0.1, "sparse": False},
        **dict.fromkeys(("prompts", "pooling", "max_length", "attention", "lora")),
        texts=[text for item in items for one in item.passages.values() for text in one],
        cache=cache,
        seed=0,
        compile=False,
        trust_remote_code=False,
    )


@pytest.fixture
def load_module(tmp_path) -> DualEncoder:
    """A static encoder as it is trained."""
    return DualEncoder(
        encoder=untrained(tmp_path / "cache"),
        loss=None,
        optimizer=None,
        max_steps=1,
        development=None,
        micro_batch_tokens=None,
    )


@pytest.mark.parametrize("kind", ["tiny", "static", "hugging_face"])
def test_a_runs_model_scores_the_same_by_the_evaluate_command(
    configure, kind, tmp_path, hugging_face_folder
):
    quick = [one for one in QUICK if kind != "hugging_face" or "scratch" not in one]
    encoder = {
        "tiny": [],
        "static": STATIC,
        "hugging_face": ["encoder=pretrained", f"encoder.name={hugging_face_folder}"],
    }[kind]
    trained = configure("train", *quick, *encoder, "trainer.precision=32-true")
    train(trained)
    (run,) = records(trained)
    folder = files(run, tmp_path / "run")
    evaluated = configure(
        "evaluate",
        f"encoder.name={folder / 'model'}",
        "languages=[en,de]",
        "precision=32-true",
        f"name='{trained.name} again'",
    )
    assert "cldr_currency" in evaluate(evaluated)
    (again,) = records(evaluated)
    expected = json.loads((folder / "scores.json").read_text())
    found = json.loads((files(again, tmp_path / "again") / "scores.json").read_text())
    assert found.keys() == expected.keys()
    for name in expected:
        if "entropy" not in name:
            assert found[name] == pytest.approx(expected[name], abs=1e-4), name
    assert "complete already" in evaluate(evaluated)


def test_a_training_with_the_pieces_in_use_scores_as_with_all(
    configure, hugging_face_folder, tmp_path
):
    quick = [one for one in QUICK if "scratch" not in one]
    about = [*quick, "encoder=pretrained", f"encoder.name={hugging_face_folder}"]
    about += ["trainer.precision=32-true", "data.sets.cldr.languages=[en,de]"]
    scores, sizes = [], []
    for vocabulary in ("all", "used", "restored"):
        about_it = (f"encoder.vocabulary={vocabulary}", f"name='pieces: {vocabulary}'")
        config = configure("train", *about, *about_it)
        train(config)
        (run,) = records(config)
        folder = files(run, tmp_path / vocabulary)
        scores.append(json.loads((folder / "scores.json").read_text()))
        sizes.append(json.loads((folder / "model" / "config.json").read_text())["vocab_size"])
    assert scores[1] == pytest.approx(scores[0], abs=1e-6)
    assert scores[2] == pytest.approx(scores[0], abs=1e-6)
    assert sizes[1] < sizes[0] == sizes[2]


def test_a_lexical_row_is_scored_by_the_same_command(configure):
    config = configure("evaluate", "encoder=tfidf", "languages=[en,de]")
    evaluate(config)
    (run,) = records(config)
    assert run.data.metrics["test/cldr_currency/monolingual/map"] > 0.3


def test_qrels_that_name_an_unknown_passage_are_refused_with_their_line(configure, tmp_path):
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text('{"_id": "p", "text": "a", "lang": "en"}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "a", "lang": "en"}\n')
    qrels = tmp_path / "qrels" / "test.tsv"
    qrels.write_text("query-id\tcorpus-id\tscore\nq\tnowhere\t1\n")
    config = configure(
        "evaluate", "encoder=tfidf", "evaluation=beir", f"evaluation.folder={tmp_path}"
    )
    with pytest.raises(InputError, match=rf"{qrels}:2: .*nowhere"):
        evaluate(config)


def test_a_second_evaluation_of_a_model_encodes_nothing_and_scores_the_same(configure):
    name = "again"
    trained = configure("train", *QUICK, *STATIC, f"name={name}", "seed=5")
    train(trained)
    (run,) = records(trained)
    about = [f"encoder.name=runs:/{run.info.run_id}", "languages=[en,de]"]
    first = evaluate(configure("evaluate", *about, f"name={name}1"))
    second = evaluate(configure("evaluate", *about, f"name={name}2"))
    assert "0 texts encoded" not in first
    assert "0 texts encoded" in second
    assert first.splitlines()[:-1] == second.splitlines()[:-1]


def test_trec_files_are_left_on_request_and_score_as_the_metrics(configure, tmp_path):
    trained = configure("train", *QUICK, *STATIC, "run_files=1000")
    train(trained)
    (run,) = records(trained)
    folder = files(run, tmp_path / "run") / "runs" / "cldr_currency"
    for setting in ("monolingual", "multilingual"):
        with (
            (folder / f"{setting}.qrels").open() as qrels,
            (folder / f"{setting}.run").open() as lines,
        ):
            judge = pytrec_eval.RelevanceEvaluator(pytrec_eval.parse_qrel(qrels), {"map"})
            found = judge.evaluate(pytrec_eval.parse_run(lines))
        languages = {"en": [], "de": []}
        for query, values in found.items():
            languages[query.partition(":")[0]].append(values["map"])
        mean = sum(sum(v) / len(v) for v in languages.values()) / 2
        assert mean == pytest.approx(
            run.data.metrics[f"test/cldr_currency/{setting}/map"], abs=1e-6
        )


def test_a_checkpoint_of_a_training_is_evaluated(configure, load_module, tmp_path):
    encoder = load_module.encoder
    encoder.save(tmp_path / "encoder")
    with torch.no_grad():
        encoder.embedder.embedding.weight.add_(1.0)
    torch.save({"state_dict": load_module.state_dict()}, tmp_path / "last.ckpt")
    loaded = load_encoder(
        revision=None,
        name=str(tmp_path / "last.ckpt"),
        **dict.fromkeys(("prompts", "pooling", "max_length", "scratch", "attention", "lora")),
        texts=(),
        cache=tmp_path,
        seed=0,
        compile=False,
        trust_remote_code=False,
    )
    assert loaded.fingerprint() == encoder.fingerprint()
    (tmp_path / "last.ckpt").write_bytes(b"PK")
    config = configure("evaluate", f"encoder.name={tmp_path / 'last.ckpt'}")
    with pytest.raises(
        InputError, match=r"last\.ckpt is no checkpoint of the encoder in .*/encoder"
    ):
        evaluate(config)


def test_a_run_that_left_no_model_is_named(configure):
    with pytest.raises(InputError, match=r"encoder\.name: run 'nowhere' has no model"):
        evaluate(configure("evaluate", "encoder.name=runs:/nowhere"))


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["search=exact"], r"depth: a search needs to know how many passages to find"),
        (["search=exact", "depth=10", "run_files=10"], r"run_files: are of exact rankings"),
        (["search=exact", "depth=10", "center=language"], r"center: is of exact rankings"),
        (["encoder=bm25", "center=language"], r"center: is for vectors"),
        (["depth=0"], r"depth: must be a whole number of at least 1, or null, got 0"),
        (["run_files=-3"], r"run_files: must be a whole number of at least 1, or null, got -3"),
        (["temperature=0"], r"temperature: must be above 0 and finite, got 0"),
        (["encoder=bm25", "search=exact", "depth=5"], r"search: is for vectors"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    configure, load_module, tmp_path, overrides, says
):
    load_module.encoder.save(tmp_path / "model")
    about = ["languages=[en,de]", f"encoder.name={tmp_path / 'model'}"]
    with pytest.raises(InputError, match=says):
        evaluate(configure("evaluate", *about, *overrides))


def scores(told):
    return [line for line in told.splitlines() if "lingual  " in line]


def test_an_evaluation_whose_store_is_away_is_kept_told_and_sent(configure, output_dir, capsys):
    away = "http://127.0.0.1:9"
    about = ("encoder=tfidf", "languages=[en,de]", "evaluation=cldr", "tracking.wait=0")
    first = evaluate(configure("evaluate", *about, f"tracking.uri={away}"))
    assert "records are pending in" in first
    table = scores(first)
    assert len(table) == 6, "three settings of two sets"
    again = evaluate(configure("evaluate", *about, f"tracking.uri={away}"))
    assert "complete already" in again
    assert "records are pending in" in again
    assert scores(again) == table
    sync(configure("sync", f"tracking.uri=sqlite:///{output_dir}/mlflow.db"))
    assert "evaluate tfidf: sent" in capsys.readouterr().out
    recorded = evaluate(configure("evaluate", *about))
    assert "complete already (run " in recorded
    assert scores(recorded) == table


def test_run_files_that_a_complete_run_lacks_are_said_to_be_missing(configure):
    words = ["encoder=bm25", "languages=[en,de]"]
    evaluate(configure("evaluate", *words))
    told = evaluate(configure("evaluate", *words, "run_files=10"))
    assert "complete already" in told
    assert "run_files: those of 10 passages were not written then" in told
    assert "run_files" not in evaluate(configure("evaluate", *words))
