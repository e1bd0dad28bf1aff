"""The command lingmix-train, which trains an encoder, evaluates it and records the run."""

import shutil
from functools import partial
from pathlib import Path

from omegaconf import DictConfig

from lingmix.assembly.fit import fit, measure
from lingmix.assembly.parts import Parts, prepare
from lingmix.cli.config import Config, checked, command_line, overrides
from lingmix.data.card import data_card, items_of, write_card
from lingmix.evaluation.metric_names import TRAINED_ITEMS
from lingmix.evaluation.score_table import headline
from lingmix.evaluation.scores import SetScores
from lingmix.leakage.report import audit_metrics, write_overlaps
from lingmix.model.hub import BRANCH
from lingmix.model.precision import precision_of
from lingmix.signals import PrunedError, Stop, stoppable
from lingmix.tracking.identity import identify
from lingmix.tracking.languages import write_languages
from lingmix.tracking.outbox.recorder import RunRecorder
from lingmix.tracking.results import log_results
from lingmix.tracking.run import find_complete, pending_note, record_run
from lingmix.tracking.run_folder import empty_folder, run_folder
from lingmix.training.rank_group import RankGroup
from lingmix.training.ranks import launched


def train(composed: DictConfig) -> str:
    """Train and evaluate, unless the same run is recorded complete already; return a message.

    Where a launcher has started several processes, only rank 0 records and returns a message.
    """
    with stoppable() as stop, launched() as ranks:
        config = checked(composed, "train")
        ranks.assemble(devices=config["trainer"]["devices"], nodes=config["trainer"]["num_nodes"])
        try:
            if ranks.rank == 0:
                return lead(config, ranks=ranks, stop=stop)
            follow(config, ranks=ranks, stop=stop)
        except PrunedError as pruned:
            return f"{run_name(config)}: {pruned}"
    return ""


def follow(config: Config, *, ranks: RankGroup, stop: Stop) -> None:
    """Train as a rank above 0, which records nothing."""
    work = Path(ranks.receive())
    parts = ranks.on_all_ranks(partial(prepare, config))
    fit(
        parts,
        config=config,
        configuration=identify(config).configuration,
        recorder=None,
        work=work,
        ranks=ranks,
        stop=stop,
    )


def lead(config: Config, *, ranks: RankGroup, stop: Stop) -> str:
    """Train, evaluate and record as rank 0, unless the run is complete; return a message."""
    name, identity = run_name(config), identify(config)
    with run_folder(config, identity.hash) as work:
        if complete := find_complete(config, identity, work=work):
            return f"{name}: {complete.message}"
        ranks.broadcast(str(work))
        parts = ranks.on_all_ranks(partial(prepare, config))
        with record_run(
            config,
            identity,
            name=name,
            command=command_line("lingmix-train"),
            precision=precision_of(config["trainer"]["precision"]),
            work=work,
        ) as recorder:
            fit(
                parts,
                config=config,
                configuration=identity.configuration,
                recorder=recorder,
                work=work,
                ranks=ranks,
                stop=stop,
            )
            scores = record_scores(parts, config=config, recorder=recorder, work=work)
        return f"{name}\n{headline(scores)}{pending_note(work)}"


def record_scores(
    parts: Parts, *, config: Config, recorder: RunRecorder, work: Path
) -> list[SetScores]:
    pairs, encoder = parts.datamodule.batches.pairs, parts.module.encoder
    recorder.log_metrics({TRAINED_ITEMS: pairs.item_count})
    recorder.log_metrics(audit_metrics(parts.overlaps, [one.name for one in parts.sets]))
    artifacts = empty_folder(work / "left")
    write_languages(artifacts, pairs.sizes, parts.sets, encoder.tokenize)
    write_overlaps(parts.overlaps, artifacts)
    write_card(
        data_card(pairs.columns, pairs, items=items_of(pairs), tokenize=encoder.tokenize),
        artifacts / "card",
    )
    if (checkpoint := work / BRANCH).exists():
        shutil.copyfile(checkpoint, artifacts / BRANCH)
    scores = measure(parts, config=config, run_files=artifacts / "runs")
    log_results(
        recorder,
        scores,
        folder=artifacts,
        config=config,
        overrides=overrides(),
        save_model=parts.recorded(encoder.merge_lora()).save,
    )
    return scores


def run_name(config: Config) -> str:
    """Return the name of a run: the settings that usually differ between runs."""
    scale = config["augmentation"]["scale"]
    sampler = config["sampler"]
    alphas = [sampler[key] for key in ("alpha", "alpha_end") if sampler.get(key) is not None]
    parts = [
        *([f"alpha={'->'.join(f'{alpha:g}' for alpha in alphas)}"] if alphas else []),
        f"scale={'all' if scale is None else scale}",
        *([] if config["pairs"] == "all" else [",".join(config["pairs"])]),
        *config["tracking"]["label"],
        f"seed={config['seed']}",
    ]
    return " ".join(parts)
