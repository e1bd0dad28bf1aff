"""A training that branches from the recorded checkpoint of another."""

import pytest
from mlflow import MlflowClient

from lingmix.commands.train import train
from lingmix.errors import InputError
from tests.conftest import QUICK

STEPS, BRANCH = 8, 4
SETTINGS = [
    *QUICK,
    f"trainer.max_steps={STEPS}",
    "trainer.val_check_interval=2",
    "encoder.scratch.dropout=0.2",
]


@pytest.fixture
def trained(configure):
    """Trains with overrides; returns the run of this experiment."""

    def run(name, *overrides):
        config = configure("train", *SETTINGS, f"name={name}", *overrides)
        train(config)
        client = MlflowClient(config.tracking.uri)
        [found] = client.search_runs([client.get_experiment_by_name(name).experiment_id])
        return client, found

    return run


def history(client, run, name):
    points = client.get_metric_history(run.info.run_id, name)
    return sorted((one.step, one.value) for one in points)


def test_a_branch_with_the_same_settings_goes_on_as_its_trunk_and_other_batches_part(trained):
    client, trunk = trained("trunk", f"checkpoint.record_step={BRANCH}")
    branch_from = f"branch_from=runs:/{trunk.info.run_id}"
    _, same = trained("same", branch_from)
    for name, after in (("train/loss", 4), ("val/development/multilingual/map", 2)):
        assert history(client, same, name) == history(client, trunk, name)[-after:]
    _, other = trained("other", branch_from, "sampler.batch_size=16")
    steps, losses = zip(*history(client, other, "train/loss"), strict=True)
    assert steps == tuple(step for step, _ in history(client, same, "train/loss"))
    assert losses != tuple(loss for _, loss in history(client, same, "train/loss"))


def test_a_run_without_a_recorded_checkpoint_is_no_trunk(trained):
    _, run = trained("bare")
    with pytest.raises(InputError, match=r"branch_from: run '\w+' has no branch.ckpt that can be"):
        trained("branch", f"branch_from=runs:/{run.info.run_id}")
