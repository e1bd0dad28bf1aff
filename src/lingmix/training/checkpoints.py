"""Checkpoints: a training resumes from any of them as if it had never stopped."""

import logging
import math
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from signal import Signals
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint, WeightAveraging
from torch import distributed

from lingmix.errors import InputError, require_same_configuration
from lingmix.model.hub import BRANCH
from lingmix.signals import Stop

log = logging.getLogger(__name__)

STATES = 2
"""The newest states that are not deleted."""


class Checkpoints(Checkpoint):
    """Saves the training's newest two states and the weights that scored best, in `folder`.

    A state is saved between two steps, when the step before is complete: its validation, its
    metrics (`flush` sends them), the choice of the best weights. Lightning's ModelCheckpoint saves
    before the validation of the step, whose metrics a resumed run would then lack; hence the edit
    of Lightning's private loop state in `on_save_checkpoint`, whose judge is the test that a
    resumed training is bit-identical. `configuration` is all that decides the result: resuming
    from a checkpoint of another one is refused, but for that of a run to branch from; the state of
    `record_step` is kept as `BRANCH`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        every_steps: int | None,
        every_minutes: float | None,
        record_step: int | None,
        monitor: str | None,
        configuration: Mapping[str, Any],
        flush: Callable[[], None],
        stop: Stop,
    ) -> None:
        self.folder = folder
        self.best_score, self.best_step = -math.inf, 0
        self._every_steps, self._every_minutes = every_steps, every_minutes
        self._record_step = record_step
        self._monitor = monitor
        self._configuration = dict(configuration)
        self._flush, self._stop = flush, stop
        self._random: list[dict[str, torch.Tensor]] | None = None
        self._saved_step, self._saved_at = 0, 0.0

    def best_weights(self) -> dict[str, torch.Tensor]:
        """Loads the best weights, which are the newest: they are only saved with a new best
        score."""
        newest = list(_by_step(self.folder, "best").values())[-1]
        weights: dict[str, torch.Tensor] = torch.load(newest, weights_only=True)["state_dict"]
        return weights

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self._random is not None:
            _set_random_state(self._random[trainer.global_rank % len(self._random)])
        self._saved_step, self._saved_at = trainer.global_step, time.monotonic()
        self._stop.listen()

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: object, batch_idx: int
    ) -> None:
        if batch_idx % trainer.accumulate_grad_batches:
            return
        stop_signal = _signal_on_any_rank(trainer, self._stop)
        if trainer.global_step > self._saved_step and (stop_signal or self._due(trainer)):
            self._save(trainer)
        if stop_signal:
            log.warning(
                "stopped by %s at step %d; run the same command to resume",
                Signals(stop_signal).name,
                trainer.global_step,
            )
            self._stop.check()

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self._monitor is None or trainer.sanity_checking or trainer.state.fn != "fit":
            return
        score = float(trainer.callback_metrics[self._monitor])
        if score > self.best_score:
            self.best_score, self.best_step = score, trainer.global_step
            averaged = any(isinstance(found, WeightAveraging) for found in trainer.callbacks)  # type: ignore[attr-defined]
            path = best_path(self.folder, self.best_step)
            # averaged weights are written into a full checkpoint only
            trainer.save_checkpoint(path, weights_only=not averaged)
            self._delete_old(trainer)

    def state_dict(self) -> dict[str, Any]:
        return {
            "best_score": self.best_score,
            "best_step": self.best_step,
            "configuration": self._configuration,
            "random": _random_states(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if state_dict["configuration"] == self._configuration:  # else a branch, without its weights
            self.best_score, self.best_step = state_dict["best_score"], state_dict["best_step"]
        self._random = state_dict["random"]

    def on_save_checkpoint(
        self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Sets Lightning's loop state to what it is after a step's validation: the batch that is
        about to start has not begun, and a step that ended with a validation is counted once."""
        loops = checkpoint["loops"]["fit_loop"]
        progress = loops["epoch_loop.batch_progress"]
        progress["is_last_batch"] = False
        for counts in (progress["total"], progress["current"]):
            counts["ready"] = counts["completed"]
        if self._monitor and progress["total"]["completed"] % trainer.val_check_interval == 0:
            loops["epoch_loop.state_dict"]["_batches_that_stepped"] -= 1

    def _due(self, trainer: pl.Trainer) -> bool:
        step = trainer.global_step
        if step == self._record_step or (self._every_steps and step % self._every_steps == 0):
            return True
        if self._every_minutes is None:
            return False
        elapsed = time.monotonic() - self._saved_at >= 60 * self._every_minutes
        return bool(trainer.strategy.broadcast(elapsed))

    def _save(self, trainer: pl.Trainer) -> None:
        self._flush()
        state = state_path(self.folder, trainer.global_step)
        trainer.save_checkpoint(state)
        if trainer.is_global_zero and trainer.global_step == self._record_step:
            shutil.copyfile(state, self.folder / BRANCH)
        self._saved_step, self._saved_at = trainer.global_step, time.monotonic()
        self._delete_old(trainer)

    def _delete_old(self, trainer: pl.Trainer) -> None:
        """Deletes all but the newest states, and best weights that none of these names."""
        if not trainer.is_global_zero:
            return
        states = _by_step(self.folder, "state")
        oldest = min(list(states)[-STATES:], default=self.best_step)
        bests = _by_step(self.folder, "best")
        named = max((step for step in bests if step <= oldest), default=0)
        for path in list(states.values())[:-STATES]:
            path.unlink()
        for step, path in bests.items():
            if step < named:
                path.unlink()


