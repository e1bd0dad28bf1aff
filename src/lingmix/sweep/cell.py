"""A cell is one run of a sweep: its configuration, the process that runs it, and its outcome."""

from collections.abc import Generator, Mapping, Sequence
from pkgutil import resolve_name
from typing import NamedTuple, Protocol

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from lingmix.cli.config import Config
from lingmix.cli.failures import input_errors
from lingmix.sweep.grid import Plan, without_hydra
from lingmix.tracking.flat_config import leaves
from lingmix.tracking.identity import CODE, VERSIONS
from lingmix.tracking.versions import parse_versions

ALWAYS_NAMED = ("sampler.alpha", "augmentation.scale", "seed")
NAME_ORDER = {"sampler.alpha": 0, "augmentation.scale": 1, "pairs": 2, "seed": 4}


class Cell(NamedTuple):
    """One run of a sweep: Hydra's composition, the plain values, the hash and the name."""

    config: DictConfig
    values: Config
    identity: str
    name: str


class Outcome(NamedTuple):
    """How a cell ended; `text` is the message that it returned, or the error."""

    cell: Cell
    complete: bool
    text: str
    seconds: float


Outcomes = Generator[Outcome, None, None]


class CellRunner(Protocol):
    """Runs cells in any order, wherever their `output_dir` is shared; each calls `run_cell` in a
    process that does nothing else."""

    def __call__(self, cells: Sequence[Cell], command: str) -> Outcomes:
        """Yield the outcome of each cell when it ends; closing the generator stops the rest."""
        ...


def make_cell(plan: Plan, config: DictConfig, *, parent: str, keys: Sequence[str]) -> Cell:
    """Make the cell of a plan for a runner: sets its store, parent run, code, versions and label,
    and turns its progress bar off."""
    label = [key for key in keys if key not in (*ALWAYS_NAMED, "pairs")]
    with open_dict(config):
        config.tracking.parent = parent
        config.tracking.uri = plan.values["tracking"]["uri"]  # may refer to the environment here
        config.tracking.code = plan.run.tags[CODE]
        config.tracking.versions = parse_versions(plan.run.tags[VERSIONS]) or None
        config.tracking.label = _words(
            chosen_values(plan, [key for key in label if not key.startswith("tracking.")])
        )
        if "trainer" in config:
            config.trainer.enable_progress_bar = False
    return Cell(config, plan.values, plan.identity, _name(chosen_values(plan, keys)))


def run_cell(command: str, config: DictConfig, *, threads: int) -> str:
    """Run a cell in this process, which must run nothing else, and return the command's message.

    Raises InputError where the cell, a library or the machine refuses.
    """
    import torch  # noqa: PLC0415 - a sweep with nothing to run has no use for it

    torch.set_num_threads(threads)
    HydraConfig.instance().set_config(config)
    with input_errors(command):
        return resolve_name(f"lingmix.commands.{command}:{command}")(without_hydra(config))


def chosen_values(plan: Plan, keys: Sequence[str]) -> dict[str, str]:
    """Return the value of each key of a cell, of several that one override sets that override's:
    `encoder` is `tiny`, not the keys of the encoder."""
    values = leaves(plan.values)
    written = dict(line.lstrip("+").partition("=")[::2] for line in plan.overrides)
    found = {}
    for key in keys:
        setter = _deciding_key(key, written)
        found[setter] = str(values.get(key)) if setter == key else written[setter]
    return found


def _deciding_key(key: str, written: Mapping[str, str]) -> str:
    """The override that sets the key: of the key itself, of a part above it, of the short key that
    it is taken from (`data.path` of `data.sets.items.path`), or of `experiment`, whose files set
    keys anywhere."""
    parts = key.split(".")
    around = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    short = f"{parts[0]}.{parts[-1]}"
    return next((name for name in (*around, short, "experiment") if name in written), key)


def _name(chosen: Mapping[str, str]) -> str:
    ordered = sorted(chosen, key=lambda key: NAME_ORDER.get(key, 3))
    return " ".join(_words({key: chosen[key] for key in ordered}))


def _words(chosen: Mapping[str, str]) -> list[str]:
    return [f"{key.rpartition('.')[2]}={value}" for key, value in chosen.items()]
