"""What a training run is made of, as its configuration says."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl

from lingmix.data.datamodule import HybridDataModule
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.leakage import audit_leakage, refuse_leakage
from lingmix.data.scales import scaled_items
from lingmix.data.schedule import HybridSchedule
from lingmix.data.training_pairs import TrainingPairs, training_pairs
from lingmix.doors import Config, build, evaluation_sets
from lingmix.errors import InputError
from lingmix.evaluation.validation import RetrievalScores
from lingmix.model.distributed import SummedDDP
from lingmix.model.encoder import Encoder
from lingmix.model.module import DualEncoder
from lingmix.model.precision import fastest_device
from lingmix.model.sharded import SummedFSDP
from lingmix.tracking.results import METRICS, SETTINGS

log = logging.getLogger(__name__)

RISING = tuple(f"{setting}/{metric}" for setting in SETTINGS for metric in METRICS)
"""Scores that may pick the weights: higher is better."""


class Parts(NamedTuple):
    """What a run is made of."""

    datamodule: HybridDataModule
    module: DualEncoder
    sets: list[EvaluationSet]
    monitor: str | None


def prepare(config: Config) -> Parts:
    """Everything that can be wrong with the input is found here, before a run is recorded."""
    data, seed = config["data"], config["seed"]
    refuse_unsupported(config)
    pl.seed_everything(seed, verbose=False)
    sets = evaluation_sets(config["evaluation"], languages=config["languages"])
    development = development_set(config)
    pairs = trained_on(config, held_out=[*sets, development] if development else sets)
    max_steps = config["trainer"]["max_steps"]
    accumulated = config["trainer"]["accumulate_grad_batches"]
    schedule = build(config["sampler"])(pairs=pairs, seed=seed, steps=max_steps * accumulated)
    report_small(schedule, pairs)
    cache = Path(config["output_dir"]) / "cache"
    texts = sorted({*pairs.queries, *pairs.passages})
    encoder: Encoder = build(config["encoder"])(texts=texts, cache=cache, seed=seed)
    datamodule = HybridDataModule(
        pairs=pairs,
        schedule=schedule,
        negatives=data["negatives"],
        seed=seed,
        tokenize=encoder.tokenize,
        tokenizer=encoder.tokenizer_fingerprint,
        cache=cache / "tokens",
        max_steps=max_steps,
        development=development,
    )
    datamodule.refuse_starved(ranks=ranks_of(config["trainer"]), accumulated=accumulated)
    loss = build(config["loss"])
    loss.cuts(encoder.dimension)
    module = DualEncoder(
        encoder=encoder,
        loss=loss,
        optimizer=build(config["optimizer"]),
        max_steps=max_steps,
        development=None if development is None else scores_of(development, config),
        micro_batch_tokens=config["micro_batch_tokens"],
    )
    monitor = None if development is None else f"val/development/{data['development_score']}"
    return Parts(datamodule, module, sets, monitor)


def report_small(schedule: HybridSchedule, pairs: TrainingPairs) -> None:
    """Language pairs that cannot fill a batch are never passed over in silence."""
    for what, names in (
        ("give batches of all they have", schedule.short),
        ("are left out (sampler.min_size)", schedule.left_out),
    ):
        if names:
            sizes = pairs.sizes
            smallest = ", ".join(
                f"{name} {sizes[name]}" for name in sorted(names, key=lambda one: sizes[one])[:3]
            )
            log.warning("%d language pairs are small and %s: %s ...", len(names), what, smallest)


def refuse_unsupported(config: Config) -> None:
    """Settings that would train something else than they say."""
    trainer, score = config["trainer"], config["data"]["development_score"]
    refuse_devices(trainer)
    if trainer["strategy"] == SummedFSDP.name:
        refuse_sharded(config)
    if "early_stopping" in trainer["callbacks"] and config["data"]["development"] is None:
        raise InputError("trainer.callbacks.early_stopping: needs data.development to stop by")
    if trainer["precision"] == "16-mixed" and fastest_device(trainer["accelerator"]).type == "cpu":
        raise InputError(
            "trainer.precision: 16-mixed needs a GPU; a CPU has bf16-mixed and 32-true"
        )
    if score not in RISING:
        raise InputError(
            f"data.development_score: must be one of {', '.join(RISING)}, got {score!r}"
        )
    encoder = config["encoder"]
    sparse = encoder["name"] == "static" and encoder["scratch"]["sparse"]
    if sparse != config["optimizer"]["_target_"].endswith("sparse_adam"):
        raise InputError(
            f"encoder.scratch.sparse: {str(sparse).lower()} does not go with this optimizer; "
            "sparse gradients need optimizer=sparse_adam, and it needs them"
        )
    if sparse and trainer["gradient_clip_val"] is not None:
        raise InputError(
            "trainer.gradient_clip_val: sparse gradients cannot be clipped, got "
            f"{trainer['gradient_clip_val']}; set it to null"
        )


def refuse_devices(trainer: Config) -> None:
    interval = trainer["val_check_interval"]
    for key, what in (("devices", "devices"), ("num_nodes", "nodes")):
        if not isinstance(trainer[key], int) or trainer[key] < 1:
            raise InputError(f"trainer.{key}: must be a number of {what}, got {trainer[key]}")
    if ranks_of(trainer) > 1 and trainer["max_steps"] % interval:
        raise InputError(
            f"trainer.val_check_interval: must divide trainer.max_steps ({trainer['max_steps']}) "
            f"on several devices, got {interval}"
        )


def refuse_sharded(config: Config) -> None:
    """What cannot be where the weights are shared out."""
    encoder, callbacks = config["encoder"], config["trainer"]["callbacks"]
    for key, wrong, mend in (
        (
            "encoder.scratch.sparse",
            encoder["name"] == "static" and encoder["scratch"]["sparse"],
            "false",
        ),
        ("micro_batch_tokens", config["micro_batch_tokens"] is not None, "null"),
        ("noise_scale_window", config["noise_scale_window"] is not None, "null"),
        ("encoder.compile", encoder["compile"], "false"),
        ("trainer.callbacks.weight_averaging", "weight_averaging" in callbacks, "trainer=default"),
    ):
        if wrong:
            raise InputError(
                f"{key}: does not go with trainer.strategy={SummedFSDP.name}, which shares the "
                f"weights out; set it to {mend}, or choose trainer.strategy={SummedDDP.name}"
            )


def ranks_of(trainer: Config) -> int:
    return trainer["devices"] * trainer["num_nodes"]


def development_set(config: Config) -> EvaluationSet | None:
    node = config["data"]["development"]
    if node is None:
        return None
    (development,) = evaluation_sets({"development": node}, languages=config["languages"])
    return development


def trained_on(config: Config, *, held_out: Sequence[EvaluationSet]) -> TrainingPairs:
    """All sources, with as much augmentation as asked for, in the languages asked for."""
    data, languages = config["data"], config["languages"]
    items = [item for source in build(data["train"]) for item in source]
    items = scaled_items(items, **config["augmentation"])
    refuse_leakage(
        overlaps=audit_leakage(items=items, evaluation_sets=held_out),
        allowed=data["allow_overlap"],
    )
    return training_pairs(
        items,
        languages=None if languages == "all" else languages,
        pairs=config["pairs"],
        expand_pairs=data["expand_pairs"],
    )


def scores_of(development: EvaluationSet, config: Config) -> RetrievalScores:
    return RetrievalScores(
        development, depth=config["depth"], temperature=config["loss"]["temperature"], seed=0
    )
