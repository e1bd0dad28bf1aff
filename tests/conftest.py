from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from lingmix.cli.config import CONF

SHARED = Path(__file__).parents[2] / "shared" / "data"
"""Real multilingual data; not part of the project."""

QUICK = [
    "languages=[en,de]",
    "trainer.max_steps=4",
    "trainer.val_check_interval=2",
    "trainer.log_every_n_steps=1",
    "trainer.enable_progress_bar=false",
    "sampler.batch_size=8",
    "encoder.scratch.dimension=16",
    "encoder.scratch.vocabulary=500",
]
"""A run of seconds."""

FAILING = "sampler.batch_size=4,100000000,8"
FAILURE = "sampler.batch_size: must be a whole number in"
"""A grid whose second cell fails once its data are read, as no check of the settings can know."""

STATIC = [
    "encoder=static",
    "encoder.scratch.sparse=true",
    "optimizer=sparse_adam",
    "trainer.gradient_clip_val=null",
]


@pytest.fixture(scope="session")
def output_dir(tmp_path_factory) -> Path:
    """One folder for all runs: making a new store takes seconds."""
    return tmp_path_factory.mktemp("multirun")


def composed_in(output_dir: Path, name: str, command: str, *overrides: str) -> DictConfig:
    """A command's configuration in an experiment of that name."""
    here = (f"output_dir={output_dir}", f"name='{name}'", f"data_dir={SHARED}")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(command, [*here, *overrides])


@pytest.fixture
def configure(output_dir, request) -> Callable[..., DictConfig]:
    """Composes a command's configuration; each test has an experiment of its own."""
    return partial(composed_in, output_dir, request.node.name.replace("/", "."))
