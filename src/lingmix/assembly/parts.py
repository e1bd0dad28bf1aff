"""The parts of a training run, built as its configuration says."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl

from lingmix.assembly.sources import load_columns
from lingmix.assembly.vocabulary import fit_vocabulary
from lingmix.cli.config import Config, build, evaluation_sets
from lingmix.data.batches import BatchSchedule, OfScores
from lingmix.data.datamodule import HybridDataModule
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.scales import scaled_items
from lingmix.data.training_pairs import TrainingPairs, training_pairs
from lingmix.errors import InputError
from lingmix.evaluation.metric_names import SETTINGS, ScoreName, on_development_set
from lingmix.evaluation.metrics import METRICS
from lingmix.evaluation.validation import RetrievalScores
from lingmix.leakage.audit import audit_leakage
from lingmix.leakage.development import audit_development, refuse_shared_queries
from lingmix.leakage.overlap import Overlap, refuse_leakage
from lingmix.model.encoder import Encoder
from lingmix.model.precision import fastest_device
from lingmix.model.unigram import SAMPLE
from lingmix.training.loss import require_loss
from lingmix.training.module import DualEncoder

DEFAULT_TEMPERATURE = 0.05


class Parts(NamedTuple):
    """The parts of a training run; `monitor` is the metric that checkpoints are selected by, and
    `overlaps` are those of its data with `sets` and the development set; `recorded` makes the
    encoder to record of the trained one."""

    datamodule: HybridDataModule
    module: DualEncoder
    sets: list[EvaluationSet]
    monitor: str | None
    overlaps: list[Overlap]
    recorded: Callable[[Encoder], Encoder]


def prepare(config: Config) -> Parts:
    """Build the parts of a run; raises InputError for any bad input, before the run is recorded."""
    data, seed, trainer = config["data"], config["seed"], config["trainer"]
    refuse_unsupported(config)
    loss = build(config["loss"])
    pl.seed_everything(seed, verbose=False)
    sets = evaluation_sets(config["evaluation"], languages=config["languages"])
    development = development_set(config, apart_from=sets)
    held_out = [*sets, *filter(None, [development])]
    pairs, overlaps = load_training_pairs(config, held_out=held_out)
    max_steps, accumulated = trainer["max_steps"], trainer["accumulate_grad_batches"]
    schedule = build(config["sampler"])(pairs=pairs, seed=seed, steps=max_steps * accumulated)
    require_scores(schedule, development)
    cache = Path(config["output_dir"]) / "cache"
    start = build(config["encoder"])(texts=pairs.sample_texts(SAMPLE), cache=cache, seed=seed)
    encoder, recorded = fit_vocabulary(start, config, pairs.columns, held_out, cache=cache)
    require_loss(loss, dimension=encoder.dimension)
    module = DualEncoder(
        encoder=encoder,
        loss=loss,
        optimizer=build(config["optimizer"]),
        max_steps=max_steps,
        development=None if development is None else development_scores(development, config),
        micro_batch_tokens=config["micro_batch_tokens"],
    )
    module.configure_optimizers()  # raises for bad settings now; the training calls it again
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
    datamodule.refuse_starved(ranks=rank_count(trainer), accumulated=accumulated)
    monitor = on_development_set(data["development_score"]) if development else None
    return Parts(datamodule, module, sets, monitor, overlaps, recorded)


def refuse_unsupported(config: Config) -> None:
    """Raise InputError for settings that this machine does not support, or no run."""
    trainer, score = config["trainer"], config["data"]["development_score"]
    on_cpu = fastest_device(trainer["accelerator"]).type == "cpu"
    if on_cpu and trainer["precision"] in ("16-mixed", "16-true"):
        raise InputError(
            f"trainer.precision: {trainer['precision']} needs a GPU; a CPU has bf16-mixed and "
            "32-true"
        )
    choosing = [str(ScoreName(metric, setting)) for setting in SETTINGS for metric in METRICS]
    if score not in choosing:
        raise InputError(
            f"data.development_score: must be one of {', '.join(choosing)}, got {score!r}"
        )


def require_scores(schedule: BatchSchedule, development: EvaluationSet | None) -> None:
    """Raise InputError where a schedule follows scores and there is no set that gives them."""
    if development is None and isinstance(schedule, OfScores):
        raise InputError(
            "data.development: must be a development set, whose scores move sampler.alpha, got null"
        )


def rank_count(trainer: Config) -> int:
    return trainer["devices"] * trainer["num_nodes"]


def development_set(config: Config, *, apart_from: Sequence[EvaluationSet]) -> EvaluationSet | None:
    """Build the development set, which selects the weights.

    Raises InputError where it shares queries with the evaluation sets `apart_from`.
    """
    node = config["data"]["development"]
    if node is None:
        return None
    (development,) = evaluation_sets({"development": node}, languages=config["languages"])
    refuse_shared_queries(
        shared=audit_development(development=development, evaluation_sets=apart_from),
        allowed=config["data"]["allow_overlap"],
    )
    return development


def load_training_pairs(
    config: Config, *, held_out: Sequence[EvaluationSet]
) -> tuple[TrainingPairs, list[Overlap]]:
    """Build the training pairs of all sources, augmented and restricted to the run's languages,
    and audit them; raises InputError where they leak from the evaluation sets `held_out`.
    """
    data, languages = config["data"], config["languages"]
    columns = load_columns(config)
    items = scaled_items(columns, **config["augmentation"])
    overlaps = audit_leakage(
        columns,
        items=items,
        evaluation_sets=held_out,
        near_duplicates=data["near_duplicates"],
    )
    refuse_leakage(overlaps=overlaps, allowed=data["allow_overlap"])
    pairs = training_pairs(
        columns,
        items=items,
        languages=None if languages == "all" else languages,
        pairs=config["pairs"],
        by_set=config["sampler"].get("set_exponent") is not None,
    )
    return pairs, overlaps


def development_scores(development: EvaluationSet, config: Config) -> RetrievalScores:
    return RetrievalScores(
        development, depth=config["depth"], temperature=entropy_temperature(config), seed=0
    )


def entropy_temperature(config: Config) -> float:
    """Return the temperature of the contrastive entropy: set, that of the loss, or the default."""
    return config["temperature"] or config["loss"].get("temperature") or DEFAULT_TEMPERATURE
