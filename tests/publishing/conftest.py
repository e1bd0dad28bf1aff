from collections.abc import Callable
from typing import NamedTuple

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from lingmix.cli.config import CONF
from lingmix.commands.export import export
from lingmix.commands.train import train
from lingmix.tracking.recorded_run import RecordedRun, best_run
from lingmix.tracking.store.client import open_store
from tests.conftest import QUICK

MAP = "test/cldr_geography/multilingual/map"


class Trained(NamedTuple):
    """A small training in a store of its own; `configured` composes a command that reads it."""

    recorded: RecordedRun
    configured: Callable[..., DictConfig]


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Trained:
    output_dir = tmp_path_factory.mktemp("published")

    def configured(command: str, *overrides: str) -> DictConfig:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return compose(command, [f"output_dir={output_dir}", "name=published", *overrides])

    prompts = "encoder.prompts={query: 'query: ', passage: 'passage: '}"
    sets = "~evaluation.cldr_currency"
    config = configured("train", *QUICK, prompts, sets, "trainer.precision=32-true")
    train(config)
    best = best_run(
        open_store(f"sqlite:///{output_dir}/mlflow.db"),
        "published",
        sweep=None,
        metric_of=lambda _: MAP,
        worth=lambda value: value,
    )
    return Trained(best.recorded, configured)


@pytest.fixture(scope="session")
def exported(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "model"
    forms = "forms=[onnx,onnx_int8,openvino]"
    said = export(trained.configured("export", "run=best", f"folder={folder}", forms, "limit=0.2"))
    return folder, said