def state_path(folder: Path, step: int) -> Path:
    """Sorted by name, checkpoints are sorted by step."""
    return folder / f"state-{step:09d}.ckpt"


def best_path(folder: Path, step: int) -> Path:
    return folder / f"best-{step:09d}.ckpt"


def newest_state(folder: Path, configuration: Mapping[str, Any]) -> Path | None:
    """Returns the newest state that can be read, None where there is none; deletes what was written
    after it, which the resumed training writes again.

    Raises InputError where it belongs to a run with another configuration.
    """
    states = _by_step(folder, "state")
    chosen = None
    for step, path in reversed(states.items()):
        if reason := _broken(path, configuration):
            log.warning("%s cannot be used (%s): going back to the one before", path, reason)
        else:
            chosen = step
            break
    if states and chosen is None:
        log.warning("no checkpoint in %s can be used: the training starts anew", folder)
    later = [*states.items(), *_by_step(folder, "best").items()]
    for path in [path for step, path in later if step > (chosen or 0)]:
        path.unlink()
    for path in [*folder.glob("state-*.unfinished"), *folder.glob("best-*.unfinished")]:
        path.unlink()
    return None if chosen is None else states[chosen]


def _broken(path: Path, configuration: Mapping[str, Any]) -> str | None:
    """Returns why a training cannot resume from a state, or None."""
    try:
        checkpoint = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
        state = checkpoint["callbacks"][Checkpoints.__qualname__]
        require_same_configuration(state["configuration"], configuration, where=path)
        if state["best_step"]:
            path = best_path(path.parent, state["best_step"])
            torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except InputError:
        raise
    except (OSError, EOFError, RuntimeError, LookupError, ValueError, UnpicklingError) as error:
        return f"{path.name}: {' '.join(str(error).split())[:120]}"
    return None


def _by_step(folder: Path, kind: str) -> dict[int, Path]:
    """Lists files by step, ascending."""
    return {
        int(path.stem.rpartition("-")[2]): path for path in sorted(folder.glob(f"{kind}-*.ckpt"))
    }


def _signal_on_any_rank(trainer: pl.Trainer, stop: Stop) -> int | None:
    """Returns the number of the stop signal that any rank received, and passes it to all."""
    number = torch.tensor(stop.number or 0, device=trainer.strategy.root_device)
    stop.number = int(trainer.strategy.reduce(number, reduce_op="max")) or None
    return stop.number


def _random_states() -> list[dict[str, torch.Tensor]]:
    """Returns the state of torch's generators, from which dropout draws, on each rank."""
    local = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        local["cuda"] = torch.cuda.get_rng_state()
    if not distributed.is_available() or not distributed.is_initialized():
        return [local]
    states: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(states, local)
    return states


def _set_random_state(state: Mapping[str, torch.Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
