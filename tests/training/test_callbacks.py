"""What trainer=averaged and trainer=early_stopping do, by figures counted by hand."""

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from lingmix.cli.config import build, resolved


class Counting(pl.LightningModule):
    """Its weight is the number of steps; a validation scores the weight, or what was planned."""

    def __init__(self, planned: list[float] | None = None) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.scores: list[float] = []
        self._planned = planned

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)

    def training_step(self, batch, step):
        return -self.weight.sum()

    def validation_step(self, batch, step):
        at = len(self.scores)
        self.scores.append(self._planned[at] if self._planned else self.weight.item())
        self.log("val/development/multilingual/map", self.scores[-1], batch_size=1)


@pytest.fixture
def trainer(configure, tmp_path):
    """A validation after each step."""

    def built(choice: str, *overrides: str, max_steps: int, **changes) -> pl.Trainer:
        settings = resolved(configure("train", f"trainer={choice}", *overrides))["trainer"]
        settings |= {"enable_progress_bar": False, "accelerator": "cpu", "precision": "32-true"}
        settings |= {"gradient_clip_val": None, "val_check_interval": 1, "max_steps": max_steps}
        callbacks = [*build(settings["callbacks"]).values(), *changes.pop("callbacks", [])]
        return build(settings)(
            callbacks=callbacks, logger=False, default_root_dir=tmp_path,
            enable_checkpointing=bool(callbacks), **changes,
        )  # fmt: skip

    return built


def fit(trainer: pl.Trainer, module: pl.LightningModule, resumed: Path | None = None) -> None:
    one = DataLoader([0] * 20, batch_size=None)
    trainer.fit(module, one, DataLoader([0], batch_size=None), ckpt_path=resumed)


HALF = ("trainer.callbacks.weight_averaging.decay=0.5",)
AVERAGES = [1, 1.5, 2.25, 3.125]
"""Of the weights 1, 2, 3, 4: each the mean of the one before and of the new weight."""


def test_the_averaged_weights_are_scored_kept_and_left_behind(trainer, tmp_path):
    best = ModelCheckpoint(dirpath=tmp_path, monitor="val/development/multilingual/map", mode="max")
    module = Counting()
    fit(trainer("averaged", *HALF, max_steps=4, callbacks=[best]), module)
    assert module.scores == AVERAGES
    assert module.weight.item() == AVERAGES[-1]
    kept = torch.load(best.best_model_path, weights_only=True)
    assert kept["state_dict"]["weight"].item() == AVERAGES[-1]
    assert kept["current_model_state"]["weight"].item() == 4


def test_an_average_goes_on_where_it_stopped(trainer, tmp_path):
    first = trainer("averaged", *HALF, max_steps=2, callbacks=[kept := ModelCheckpoint(tmp_path)])
    fit(first, Counting())
    module = Counting()
    fit(trainer("averaged", *HALF, max_steps=4), module, resumed=Path(kept.best_model_path))
    assert module.scores == AVERAGES[2:]
    assert module.weight.item() == AVERAGES[-1]


def test_training_stops_once_the_score_has_not_risen_for_as_long_as_asked_for(trainer):
    module = Counting(planned=[0.1, 0.3, 0.2, 0.3, 0.25, 0.9])
    stopping = trainer("early_stopping", max_steps=6)
    fit(stopping, module)
    assert stopping.global_step == 5, "the score of step 2 was not passed in 3 validations"


def test_early_stopping_watches_the_score_that_picks_the_weights(configure):
    chosen = ("trainer=early_stopping", "data.development_score=crosslingual/recall_at_10")
    callbacks = build(resolved(configure("train", *chosen))["trainer"]["callbacks"])
    assert callbacks["early_stopping"].monitor == "val/development/crosslingual/recall_at_10"
    assert callbacks["early_stopping"].mode == "max"


def test_averaging_and_early_stopping_go_together(configure):
    callbacks = resolved(configure("train", "trainer=[averaged,early_stopping]"))["trainer"]
    assert set(callbacks["callbacks"]) == {"weight_averaging", "early_stopping"}
