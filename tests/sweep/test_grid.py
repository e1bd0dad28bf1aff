"""What is known of the cells of a grid before each is composed is what Hydra makes of them."""

from itertools import product

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from lingmix.doors import CONF, resolved
from lingmix.sweep.grid import plans, without_hydra
from lingmix.tracking.identity import config_hash


class Composer:
    """Hydra's own composition of a job, counted."""

    def __init__(self, door):
        self.door, self.calls = door, 0

    def __call__(self, job):
        self.calls += 1
        loader = GlobalHydra.instance().config_loader()
        return loader.load_configuration(self.door, overrides=list(job), run_mode=RunMode.RUN)


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
    found = [plan.identity for plan in plans(jobs, train)]
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
        ([["data.train.0.domains=[geography]", "data.train.0.domains=[currency]"]], 1),
        ([["trainer.callbacks={}"], ["~languages", "depth=5"]], 2),
        ([["seed=1", "seed=2"], ["seed=3"]], 2),
        ([["sampler.alpha=0.5", "sampler.alpha=0.7"], ["sampler={alpha:0.1}"]], 2),
        ([["languages=[en]", "languages=[de]"], ["seed=0", "seed=1"], ["seed=2"]], 2),
    ],
)
def test_what_is_no_value_is_composed_for_each_choice(train, axes, compositions):
    jobs = grid(*axes)
    found = [plan.identity for plan in plans(jobs, train)]
    assert train.calls == compositions
    assert found == list(dict.fromkeys(identities(jobs, train)))


def test_a_group_that_may_be_left_out_is_a_group_all_the_same(evaluate):
    jobs = [["encoder=bm25", f"search={name}", "depth=10"] for name in ("exact", "hnsw")]
    plain = plans(jobs, evaluate)
    assert evaluate.calls == 2
    assert [plan.identity for plan in plain] == identities(jobs, evaluate)


def test_a_cell_named_twice_is_one(train):
    jobs = grid(["sampler.alpha=0", "sampler.alpha=0.0", "sampler.alpha=1"])
    assert len(plans(jobs, train)) == 2


def test_an_interpolation_follows_the_value_it_names(train):
    jobs = grid(["output_dir=/one", "output_dir=/two"], ["depth=${seed}"], ["seed=3", "seed=4"])
    values = [plan.values for plan in plans(jobs, train)]
    assert [(one["depth"], one["seed"]) for one in values] == [(3, 3), (4, 4)]
