"""The command lingmix-export, which makes a recorded model ready for use elsewhere."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlflow import MlflowClient
from omegaconf import DictConfig

from lingmix.assembly.parts import entropy_temperature
from lingmix.assembly.vocabulary import exported_vocabulary
from lingmix.cli.config import Config, checked, evaluation_sets
from lingmix.evaluation.evaluator import evaluate_encoder
from lingmix.publishing.card import Asked, write_card
from lingmix.publishing.choice import chosen_run
from lingmix.publishing.equality import Compared, change_table, compare, refuse_unequal
from lingmix.publishing.folder import is_exported, unfinished_folder, write_record
from lingmix.publishing.forms import require_packages, write_forms
from lingmix.publishing.hub import dry_run, push_folder, require_hub
from lingmix.publishing.leaderboard import write_mteb
from lingmix.publishing.model_facts import model_facts
from lingmix.publishing.readers import Encode, once_each
from lingmix.publishing.records import load_encoder_of
from lingmix.publishing.registry import register
from lingmix.publishing.tradeoff_figures import write_tradeoffs
from lingmix.tracking.recorded_run import Best, RecordedRun
from lingmix.tracking.store.client import open_store
from lingmix.tracking.store.local import require_store

DECIDING = ("forms", "dimensions", "vocabulary", "limit", "license", "data_licenses", "push")
"""Keys that decide what is in the folder."""


def export(composed: DictConfig) -> str:
    """Write the folder, proven, or leave nothing; upload it where that is asked for. Return what
    changed and where it is."""
    config = checked(composed, "export")
    require_packages(config["forms"])
    repo, uri = config["push"], config["tracking"]["uri"]
    hub = require_hub(repo) if repo and not config["dry_run"] else None
    require_store(uri, config["name"])
    client = open_store(uri)
    best = chosen_run(
        client,
        config["run"],
        experiment=config["name"],
        sweep=config["of_sweep"],
        metric=config["metric"],
    )
    recorded = best.recorded
    named = config["folder"] or Path(config["output_dir"], "exports", recorded.id)
    folder = Path(named).expanduser().absolute()
    asked = {"run": recorded.id} | {key: config[key] for key in DECIDING}
    if is_exported(folder, asked):
        said = "exported already"
    else:
        said = change_table(write(folder, client, best, config=config, asked=asked))
    lines = [f"{recorded.name} ({recorded.id})", said, str(folder)]
    if config["register_as"]:
        lines.append(register(client, recorded, folder, config["register_as"]))
    if hub:
        lines.append(push_folder(hub, folder, repo, private=config["private"]))
    elif repo:
        lines.append(dry_run(folder, repo, private=config["private"]))
    return "\n".join(lines)


def write(
    folder: Path, client: MlflowClient, best: Best, *, config: Config, asked: Mapping[str, Any]
) -> list[Compared]:
    """Write the model in its forms, the card and the leaderboard's files, once each form is as good
    as the record says."""
    recorded, vocabulary = best.recorded, config["vocabulary"]
    with unfinished_folder(folder) as unfinished:
        encoder = load_encoder_of(recorded)
        if vocabulary is not None:
            encoder = exported_vocabulary(
                encoder, vocabulary, recorded.config, output_dir=Path(config["output_dir"])
            )
        if config["dimensions"] is not None:
            encoder = encoder.cut_to(config["dimensions"])
        compared = prove(write_forms(encoder, unfinished, config["forms"]), recorded)
        refuse_unequal(compared, config["limit"])
        write_record(unfinished, asked, compared, recorded.scores)
        node = recorded.config["encoder"]
        facts = model_facts(
            encoder, node if vocabulary is None else node | {"vocabulary": vocabulary}
        )
        said = Asked(
            config["push"] or folder.name, config["license"], config["data_licenses"] or {}
        )
        figures = write_tradeoffs(client, recorded.run.info.experiment_id, unfinished)
        write_card(unfinished, best, facts, compared, figures=figures, asked=said)
        write_mteb(unfinished, recorded, facts, repo=said.repo, license=said.license)
    return compared


def prove(readers: Mapping[str, Encode], recorded: RecordedRun) -> list[Compared]:
    """Measure each form on the evaluation of the run, as the run has measured itself."""
    config, scores, per_query = recorded.config, recorded.scores, recorded.path("per_query.parquet")
    sets = evaluation_sets(config["evaluation"], languages=config["languages"])
    compared = []
    for form, encode in readers.items():
        measured = evaluate_encoder(
            once_each(encode),
            sets,
            depth=config["depth"],
            temperature=entropy_temperature(config),
            seed=0,
            center=config["center"],
        )
        with TemporaryDirectory() as folder:
            found = compare(
                form, measured, recorded=scores, per_query=per_query, folder=Path(folder)
            )
        compared.append(found)
    return compared
