"""The train command: a run end to end, what it records, what it refuses."""

import json
from pathlib import Path

import mlflow.artifacts
import polars as pl
import pytest
import torch
from mlflow import MlflowClient

from lingmix.cli.config import resolved
from lingmix.commands.train import train
from lingmix.errors import InputError
from lingmix.evaluation.metrics import METRICS
from lingmix.tracking.history import complete_runs
from lingmix.tracking.identity import config_hash
from tests.conftest import QUICK, STATIC, composed_in


def records(config) -> dict:
    client = MlflowClient(config.tracking.uri)
    experiment = client.get_experiment_by_name(config.name)
    return complete_runs(client, experiment.experiment_id)


@pytest.fixture(scope="module")
def trained(output_dir):
    """The configuration of a complete run. Tests that start it again leave one complete run."""
    config = composed_in(output_dir, "trained", "train", *QUICK)
    train(config)
    return config


@pytest.mark.parametrize("encoder", ["tiny", "static"])
def test_a_run_records_what_was_asked_for_and_what_came_out(configure, trained, encoder, tmp_path):
    config = trained
    if encoder == "static":
        config = configure("train", *QUICK, *STATIC)
        train(config)
    (run,) = records(config).values()
    assert run.info.run_name == "alpha=0.5 scale=all seed=0"
    assert run.data.params["sampler.alpha"] == "0.5"
    assert run.data.params["trainer.max_steps"] == "4"
    assert run.data.metrics["test/cldr_currency/multilingual/rank_distance"] > 0
    assert run.data.metrics["test/cldr_currency/contrastive_entropy"] > 0
    assert "val/development/multilingual/map" in run.data.metrics
    assert "train/loss" in run.data.metrics
    assert run.data.metrics["train/items"] > 100
    folder = Path(
        mlflow.artifacts.download_artifacts(run.info.artifact_uri, dst_path=str(tmp_path))
    )
    scores = json.loads((folder / "scores.json").read_text())
    assert (
        scores["test/cldr_currency/monolingual/map"]
        == run.data.metrics["test/cldr_currency/monolingual/map"]
    )
    for name, value in averages(pl.read_parquet(folder / "per_query.parquet")).items():
        assert run.data.metrics[name] == pytest.approx(value), name
    assert (folder / "model" / "modules.json").exists()
    assert (folder / "config.yaml").exists()
    assert pl.read_parquet(folder / "leakage.parquet")["leak"].sum() == 0
    assert run.data.metrics["train/leaked/cldr_currency"] == 0
    card = pl.read_csv(folder / "card" / "domains.csv")
    assert card["items"].sum() == run.data.metrics["train/items"]


def averages(rows: pl.DataFrame) -> dict[str, float]:
    """What the metrics must be: of each language pair the mean over its queries, of a setting the
    mean over its language pairs, or over query languages where all passages are in one pool."""
    assert rows.select(pl.col(*METRICS).is_between(0, 1).all()).row(0) == (True,) * len(METRICS)
    corpora = ("set", "setting", "query_language", "passage_language")
    means = rows.group_by(corpora).agg(pl.col(*METRICS).mean())
    settings = means.group_by("set", "setting").agg(pl.col(*METRICS).mean())
    found = {
        f"test/{row['set']}/{row['setting']}/{name}": row[name]
        for row in settings.iter_rows(named=True)
        for name in METRICS
    }
    for row in means.drop_nulls("passage_language").iter_rows(named=True):
        pair = f"{row['query_language']}-{row['passage_language']}"
        found[f"test/{row['set']}/pair/{pair}/map"] = row["map"]
    assert len(found) == 2 * (3 * len(METRICS) + 4), "two sets, three settings, four pairs"
    return found


def test_the_same_command_again_trains_nothing(trained):
    (first,) = records(trained).values()
    assert "complete already" in train(trained)
    assert [run.info.run_id for run in records(trained).values()] == [first.info.run_id]


