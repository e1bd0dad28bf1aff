"""What is known of the cells of a grid before each is composed is what Hydra makes of them."""

from itertools import product

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from lingmix.cli.config import CONF, resolved
from lingmix.errors import InputError
from lingmix.sweep.grid import plan_cells, without_hydra
from lingmix.tracking.identity import config_hash


class Composer:
    """Hydra's own composition of a job, counted."""

    def __init__(self, command):
        self.command, self.calls = command, 0

    def __call__(self, job):
        self.calls += 1
        loader = GlobalHydra.instance().config_loader()
        return loader.load_configuration(self.command, overrides=list(job), run_mode=RunMode.RUN)


@pytest.fixture
def train():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield Composer("train")


@pytest.fixture
def evaluate():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield Composer("evaluate")


def grid(*axes):
    return [["trainer.max_steps=4", *job] for job in product(*axes)]


def identities(jobs, compose):
    return [config_hash(resolved(without_hydra(compose(job)))) for job in jobs]


VALUES = [
    ["sampler.alpha=0", "sampler.alpha=0.5", "sampler.alpha=1.0"],
    ["augmentation.scale=null", "augmentation.scale=20"],
    ["pairs=all", "pairs=[en-de,de-en]", "pairs=[en-en]"],
    ["loss.temperature=0.05", "loss.temperature=1e-1"],
]


def test_a_grid_of_values_is_composed_once_and_hashed_as_if_each_cell_were(train):
    jobs = grid(*VALUES)
    found = [plan.identity for plan in plan_cells(jobs, train)]
    assert train.calls == 1
    assert found == identities(jobs, train)
    assert len(set(found)) == 36


@pytest.mark.parametrize(
    ("axes", "compositions"),
    [
        ([["encoder=tiny", "encoder=mbert"], ["seed=0", "seed=1"]], 2),
        ([VALUES[0], ["optimizer=adamw"], ["loss=infonce", "loss=margin"]], 2),
        ([["experiment=xquad_r_static"], VALUES[1]], 1),
        ([["sampler={alpha:0.1}", "sampler={alpha:0.2}"], VALUES[3]], 2),
        ([["data.sets.cldr.domains=[geography]", "data.sets.cldr.domains=[currency]"]], 1),
        ([["trainer.callbacks={}"], ["~evaluation.cldr_geography", "depth=5"]], 2),
        ([["seed=1", "seed=2"], ["seed=3"]], 2),
        ([["sampler.alpha=0.5", "sampler.alpha=0.7"], ["sampler={alpha:0.1}"]], 2),
        ([["languages=[en]", "languages=[de]"], ["seed=0", "seed=1"], ["seed=2"]], 2),
    ],
)
def test_what_is_no_value_is_composed_for_each_choice(train, axes, compositions):
    jobs = grid(*axes)
    found = [plan.identity for plan in plan_cells(jobs, train)]
    assert train.calls == compositions
    assert found == list(dict.fromkeys(identities(jobs, train)))


def test_a_group_that_may_be_left_out_is_a_group_all_the_same(evaluate):
    jobs = [["encoder=me5_small", f"search={name}", "depth=10"] for name in ("exact", "hnsw")]
    plain = plan_cells(jobs, evaluate)
    assert evaluate.calls == 2
    assert [plan.identity for plan in plain] == identities(jobs, evaluate)


def test_a_cell_named_twice_is_one(train):
    jobs = grid(["sampler.alpha=0", "sampler.alpha=0.0", "sampler.alpha=1"])
    assert len(plan_cells(jobs, train)) == 2


def test_an_interpolation_follows_the_value_it_names(train):
    jobs = grid(["data_dir=/one", "data_dir=/two"], ["depth=${seed}"], ["seed=3", "seed=4"])
    values = [plan.values for plan in plan_cells(jobs, train)]
    assert [(one["depth"], one["seed"]) for one in values] == [(3, 3), (4, 4)]


def test_a_value_that_another_one_makes_is_made_anew_for_each_cell(train):
    jobs = grid(["output_dir=/out"], ["data_dir=${output_dir}/${seed}"], ["seed=0", "seed=1"])
    assert [plan.values["data_dir"] for plan in plan_cells(jobs, train)] == ["/out/0", "/out/1"]


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("name", ["a", "b"]),
        ("output_dir", ["a", "a/${seed}"]),
        ("tracking.uri", ["sqlite:///a.db", "sqlite:///b.db"]),
    ],
)
def test_a_sweep_is_recorded_in_one_place(train, key, values):
    jobs = grid([f"{key}={value}" for value in values])
    with pytest.raises(InputError, match=f"^{key}: must be the same for all cells of a sweep"):
        plan_cells(jobs, train)


@pytest.mark.parametrize("given", ["null", "true", "[a]", "''", "a/b", "..", "/a"])
def test_a_name_is_one_that_a_folder_can_have(train, given):
    with pytest.raises(InputError, match=r"^name: must be a text that can name a folder"):
        plan_cells([[f"name={given}"]], train)


def test_a_number_is_a_name(train):
    (plan,) = plan_cells([["name=20261122"]], train)
    assert plan.values["name"] == "20261122"


def test_a_cell_is_the_same_on_other_hardware(train, monkeypatch):
    found = []
    for fastest in ("bf16-mixed", "32-true"):
        monkeypatch.setattr("lingmix.model.precision.fastest_precision", lambda: fastest)  # noqa: B023
        found += [plan.identity for plan in plan_cells([["seed=0"]], train)]
    assert found[0] == found[1]
