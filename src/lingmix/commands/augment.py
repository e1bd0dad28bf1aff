"""The command lingmix-augment, which makes training items of passages."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from lingmix.augmentation.drafts import Bench, Draft, Step
from lingmix.augmentation.endpoint import Endpoint
from lingmix.augmentation.journal import Journal, open_journal
from lingmix.augmentation.model_queries import ModelQueries
from lingmix.augmentation.passages import gathered
from lingmix.augmentation.pipeline import ITEMS, run_steps, table, write_result
from lingmix.augmentation.strata import stratified
from lingmix.cli.config import Config, build, checked
from lingmix.data.row_file import refuse_unwritable
from lingmix.errors import InputError
from lingmix.locks import exclusive
from lingmix.signals import stoppable
from lingmix.terminal import say

if TYPE_CHECKING:
    from lingmix.model.embed import CachedEncoder


def augment(composed: DictConfig) -> str:
    """Write the items, what was rejected and the report; return a table of what each step kept."""
    config = checked(composed, "augment")
    folder = Path(config["folder"]).absolute()
    refuse_unwritable(folder / ITEMS)
    busy = partial(say, f"{folder}: waiting for another process")
    steps = {name: build(node) for name, node in config["steps"].items()}
    with (
        stoppable(),
        exclusive(folder / "lock", busy=busy),
        open_journal(Path(config["journal"]).absolute()) as journal,
    ):
        return _made(config, steps, journal, folder)


def _made(config: Config, steps: Mapping[str, Step], journal: Journal, folder: Path) -> str:
    backend = None if config["backend"] is None else build(config["backend"])(journal=journal)
    corpus, taken = _passages(config)
    translator = (
        None if config["translator"] is None else build(config["translator"])(journal=journal)
    )
    encode = None if config["encoder"] is None else _encoder(config)
    bench = Bench(
        corpus=corpus, answers=backend, translate=translator, encode=encode, seed=config["seed"]
    )
    if isinstance(backend, Endpoint):
        say(_estimate(taken, steps, backend))
    if config["estimate"]:
        return "nothing was sent: estimate=true"
    made = run_steps(taken, steps, bench)
    report = {
        "passages": len(corpus),
        "taken": len(taken),
        "items": len(made.items),
        "steps": made.counts,
    }
    write_result(made, folder, report=report)
    lines = [table(made.counts)]
    if isinstance(backend, Endpoint):
        lines.append(f"{journal.path}: {journal.spent} in all")
    lines.append(f"{folder / ITEMS}: {len(made.items):,} items of {len(taken):,} passages")
    return "\n".join(lines)


def _encoder(config: Config) -> "CachedEncoder":
    from lingmix.assembly.encoding import load_cached_encoder  # noqa: PLC0415 - seconds of imports
    from lingmix.tracking.models import model_folder  # noqa: PLC0415

    folder = model_folder(config["tracking"]["uri"], config["encoder"]["name"])
    return load_cached_encoder(config, folder)


def _passages(config: Config) -> tuple[list[Draft], list[Draft]]:
    """All passages in their order, and those that are taken."""
    languages = config["languages"]
    corpus = gathered(
        build(config["passages"]),
        languages=None if languages == "all" else languages,
        domain=config["domain"],
    )
    chosen = stratified(corpus, section=config["section"], seed=config["seed"])
    scale = len(chosen) if config["scale"] is None else config["scale"]
    if scale > len(chosen):
        raise InputError(
            f"scale: must be at most {len(chosen)}, the passages there are, got {scale}"
        )
    return chosen, chosen[:scale]


def _estimate(taken: Sequence[Draft], steps: Mapping[str, Step], backend: Endpoint) -> str:
    asked = [
        request
        for step in steps.values()
        if isinstance(step, ModelQueries)
        for request in step.asked(taken, backend)
    ]
    return f"to be sent, not counting what is sent again: {backend.estimate(asked)} at most"