def test_a_complete_run_that_is_deleted_in_mlflow_is_trained_again(trained):
    (first,) = records(trained).values()
    MlflowClient(trained.tracking.uri).delete_run(first.info.run_id)
    assert "complete already" not in train(trained)
    (second,) = records(trained).values()
    assert second.info.run_id != first.info.run_id
    assert second.data.metrics["test/cldr_currency/monolingual/map"] == pytest.approx(
        first.data.metrics["test/cldr_currency/monolingual/map"]
    )


def test_the_same_seed_gives_the_same_scores_and_another_seed_others(trained):
    scores = []
    for change in ("", "again", "seed=1"):
        changed = trained.copy()
        changed.name = f"{trained.name}{change}"
        changed.seed = 1 if change == "seed=1" else 0
        train(changed)
        (run,) = records(changed).values()
        scores.append(run.data.metrics["test/cldr_currency/contrastive_entropy"])
    assert scores[0] == scores[1] != scores[2]


def test_the_hash_is_of_what_decides_the_result(configure):
    plain = config_hash(resolved(configure("train")))
    elsewhere = ["output_dir=/elsewhere", "name=other", "trainer.enable_progress_bar=false"]
    assert config_hash(resolved(configure("train", *elsewhere))) == plain
    for change in ("seed=1", "sampler.alpha=0.4", "loss.temperature=0.1", "pairs=[en-de]"):
        assert config_hash(resolved(configure("train", change))) != plain


def test_the_hash_is_of_values_and_contents_not_of_how_they_are_written(configure, tmp_path):
    def identity(*overrides: str) -> str:
        return config_hash(resolved(configure("train", *overrides)))

    assert identity("sampler.alpha=0") == identity("sampler=crosslingual")
    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    for file in (here, there):
        file.write_text("same")
    items = ("data=items", "augmentation=none")
    same = identity(*items, f"data.path={here}")
    assert identity(*items, f"data.path={there}") == same
    other = tmp_path / "other.jsonl"
    other.write_text("else")
    assert identity(*items, f"data.path={other}") != same


def test_the_last_steps_are_validated_though_no_interval_ends_with_them(configure):
    config = configure("train", *QUICK, "trainer.max_steps=5")
    train(config)
    (run,) = records(config).values()
    name = "val/development/multilingual/map"
    history = MlflowClient(config.tracking.uri).get_metric_history(run.info.run_id, name)
    assert len(history) == 3, "after steps 2, 4 and 5"


def test_training_learns(configure):
    """Facts held out from training are found far above chance, which is about 0.03."""
    config = configure(
        "train",
        *QUICK,
        *STATIC,
        "trainer.max_steps=150",
        "trainer.val_check_interval=150",
        "sampler.batch_size=64",
        "encoder.scratch.dimension=64",
        "encoder.scratch.vocabulary=4000",
    )
    train(config)
    (run,) = records(config).values()
    assert run.data.metrics["test/cldr_geography/monolingual/map"] > 0.3
    assert run.data.metrics["train/loss"] < 2.5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_training_on_a_gpu_scores_as_one_on_the_cpu_does(configure):
    """Half the precision, another kernel and other sums: near, not equal."""
    entropy = {}
    for accelerator, precision in (("cpu", "32-true"), ("gpu", "bf16-mixed")):
        chosen = [f"trainer.accelerator={accelerator}", f"trainer.precision={precision}"]
        config = configure("train", *QUICK, *chosen)
        config.name += accelerator
        train(config)
        (run,) = records(config).values()
        entropy[accelerator] = run.data.metrics["test/cldr_currency/contrastive_entropy"]
    assert entropy["gpu"] == pytest.approx(entropy["cpu"], rel=0.05)


