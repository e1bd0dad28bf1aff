"""Variables that launchers set, believed only of the one that is at work."""

import os
from itertools import product

import pytest
from lightning_fabric.utilities.rank_zero import rank_zero_only
from mlflow import MlflowClient

from lingmix.commands.evaluate import evaluate
from lingmix.commands.train import train
from lingmix.errors import InputError
from lingmix.launchers import (
    RANK_VARIABLES,
    RENDEZVOUS_VARIABLES,
    SIZE_VARIABLES,
    SRUN,
    TORCHRUN,
    detect_launcher,
    is_follower,
)
from lingmix.training import rank_group, ranks
from lingmix.training.ranks import environments, launched
from tests.conftest import QUICK

VARIABLES = (
    *RANK_VARIABLES,
    *SIZE_VARIABLES,
    *RENDEZVOUS_VARIABLES,
    SRUN,
    TORCHRUN,
    "SLURM_JOB_NAME",
    "SLURM_NTASKS_PER_NODE",
)

LEFT = {
    TORCHRUN: (None, "none"),
    "RANK": (None, "0", "1", "abc"),
    "LOCAL_RANK": (None, "0", "1"),
    "WORLD_SIZE": (None, "1", "2"),
    SRUN: (None, "1", "2"),
    "SLURM_PROCID": (None, "0", "1"),
    "SLURM_JOB_NAME": (None, "bash"),
    "JSM_NAMESPACE_RANK": (None, "0", "3"),
}
COMBINATIONS = [dict(zip(LEFT, values, strict=True)) for values in product(*LEFT.values())]


@pytest.fixture
def environment(monkeypatch):
    """Has these variables and no other that a launcher sets; Lightning has believed them."""

    def of(variables: dict[str, str | None]) -> None:
        for name in VARIABLES:
            os.environ.pop(name, None)
        os.environ.update({name: value for name, value in variables.items() if value is not None})
        ranks = (os.environ.get(name) for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
        found = next((rank for rank in ranks if rank is not None), "0")
        rank_zero_only.rank = int(found) if found.isdecimal() else 0

    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(rank_zero_only, "rank", 0)
    before = dict(os.environ)
    yield of
    os.environ.clear()
    os.environ.update(before)


def test_every_combination_is_one_rank_0_or_a_true_member_or_refused_in_one_line(environment):
    refused = alone = members = 0
    for combination in COMBINATIONS:
        environment(combination)
        try:
            found = detect_launcher()
        except InputError as error:
            assert "\n" not in str(error)
            assert str(error).partition(":")[0] in VARIABLES
            refused += 1
            continue
        if found is None:
            assert not [
                name
                for name in (*RANK_VARIABLES, *SIZE_VARIABLES, *RENDEZVOUS_VARIABLES)
                if name in os.environ
            ]
            alone += 1
            continue
        rank, size = {"torchrun": ("RANK", "WORLD_SIZE"), "srun": ("SLURM_PROCID", SRUN)}[found]
        assert int(combination[rank]) < int(combination[size])
        members += 1
    assert min(refused, alone, members) > 50


def test_every_combination_of_one_process_records_as_rank_0(environment):
    for combination in COMBINATIONS:
        environment(combination)
        try:
            if detect_launcher() and "2" in (combination[SRUN], combination["WORLD_SIZE"]):
                continue  # it waits for the other
        except InputError:
            continue
        environment(combination)
        with launched() as ranks:
            assert (ranks.rank, ranks.count, rank_zero_only.rank) == (0, 1, 0)
        (chosen,) = environments()
        assert chosen.creates_processes_externally == (detect_launcher() is not None)


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"RANK": "1"}, r"^RANK: must be unset, or 0, .* got '1'; run `unset RANK`$"),
        ({"WORLD_SIZE": "2"}, r"^WORLD_SIZE: must be unset, or 1, .* got '2'"),
        ({TORCHRUN: "x"}, rf"^RANK: must be a whole number where {TORCHRUN} is set, got None"),
        (
            {TORCHRUN: "x", "RANK": "2", "LOCAL_RANK": "0", "WORLD_SIZE": "2"},
            r"^RANK: must be below WORLD_SIZE \(2\), got 2; start the command anew",
        ),
    ],
    ids=["rank", "size", "missing", "beyond"],
)
def test_what_cannot_be_is_refused_before_anything_is_recorded(
    environment, configure, variables, line
):
    config = configure("train", *QUICK)
    environment(variables)
    with pytest.raises(InputError, match=line):
        train(config)


