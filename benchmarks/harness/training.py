"""A training by this project, and when each of its steps ended."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from lingmix.cli.config import Config, build
from lingmix.data.datamodule import HybridDataModule
from lingmix.data.schedule import HybridSchedule
from lingmix.data.training_pairs import TrainingPairs
from lingmix.model.encoder import Encoder
from lingmix.model.precision import precision_of
from lingmix.training.module import DualEncoder
from lingmix.training.monitors import GradientMonitor, LossMonitor, SpeedMonitor


@dataclass
class Steps:
    """When each step ended, by the clock and in processor time, and its loss."""

    ended: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def end(self) -> None:
        self.ended.append(time.perf_counter())
        self.worked.append(time.process_time())

    def seconds(self, *, warm_up: int) -> float:
        """Of a step, the mean of those after the first ones."""
        return _mean_gap(self.ended[warm_up - 1 :])

    def processor_seconds(self, *, warm_up: int) -> float:
        """As `seconds`, of all threads."""
        return _mean_gap(self.worked[warm_up - 1 :])


def _mean_gap(times: list[float]) -> float:
    return (times[-1] - times[0]) / (len(times) - 1)


@dataclass(frozen=True)
class Work:
    """What both sides do: a configuration of lingmix-train, the pairs, those of each step."""

    config: Config
    pairs: TrainingPairs
    schedule: HybridSchedule

    @property
    def steps(self) -> int:
        return self.config["trainer"]["max_steps"]


def work_of(config: Config, pairs: TrainingPairs) -> Work:
    steps = config["trainer"]["max_steps"]
    schedule = build(config["sampler"])(pairs=pairs, seed=config["seed"], steps=steps)
    return Work(config, pairs, schedule)


def train_lingmix(work: Work, encoder: Encoder, *, cache: Path) -> Steps:
    """As lingmix-train does it, what it watches included; without its recorder, its checkpoints,
    its validation and its bar."""
    config = work.config
    datamodule = HybridDataModule(
        pairs=work.pairs,
        schedule=work.schedule,
        negatives=0,
        seed=config["seed"],
        tokenize=encoder.tokenize,
        tokenizer=encoder.tokenizer_fingerprint,
        cache=cache,
        max_steps=work.steps,
        development=None,
    )
    module = DualEncoder(
        encoder=encoder,
        loss=build(config["loss"]),
        optimizer=build(config["optimizer"]),
        max_steps=work.steps,
        development=None,
        micro_batch_tokens=config["micro_batch_tokens"],
    )
    clock = _LingmixClock()
    watches = [
        LossMonitor(),
        GradientMonitor(noise_scale_window=config["noise_scale_window"]),
        SpeedMonitor(embedder=encoder.embedder, micro_batch_tokens=config["micro_batch_tokens"]),
    ]
    precision = precision_of(config["trainer"]["precision"])
    settings = {key: value for key, value in config["trainer"].items() if key != "callbacks"}
    trainer = build(settings | {"precision": precision})(
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        limit_val_batches=0,
        callbacks=[*watches, clock],
    )
    trainer.fit(module, datamodule)
    return clock.steps


class _LingmixClock(pl.Callback):
    def __init__(self) -> None:
        self.steps = Steps()

    def on_train_batch_end(
        self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.steps.losses.append(outputs["loss"].item())
        self.steps.end()
