"""What a recorded run leaves for a reader of its page."""

import json
import re
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from lingmix.commands.train import train
from lingmix.data.items import LanguagePair
from lingmix.data.languages import LENGTH
from lingmix.errors import InputError
from lingmix.evaluation.bias import BIAS
from lingmix.evaluation.metric_names import BEST_SCORE, centered
from lingmix.evaluation.metrics import METRICS
from lingmix.model.precision import fastest_precision
from lingmix.tracking.lifecycle import NOTE
from lingmix.tracking.store.limits import SET_LENGTH, mlflow_key, require_set_name
from tests.conftest import QUICK


def test_a_run_s_page_has_its_command_data_environment_and_load(configure, tmp_path):
    config = configure("train", *QUICK)
    train(config)
    client = MlflowClient(config.tracking.uri)
    experiment = client.get_experiment_by_name(config.name)
    (run,) = client.search_runs([experiment.experiment_id])
    assert "lingmix-train" in run.data.tags[NOTE]
    assert run.data.tags["lingmix.hardware"].endswith(f", {fastest_precision()}")
    logged = {one.dataset.name: one.dataset.digest for one in run.inputs.dataset_inputs}
    assert set(logged) == {"cldr", "development", "cldr_currency", "cldr_geography"}
    assert len(set(logged.values())) == 4
    assert "system/cpu_utilization_percentage" in run.data.metrics
    history = client.get_metric_history(run.info.run_id, "val/development/multilingual/map")
    assert run.data.metrics[BEST_SCORE] == max(one.value for one in history)
    file = download_artifacts(f"{run.info.artifact_uri}/environment.json", dst_path=str(tmp_path))
    assert json.loads(Path(file).read_text("utf-8"))["packages"]["mlflow"]


def refused(config, line):
    with pytest.raises(InputError, match=line) as error:
        train(config)
    assert "\n" not in str(error.value)


def test_an_interval_of_no_seconds_is_one_line(configure):
    config = configure("train", *QUICK, "tracking.system_metrics=0")
    refused(config, r"tracking.system_metrics: must be above 0 and finite, or null, got 0$")


@pytest.mark.parametrize(
    "name", ["a/b", "a:b", ".a", "", "a\tb", "s" * 141, "é" * 71, "long " * 60], ids=range(8)
)
def test_a_set_whose_name_would_mix_up_metrics_is_one_line(configure, name):
    """Of 141 bytes or more the longest metrics of two sets would be cut to one."""
    config = configure("train", *QUICK)
    config.evaluation = {name: config.evaluation.cldr_currency}
    shown = re.escape(repr(name)[:60])
    refused(config, rf"evaluation.{shown}.*: metrics are named after the set, .*; rename it$")


def test_every_metric_of_a_set_with_a_long_name_keeps_its_name():
    """The longest that a set, a language and a metric may be called."""
    longest = "a" * SET_LENGTH
    pair = LanguagePair("q" * LENGTH, "p" * LENGTH)
    names = [f"test/{longest}/pair/{pair}/{name}" for name in (*METRICS, "excess_share")]
    names += [f"test/{longest}/multilingual/{name}" for name in BIAS]
    names += [f"test/{longest}/multilingual/excess_share/{pair.query}"]
    names += [f"test/{longest}/crosslingual/contrastive_entropy"]
    names += [f"test/{centered(longest)}/crosslingual/map"]
    assert require_set_name(longest) == longest
    assert [mlflow_key(name) for name in names] == names


@pytest.mark.parametrize(
    "name",
    ["a/b", "", " ", "..", "a\nb", "a\x1b[31mb", "\udcff", "n" * 241, "é" * 121, True, None],
    ids=range(11),
)
def test_an_experiment_whose_name_can_be_no_folder_is_one_line(configure, name):
    config = configure("train", *QUICK)
    config.name = name
    refused(config, r"^name: must be a text that can name a folder, without /")
