"""Training and evaluation of a run, as its configuration says."""

import math
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar

from lingmix.assembly.parts import Parts, entropy_temperature, rank_count
from lingmix.cli.config import Config, build
from lingmix.data.batches import BatchSchedule, OfScores
from lingmix.evaluation.evaluator import RunFiles, evaluate_encoder
from lingmix.evaluation.metric_names import BEST_SCORE
from lingmix.evaluation.scores import SetScores
from lingmix.model.embed import cached_encoder
from lingmix.model.hub import ENCODER_FOLDER
from lingmix.model.precision import fastest_device, precision_of
from lingmix.signals import Stop
from lingmix.tracking.lightning_logger import RunLogger
from lingmix.tracking.models import recorded_checkpoint
from lingmix.tracking.outbox.recorder import RunRecorder
from lingmix.training.checkpoints import Checkpoints, newest_state
from lingmix.training.completeness import require_trained
from lingmix.training.distributed import SummedDDP
from lingmix.training.durable_files import DurableFiles
from lingmix.training.feedback import ScoreFeedback
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
    """Train, resuming from the newest checkpoint; rank 0 ends with the best weights.

    The best are those that scored highest on the development set. Checkpoints in `work` must be of
    `configuration`. Raises StoppedError after a signal, PrunedError where a study rejects the run.
    """
    start = ranks.on_rank_zero(partial(find_start, parts, config, work, configuration))
    checkpoints = Checkpoints(
        work,
        **config["checkpoint"],
        monitor=parts.monitor,
        configuration=configuration,
        flush=recorder.flush if recorder else lambda: None,
        stop=stop,
    )
    pl.seed_everything(config["seed"], verbose=False)
    trainer = make_trainer(parts, config=config, recorder=recorder, checkpoints=checkpoints)
    with stop.deferred():
        trainer.fit(parts.module, parts.datamodule, ckpt_path=start or None, weights_only=True)
        stop.check()
        require_trained(trainer)
        if parts.monitor is None or recorder is None:
            return
        last = -math.inf
        if trainer.global_step % validation_interval(config):  # the last steps lack a validation
            trainer.validate(parts.module, parts.datamodule, verbose=False)
            last = float(trainer.callback_metrics[parts.monitor])
        best = max(checkpoints.best_score, last)
        recorder.log_metrics({BEST_SCORE: best}, trainer.global_step)
    if last < best:
        parts.module.load_state_dict(checkpoints.best_weights())


def find_start(parts: Parts, config: Config, work: Path, configuration: Mapping[str, Any]) -> str:
    """Save the encoder as it starts, and return the checkpoint to go on from, empty for none."""
    parts.module.encoder.save(work / ENCODER_FOLDER)
    if state := newest_state(work, configuration):
        return str(state)
    branch = config["branch_from"]
    return str(recorded_checkpoint(config["tracking"]["uri"], branch)) if branch else ""


def make_trainer(
    parts: Parts, *, config: Config, recorder: RunRecorder | None, checkpoints: Checkpoints
) -> pl.Trainer:
    settings = dict(config["trainer"])
    callbacks = build(settings.pop("callbacks"))
    if rank_count(settings) > 1 and settings["strategy"] == "auto":
        settings["strategy"] = SummedDDP.name
    if settings["strategy"] == "summed_fsdp":
        import lingmix.training.sharded  # noqa: F401, PLC0415 - registers it, and imports FSDP
    settings["precision"] = precision_of(settings["precision"])
    pair_metrics = config["tracking"]["pair_metrics"]
    return build(settings)(
        logger=False if recorder is None else RunLogger(recorder, pair_metrics=pair_metrics),
        callbacks=[
            *callbacks.values(),
            *step_bars(config["trainer"], callbacks.values()),
            LossMonitor(),
            GradientMonitor(noise_scale_window=config["noise_scale_window"]),
            SpeedMonitor(
                embedder=parts.module.encoder.embedder,
                micro_batch_tokens=config["micro_batch_tokens"],
            ),
            *feedback(parts.datamodule.batches.schedule),
            *pruning_callbacks(config, recorder=recorder, folder=checkpoints.folder),
            checkpoints,
        ],
        plugins=[DurableFiles(), *environments()],
        default_root_dir=checkpoints.folder,
        val_check_interval=validation_interval(config) * settings["accumulate_grad_batches"],
        limit_val_batches=0 if parts.monitor is None else None,
    )


def step_bars(trainer: Config, callbacks: Iterable[pl.Callback]) -> list[pl.Callback]:
    """Return a bar, unless it is turned off or the user's callbacks have one."""
    has_bar = any(isinstance(callback, ProgressBar) for callback in callbacks)
    return [StepBar()] if trainer["enable_progress_bar"] and not has_bar else []


def feedback(schedule: BatchSchedule) -> list[pl.Callback]:
    """Return what tells the schedule its scores, if it follows them."""
    return [ScoreFeedback(schedule)] if isinstance(schedule, OfScores) else []


def pruning_callbacks(
    config: Config, *, recorder: RunRecorder | None, folder: Path
) -> list[pl.Callback]:
    """Return the pruning callback of a cell of a study."""
    settings = config["tracking"]["pruning"]
    if settings is None:
        return []
    from lingmix.sweep.pruning import Pruning, study_storage  # noqa: PLC0415 - needs Optuna

    return [
        Pruning(
            study=settings["study"],
            objectives=settings["objectives"],
            pruner=build(settings["pruner"]),
            studies=partial(study_storage, config, sweep=config["tracking"]["parent"]),
            folder=folder,
            flush=recorder.flush if recorder else lambda: None,
        )
    ]


def validation_interval(config: Config) -> int:
    """Return the optimizer steps between validations; Lightning itself counts batches."""
    return min(config["trainer"]["val_check_interval"], config["trainer"]["max_steps"])


def measure(parts: Parts, *, config: Config, run_files: Path) -> list[SetScores]:
    """Score all settings of all evaluation sets; each text is encoded once."""
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
            center=config["center"],
            run_files=RunFiles(run_files, config["run_files"]) if config["run_files"] else None,
        )
    )