BAD = {
    "malformed JSON": (
        '{"query": "a", "passage": \n', ["data=pairs", "data.path={file}"], r"{file}:1"
    ),
    "a missing field": (
        '{"query": "a", "passage": "b", "query_lang": "en", "passage_lang": "en"}\n',
        ["data=pairs", "data.path={file}"], r"{file}:1.*source_id",
    ),
    "one language only": (
        "".join(
            json.dumps({"query": f"q{n}", "passage": f"p{n}", "query_lang": "en",
                        "passage_lang": "en", "source_id": str(n)}) + "\n" for n in range(9)
        ),
        ["data=pairs", "data.path={file}", "augmentation=none", "sampler.batch_size=4"],
        r"no cross-lingual language pair is left",
    ),
    "an empty file": ("", ["data=pairs", "data.path={file}"], r"{file}"),
    "no such file": (None, ["data=items", "data.path=/no/such/file"], "/no/such/file"),
    "an unknown language": (None, ["languages=[en,xx]"], "languages: .*xx"),
    "an unknown pair": (None, ["pairs=[en-xx]"], "pairs: .*xx"),
    "alpha above 1": (None, ["sampler.alpha=1.2"], r"sampler.alpha: must be in \[0, 1\], got 1.2"),
    "a batch larger than the data": (
        None, ["sampler.batch_size=10000000"], "sampler.batch_size: must be a whole number in"
    ),
    "a scale larger than the data": (
        None, ["augmentation.scale=10000000"], "augmentation.scale: must be in"
    ),
    "devices that are no number": (
        None, ["trainer.devices=auto"], "trainer.devices: must be a whole number of at least 1"
    ),
    "several devices that end without a validation": (
        None,
        ["trainer.devices=2", "trainer.val_check_interval=3"],
        "trainer.val_check_interval: must divide trainer.max_steps",
    ),
    "more devices than pairs in a batch": (
        None, ["trainer.devices=9", "sampler.batch_size=8"], "sampler.batch_size"
    ),
    "sparse gradients in AdamW": (
        None, ["encoder=static", "encoder.scratch.sparse=true"], "encoder.scratch.sparse: true"
    ),
    "sparse gradients of weights that are shared out": (
        None, [*STATIC, "trainer.strategy=summed_fsdp"], "encoder.scratch.sparse: does not go with"
    ),
    "micro-batches of weights that are shared out": (
        None, ["micro_batch_tokens=99", "trainer.strategy=summed_fsdp"], "micro_batch_tokens: does"
    ),
    "a noise scale of weights that are shared out": (
        None, ["noise_scale_window=9", "trainer.strategy=summed_fsdp"], "noise_scale_window: does"
    ),
    "a compiled model whose weights are shared out": (
        None, ["encoder.compile=true", "trainer.strategy=summed_fsdp"], "encoder.compile: does not"
    ),
    "an average of weights that are shared out": (
        None,
        ["trainer=averaged", "trainer.strategy=summed_fsdp"],
        "trainer.callbacks.weight_averaging: does not go with trainer.strategy=summed_fsdp",
    ),
    "nodes that are no number": (
        None, ["trainer.num_nodes=all"], "trainer.num_nodes: must be a whole number of at least 1"
    ),
    "an unknown development score": (
        None, ["data.development_score=multilingual/rank_distance"], "data.development_score: must"
    ),
    "an encoder folder without weights": (
        None, ["encoder=pretrained", "encoder.name={folder}"], "{folder}"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_records_nothing(configure, tmp_path, case):
    text, overrides, message = BAD[case]
    file = tmp_path / "rows.jsonl"
    if text is not None:
        file.write_text(text)
    filled = {"file": file, "folder": tmp_path}
    quick = [one for one in QUICK if not one.startswith(("sampler", "languages", "encoder"))]
    config = configure("train", *quick, *(one.format(**filled) for one in overrides))
    with pytest.raises(InputError, match=message.format(**filled)) as found:
        train(config)
    assert "\n" not in str(found.value)
    client = MlflowClient(config.tracking.uri)
    experiment = client.get_experiment_by_name(config.name)
    assert experiment is None or client.search_runs([experiment.experiment_id]) == []
