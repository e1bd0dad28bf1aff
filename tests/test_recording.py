"""What a recorded run leaves for a reader of its page."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from lingmix.errors import InputError
from lingmix.model.precision import fastest_precision
from lingmix.tracking.description import DEVELOPMENT
from lingmix.tracking.lifecycle import NOTE
from lingmix.train import train
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
    assert run.data.metrics["system/cpu_utilization_percentage"] >= 0
    history = client.get_metric_history(run.info.run_id, "val/development/multilingual/map")
    assert run.data.metrics[DEVELOPMENT] == max(one.value for one in history)
    file = download_artifacts(f"{run.info.artifact_uri}/environment.json", dst_path=str(tmp_path))
    assert json.loads(Path(file).read_text("utf-8"))["packages"]["mlflow"]


def refused(config, line):
    with pytest.raises(InputError, match=line) as error:
        train(config)
    assert "\n" not in str(error.value)


def test_an_interval_of_no_seconds_is_one_line(configure):
    config = configure("train", *QUICK, "tracking.system_metrics=0")
    refused(config, r"tracking.system_metrics: must be above 0 seconds, .* got 0$")


def test_a_set_whose_name_would_mix_up_metrics_is_one_line(configure):
    config = configure("train", *QUICK)
    config.evaluation = {"a/b": config.evaluation.cldr_currency}
    refused(config, r"evaluation.a/b: metrics are named after the set, .* got 'a/b'; rename it$")
