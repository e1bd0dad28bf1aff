"""A run is complete when it has trained the steps that its configuration names."""

import pytest
import pytorch_lightning as pl
from mlflow import MlflowClient

from lingmix.cli.checks import SHORTENED_BY
from lingmix.commands.train import train
from lingmix.errors import InputError
from lingmix.tracking.lifecycle import STATE
from tests.conftest import QUICK

VALUES = {"fast_dev_run": "true", "barebones": "true", "max_time": "'00:00:00:00'"}


def recorded(config):
    client = MlflowClient(config.tracking.uri)
    experiment = client.get_experiment_by_name(config.name)
    return client.search_runs([experiment.experiment_id]) if experiment else []


@pytest.mark.parametrize("key", SHORTENED_BY)
def test_a_key_that_shortens_the_training_is_refused_by_its_name(configure, key):
    config = configure("train", *QUICK, f"+trainer.{key}={VALUES.get(key, 1)}")
    with pytest.raises(InputError, match=rf"^trainer\.{key}: must be left out, got ") as told:
        train(config)
    assert "\n" not in str(told.value)
    assert recorded(config) == []


def test_a_callback_that_stops_by_the_clock_is_refused_by_its_name(configure):
    timer = "{_target_: pytorch_lightning.callbacks.Timer, duration: {seconds: 0}}"
    config = configure("train", *QUICK, f"+trainer.callbacks.mine={timer}")
    with pytest.raises(InputError, match=r"^trainer\.callbacks\.mine: must not end a training by"):
        train(config)


class Stops(pl.Callback):
    """Of a user's own."""

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        trainer.should_stop = True


def test_a_training_that_ended_early_is_not_complete(configure):
    stops = f"+trainer.callbacks.own={{_target_: {__name__}.{Stops.__name__}}}"
    config = configure("train", *QUICK, stops)
    with pytest.raises(InputError, match=r"must have 4 steps, it ended after 1;"):
        train(config)
    (run,) = recorded(config)
    assert run.data.tags[STATE] == "failed"


def test_early_stopping_is_complete(configure):
    config = configure(
        "train",
        *QUICK,
        "trainer=early_stopping",
        "trainer.max_steps=40",
        "trainer.callbacks.early_stopping.patience=1",
        "trainer.callbacks.early_stopping.min_delta=1.0",
    )
    train(config)
    (run,) = recorded(config)
    assert run.data.tags[STATE] == "complete"
    steps = MlflowClient(config.tracking.uri).get_metric_history(run.info.run_id, "train/loss")
    assert len(steps) == 4
