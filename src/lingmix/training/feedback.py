"""The callback that tells a schedule what the development set scores."""

from typing import Any

import pytorch_lightning as pl

from lingmix.data.batches import OfScores
from lingmix.errors import InputError
from lingmix.evaluation.metric_names import on_development_set
from lingmix.training.monitors import log_to_loggers

SETTINGS = ("monolingual", "crosslingual")


class ScoreFeedback(pl.Callback):
    """Hands each validation's mAP of the two settings to the schedule, and logs its alpha.

    A checkpoint holds all of them: a run that resumes, or branches, hands them over again. The
    scores are those of every rank, gathered.
    """

    def __init__(self, schedule: OfScores) -> None:
        self._schedule = schedule
        self._observed: list[tuple[int, float, float]] = []

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        names = [on_development_set(f"{setting}/map") for setting in SETTINGS]
        if missing := [name for name in names if name not in trainer.callback_metrics]:
            raise InputError(
                f"data.development: must have {' and '.join(missing)}, which move sampler.alpha; "
                "choose a set whose queries are ranked in their own language and in others"
            )
        monolingual, crosslingual = (float(trainer.callback_metrics[name]) for name in names)
        step = trainer.global_step * trainer.accumulate_grad_batches
        alpha = self._observe((step, monolingual, crosslingual))
        log_to_loggers(trainer, {"train/alpha": alpha}, step=trainer.global_step - 1)

    def _observe(self, scores: tuple[int, float, float]) -> float:
        self._observed.append(scores)
        step, monolingual, crosslingual = scores
        return self._schedule.observe(step, monolingual=monolingual, crosslingual=crosslingual)

    def state_dict(self) -> dict[str, Any]:
        return {"observed": self._observed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for scores in state_dict["observed"]:
            self._observe(tuple(scores))
