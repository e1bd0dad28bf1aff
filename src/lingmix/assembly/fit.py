"""A run's training and its measurement, as its configuration says."""

import math
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ProgressBar

from lingmix.assembly.parts import Parts, entropy_temperature, ranks_of
from lingmix.cli.config import Config, build
from lingmix.evaluation.evaluator import RunFiles, evaluate_encoder
from lingmix.evaluation.metric_names import KEPT_SCORE
from lingmix.evaluation.scores import SetScores
from lingmix.model.embed import cached_encoder
from lingmix.model.hub import ENCODER_FOLDER
from lingmix.model.precision import fastest_device, precision_of
from lingmix.signals import Stop
from lingmix.tracking.lightning_logger import RunLogger
from lingmix.tracking.outbox.recorder import RunRecorder
from lingmix.training.checkpoints import Checkpoints, DurableFiles, newest_state
from lingmix.training.completeness import require_trained
from lingmix.training.distributed import SummedDDP
from lingmix.training.monitors import GradientMonitor, LossMonitor, SpeedMonitor
from lingmix.training.rank_group import RankGroup
from lingmix.training.ranks import environments
from lingmix.training.step_bar import StepBar


def fit(
    parts: Parts,
    *,
    config: Config,
    configuration: Mapping[str, Any],
    recorder: RunRecorder | None,
    work: Path,
    ranks: RankGroup,
    stop: Stop,
) -> None:
    """Trains, from the newest checkpoint where there is one, and leaves rank 0 the weights that
    scored best on the development set. Checkpoints are of `configuration`, and of no other."""
    start = ranks.on_rank_zero(partial(begin, parts, work=work, configuration=configuration))
    checkpoints = Checkpoints(
        work,
        **config["checkpoint"],
        monitor=parts.monitor,
        configuration=configuration,
        flush=recorder.flush if recorder else lambda: None,
        stop=stop,
    )
    pl.seed_everything(config["seed"], verbose=False)
    trainer = trainer_of(parts, config=config, recorder=recorder, checkpoints=checkpoints)
    with stop.deferred():
        trainer.fit(parts.module, parts.datamodule, ckpt_path=start or None, weights_only=True)
        stop.check()
        require_trained(trainer)
        if parts.monitor is None or recorder is None:
            return
        best, last = checkpoints.best_score, -math.inf
        if trainer.global_step % interval_of(config):  # the last steps were not validated yet
            trainer.validate(parts.module, parts.datamodule, verbose=False)
            last = float(trainer.callback_metrics[parts.monitor])
        recorder.log_metrics({KEPT_SCORE: max(best, last)}, trainer.global_step)
        if last >= best:
            return
    state = torch.load(checkpoints.best, weights_only=True)["state_dict"]
    parts.module.load_state_dict(state)


def begin(parts: Parts, *, work: Path, configuration: Mapping[str, Any]) -> str:
    """The checkpoint to go on from, empty for none."""
    parts.module.encoder.save(work / ENCODER_FOLDER)
    return str(newest_state(work, configuration) or "")


def trainer_of(
    parts: Parts, *, config: Config, recorder: RunRecorder | None, checkpoints: Checkpoints
) -> pl.Trainer:
    settings = dict(config["trainer"])
    callbacks = build(settings.pop("callbacks"))
    if ranks_of(settings) > 1 and settings["strategy"] == "auto":
        settings["strategy"] = SummedDDP.name
    settings["precision"] = precision_of(settings["precision"])
    return build(settings)(
        logger=False
        if recorder is None
        else RunLogger(recorder, pair_metrics=config["tracking"]["pair_metrics"]),
        callbacks=[
            *callbacks.values(),
            *step_bar(config["trainer"], callbacks.values()),
            LossMonitor(),
            GradientMonitor(noise_scale_window=config["noise_scale_window"]),
            SpeedMonitor(
                embedder=parts.module.encoder.embedder,
                micro_batch_tokens=config["micro_batch_tokens"],
            ),
            *pruning(config, recorder=recorder, folder=checkpoints.folder),
            checkpoints,
        ],
        plugins=[DurableFiles(), *environments()],
        default_root_dir=checkpoints.folder,
        val_check_interval=interval_of(config) * settings["accumulate_grad_batches"],
        limit_val_batches=0 if parts.monitor is None else None,
    )


def step_bar(trainer: Config, callbacks: Iterable[pl.Callback]) -> list[pl.Callback]:
    """None where no bar is asked for, or the user has one."""
    asked = trainer["enable_progress_bar"]
    own = any(isinstance(one, ProgressBar) for one in callbacks)
    return [StepBar()] if asked and not own else []


def pruning(config: Config, *, recorder: RunRecorder | None, folder: Path) -> list[pl.Callback]:
    """What a study has a cell told."""
    asked = config["tracking"]["pruning"]
    if asked is None:
        return []
    from lingmix.sweep.pruning import Pruning, study_storage  # noqa: PLC0415 - needs Optuna

    return [
        Pruning(
            study=asked["study"],
            objectives=asked["objectives"],
            pruner=build(asked["pruner"]),
            studies=partial(study_storage, config, sweep=config["tracking"]["parent"]),
            folder=folder,
            flush=recorder.flush if recorder else lambda: None,
        )
    ]


def interval_of(config: Config) -> int:
    """Steps between validations; Lightning itself counts batches."""
    return min(config["trainer"]["val_check_interval"], config["trainer"]["max_steps"])


def measure(parts: Parts, *, config: Config, run_files: Path) -> list[SetScores]:
    """All settings of all evaluation sets, from one encoding of each text."""
    encoder = parts.module.encoder.merge_lora().to(fastest_device(config["trainer"]["accelerator"]))
    encode = cached_encoder(
        encoder,
        name=config["encoder"]["name"],
        precision=precision_of(config["trainer"]["precision"]),
        folder=None,
    )
    return list(
        evaluate_encoder(
            encode,
            parts.sets,
            depth=config["depth"],
            temperature=entropy_temperature(config),
            seed=0,
            run_files=RunFiles(run_files, config["run_files"]) if config["run_files"] else None,
        )
    )