@pytest.mark.parametrize(
    "variables",
    [
        {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"},
        {SRUN: "2", "SLURM_PROCID": "0", "SLURM_JOB_NAME": "bash"},
        {SRUN: "1", "SLURM_PROCID": "0", "SLURM_JOB_NAME": "job", "RANK": "1"},
    ],
    ids=["one", "shell", "another"],
)
def test_a_run_has_all_its_metrics_whatever_is_left_in_the_environment(
    environment, configure, variables
):
    config = configure("train", *QUICK)
    environment(variables)
    if "RANK" in variables:
        rank_zero_only.rank = 1
    train(config)
    client = MlflowClient(config.tracking.uri)
    (run,) = client.search_runs([client.get_experiment_by_name(config.name).experiment_id])
    assert run.info.status == "FINISHED"
    steps = [one.step for one in client.get_metric_history(run.info.run_id, "train/loss")]
    assert steps == [0, 1, 2, 3]
    assert "test/cldr_geography/multilingual/map" in run.data.metrics


@pytest.mark.parametrize(
    ("overrides", "where"),
    [
        (["encoder=bm25"], "encoder is lexical"),
        (["encoder.name=any", "embeddings=null"], "embeddings is null"),
    ],
    ids=["lexical", "no folder"],
)
def test_an_evaluation_without_embeddings_to_share_is_one_process(
    environment, configure, overrides, where
):
    config = configure("evaluate", *overrides, "languages=[en,de]")
    task = {"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}
    environment({SRUN: "2", "SLURM_NTASKS_PER_NODE": "2", **task})
    with pytest.raises(InputError, match=rf"^lingmix-evaluate is one process where {where}, "):
        evaluate(config)


def test_an_evaluation_has_its_metrics_although_a_rank_was_left_behind(environment, configure):
    config = configure("evaluate", "encoder=bm25", "languages=[en,de]")
    environment({"RANK": "0", "SLURM_PROCID": "0"})
    rank_zero_only.rank = 1
    evaluate(config)
    client = MlflowClient(config.tracking.uri)
    (run,) = client.search_runs([client.get_experiment_by_name(config.name).experiment_id])
    assert "test/cldr_geography/multilingual/map" in run.data.metrics


def test_a_rank_that_finds_no_other_says_so(environment, monkeypatch):
    monkeypatch.setattr(rank_group, "ARRIVAL", 1.0)
    monkeypatch.setattr(ranks, "ARRIVAL", 1.0)
    variables = {TORCHRUN: "x", "RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}
    environment(variables | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "9"})
    line = r"^MASTER_PORT: the processes cannot meet at 127.0.0.1:9"
    with pytest.raises(InputError, match=line), launched():
        raise AssertionError


@pytest.mark.parametrize(
    ("variables", "follower"),
    [
        ({}, False),
        ({"RANK": "1"}, False),
        ({TORCHRUN: "x", "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2"}, False),
        ({TORCHRUN: "x", "RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}, True),
        ({SRUN: "1", "SLURM_PROCID": "0", "RANK": "1"}, False),
        (
            {
                SRUN: "2",
                "SLURM_PROCID": "1",
                "SLURM_LOCALID": "0",
                "SLURM_NODEID": "1",
                "RANK": "0",
            },
            True,
        ),
    ],
)
def test_a_rank_above_0_leaves_it_to_rank_0_to_say_what_is_wrong(environment, variables, follower):
    environment(variables)
    assert is_follower() is follower
