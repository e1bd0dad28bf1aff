"""lingmix-train: build what conf describes, fit, evaluate, record."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.callbacks import ModelCheckpoint

from lingmix.data.datamodule import HybridDataModule
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.leakage import audit_leakage, refuse_leakage
from lingmix.data.scales import scaled_items
from lingmix.data.schedule import HybridSchedule
from lingmix.data.training_pairs import TrainingPairs, training_pairs
from lingmix.doors import Config, build, door, evaluation_sets, overrides, resolved
from lingmix.errors import InputError
from lingmix.evaluation.evaluator import RunFiles, evaluate_encoder
from lingmix.evaluation.scores import SetScores
from lingmix.evaluation.validation import RetrievalScores
from lingmix.model.encode import encoding
from lingmix.model.encoder import Encoder, encoder_beside
from lingmix.model.module import DualEncoder
from lingmix.model.precision import fastest_device
from lingmix.tracking.history import complete_runs
from lingmix.tracking.identity import config_hash
from lingmix.tracking.lifecycle import HASH, recorded_run
from lingmix.tracking.recorder import RunRecorder
from lingmix.tracking.results import SETTINGS, headline, log_results
from lingmix.tracking.store import experiment_of, open_store, shown

log = logging.getLogger(__name__)


RISING = tuple(
    f"{setting}/{metric}"
    for setting in SETTINGS
    for metric in ("map", "ndcg_at_10", "recall_at_1", "recall_at_10", "recall_at_100", "mrr_at_10")
)
"""Scores that may pick the weights: higher is better."""


class Parts(NamedTuple):
    """What a run is made of."""

    datamodule: HybridDataModule
    module: DualEncoder
    sets: list[EvaluationSet]
    monitor: str | None


def train(composed: DictConfig) -> str:
    """One run, unless the same configuration is recorded complete already; says how it went."""
    config = resolved(composed)
    client = open_store(config["tracking"]["uri"])
    config["tracking"]["uri"] = shown(config["tracking"]["uri"])  # what is recorded has no password
    experiment = experiment_of(client, config["name"], output_dir=Path(config["output_dir"]))
    identity = config_hash(config)
    if found := complete_runs(client, experiment).get(identity):
        return f"{found.info.run_name}: complete already (run {found.info.run_id})"
    parts = prepare(config)
    with recorded_run(
        client,
        experiment=experiment,
        name=run_name(config),
        params=config,
        tags={HASH: identity},
        parent=config["tracking"]["parent"],
    ) as run_id:
        recorder = RunRecorder(client, run_id)
        work = Path(config["output_dir"]) / "runs" / run_id
        fit(parts, config=config, recorder=recorder, work=work)
        left = work / "left"
        left.mkdir(parents=True, exist_ok=True)
        scores = measure(parts, config=config, run_files=left / "runs")
        log_results(
            recorder,
            scores,
            folder=left,
            config=config,
            overrides=[shown(one) for one in overrides()],
            save_model=parts.module.encoder.save,
        )
        shutil.rmtree(work, ignore_errors=True)
    return f"{run_name(config)}\n{headline(scores)}"


def run_name(config: Config) -> str:
    """What tells this run from its neighbours."""
    scale = config["augmentation"]["scale"]
    parts = [
        f"alpha={config['sampler']['alpha']:g}",
        f"scale={'all' if scale is None else scale}",
        *([] if config["pairs"] == "all" else [",".join(config["pairs"])]),
        *config["tracking"]["label"],
        f"seed={config['seed']}",
    ]
    return " ".join(parts)


def prepare(config: Config) -> Parts:
    """Everything that can be wrong with the input is found here, before a run is recorded."""
    data, seed = config["data"], config["seed"]
    refuse_unsupported(config)
    pl.seed_everything(seed, verbose=False)
    sets = evaluation_sets(config["evaluation"], languages=config["languages"])
    development = development_set(config)
    pairs = trained_on(config, held_out=[*sets, development] if development else sets)
    schedule = build(config["sampler"])(pairs=pairs, seed=seed)
    report_small(schedule, pairs)
    cache = Path(config["output_dir"]) / "cache"
    texts = sorted({*pairs.queries, *pairs.passages})
    encoder: Encoder = build(config["encoder"])(texts=texts, cache=cache, seed=seed)
    max_steps = config["trainer"]["max_steps"]
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
    module = DualEncoder(
        encoder=encoder,
        loss=build(config["loss"]),
        optimizer=build(config["optimizer"]),
        max_steps=max_steps,
        development=None if development is None else scores_of(development, config),
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
    if trainer["devices"] not in (1, "1") or trainer.get("accumulate_grad_batches", 1) != 1:
        raise InputError(
            "trainer: a run trains on one device without accumulation, as negatives are those of "
            f"its batch; got devices={trainer['devices']}, accumulate_grad_batches="
            f"{trainer.get('accumulate_grad_batches', 1)}"
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


def fit(parts: Parts, *, config: Config, recorder: RunRecorder, work: Path) -> None:
    """Trains, and leaves the weights that scored best on the development set."""
    settings = config["trainer"]
    interval = min(settings["val_check_interval"], settings["max_steps"])
    parts.module.encoder.save(encoder_beside(work / "any.ckpt"))
    best = ModelCheckpoint(dirpath=work, monitor=parts.monitor, mode="max", save_weights_only=True)
    trainer: pl.Trainer = build(settings)(
        logger=recorder,
        callbacks=[best],
        default_root_dir=work,
        val_check_interval=interval,
        limit_val_batches=0 if parts.monitor is None else None,
    )
    trainer.fit(parts.module, parts.datamodule)
    if trainer.interrupted:
        raise KeyboardInterrupt
    if parts.monitor is None:
        return
    if settings["max_steps"] % interval:  # the last steps were not validated yet
        (last,) = trainer.validate(parts.module, parts.datamodule, verbose=False)
        assert best.best_model_score is not None
        if last[parts.monitor] >= best.best_model_score:
            return
    state = torch.load(best.best_model_path, weights_only=True)["state_dict"]
    parts.module.load_state_dict(state)


def scores_of(development: EvaluationSet, config: Config) -> RetrievalScores:
    return RetrievalScores(
        development, depth=config["depth"], temperature=config["loss"]["temperature"], seed=0
    )


def measure(parts: Parts, *, config: Config, run_files: Path) -> list[SetScores]:
    """All settings of all evaluation sets, from one encoding of each text."""
    encoder = parts.module.encoder.to(fastest_device(config["trainer"]["accelerator"]))
    encode = encoding(
        encoder,
        name=config["encoder"]["name"],
        precision=config["trainer"]["precision"],
        folder=None,
    )
    return list(
        evaluate_encoder(
            encode,
            parts.sets,
            depth=config["depth"],
            temperature=config["loss"]["temperature"],
            seed=0,
            run_files=RunFiles(run_files, config["run_files"]) if config["run_files"] else None,
        )
    )


main = door("train")(train)

if __name__ == "__main__":
    main()
