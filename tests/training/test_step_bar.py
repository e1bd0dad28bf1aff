"""The bar of a training, as a terminal would show it."""

import io
import re

import pytest
import pytorch_lightning as pl
import torch
from rich.console import Console
from torch.utils.data import DataLoader

from lingmix import progress
from lingmix.training.step_bar import StepBar


class Linear(pl.LightningModule):
    def __init__(self, *, broken_at: int | None = None) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self._broken_at = broken_at

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)

    def training_step(self, batch, step):
        if self.global_step == self._broken_at:
            raise RuntimeError("broken")
        return self.weight.sum()


@pytest.fixture
def screen(monkeypatch) -> io.StringIO:
    """A terminal on which bars show at once."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setattr("rich.progress.get_console", lambda: console)
    return screen


def fit(module, *, max_steps, **settings):
    trainer = pl.Trainer(
        max_steps=max_steps, callbacks=[StepBar()], logger=False, accelerator="cpu",
        enable_checkpointing=False, enable_model_summary=False, **settings,
    )  # fmt: skip
    trainer.fit(module, DataLoader([0] * 50, batch_size=None))


def test_the_bar_counts_steps_and_names_no_epoch(screen, monkeypatch):
    counted = []
    monkeypatch.setattr(
        progress.Progress, "advance", lambda bar, task, by: counted.append((task, by))
    )
    fit(Linear(), max_steps=7)
    assert sum(by for _, by in counted) == 7
    assert "Training" in screen.getvalue()
    assert re.search(r"\d/7", screen.getvalue())
    assert "Epoch" not in screen.getvalue()


def test_a_step_of_several_batches_counts_once(screen, monkeypatch):
    counted = []
    monkeypatch.setattr(progress.Progress, "advance", lambda bar, task, by: counted.append(by))
    fit(Linear(), max_steps=3, accumulate_grad_batches=4)
    assert sum(counted) == 3


def test_a_training_that_breaks_leaves_no_bar(screen):
    with pytest.raises(RuntimeError, match="broken"):
        fit(Linear(broken_at=2), max_steps=7)
    shown, hidden = "\x1b[?25l", "\x1b[?25h"  # a bar hides the cursor, and gives it back
    assert screen.getvalue().count(shown) == screen.getvalue().count(hidden) == 1
