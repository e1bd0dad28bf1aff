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
from lingmix.errors import InputError, require_choice, require_int, require_number
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

PRECISIONS = ("bf16-mixed", "bf16-true", "16-mixed", "16-true", "32-true", "64-true")
"""By Lightning's full names, which the rest of the code knows them by."""


class Parts(NamedTuple):
    """What a run is made of."""

    datamodule: HybridDataModule
    module: DualEncoder
    sets: list[EvaluationSet]
    monitor: str | None


def prepare(config: Config) -> Parts:
    """Everything that can be wrong with the input is found here, before a run is recorded."""
    data, seed = config["data"], config["seed"]
    refuse_numbers(config)
    refuse_unsupported(config)
    loss = build(config["loss"])
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
    loss.cuts(encoder.dimension)
    module = DualEncoder(
        encoder=encoder,
        loss=loss,
        optimizer=build(config["optimizer"]),
        max_steps=max_steps,
        development=None if development is None else scores_of(development, config),
        micro_batch_tokens=config["micro_batch_tokens"],
    )
    module.configure_optimizers()  # finds what is wrong with them; the training makes its own
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


def refuse_numbers(config: Config) -> None:
    trainer, checkpoint, seed = config["trainer"], config["checkpoint"], config["seed"]
    if type(seed) is not int or not 0 <= seed < 2**32:
        raise InputError(f"seed: must be a whole number in [0, {2**32 - 1}], got {seed!r}")
    refuse_devices(trainer)
    for key in ("max_steps", "val_check_interval", "accumulate_grad_batches"):
        require_int(f"trainer.{key}", trainer[key], at_least=1)
    for key, least in (
        ("depth", 1),
        ("run_files", 1),
        ("micro_batch_tokens", 1),
        ("noise_scale_window", 2),
    ):
        require_int(key, config[key], at_least=least, or_null=True)
    require_int("checkpoint.every_steps", checkpoint["every_steps"], at_least=1, or_null=True)
    if (minutes := checkpoint["every_minutes"]) is not None:
        rule = "at least 0 and finite, or null"
        require_number("checkpoint.every_minutes", minutes, rule, lambda one: one >= 0)
    if (clip := trainer["gradient_clip_val"]) is not None:
        rule = "above 0 and finite, or null"
        require_number("trainer.gradient_clip_val", clip, rule, lambda one: one > 0)


def refuse_unsupported(config: Config) -> None:
    """Settings that would train something else than they say."""
    trainer, score = config["trainer"], config["data"]["development_score"]
    steps, interval = trainer["max_steps"], trainer["val_check_interval"]
    if ranks_of(trainer) > 1 and steps % interval:
        raise InputError(
            f"trainer.val_check_interval: must divide trainer.max_steps ({steps}) on several "
            f"devices, got {interval}"
        )
    require_choice("trainer.precision", trainer["precision"], ("auto", *PRECISIONS))
    require_choice(
        "trainer.strategy", trainer["strategy"], ("auto", SummedDDP.name, SummedFSDP.name)
    )
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
    for key in ("devices", "num_nodes"):
        require_int(f"trainer.{key}", trainer[key], at_least=1)


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
