"""A cell of a sweep: what it is, what it does in a process of its own, how it ended."""

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
from lingmix.tracking.versions import from_words

NAMED_ANYWAY = ("sampler.alpha", "augmentation.scale", "seed")
PLACE = {"sampler.alpha": 0, "augmentation.scale": 1, "pairs": 2, "seed": 4}


class Cell(NamedTuple):
    """One run of the grid: as Hydra composed it, its plain values, its hash, its name."""

    config: DictConfig
    values: Config
    identity: str
    name: str


class Outcome(NamedTuple):
    """How a cell ended; `text` is what it has to say, or the error."""

    cell: Cell
    complete: bool
    text: str
    seconds: float


Outcomes = Generator[Outcome, None, None]


class CellRunner(Protocol):
    """Runs cells, in any order and anywhere that shares their `output_dir`, each by `work` in a
    process that does nothing else."""

    def __call__(self, cells: Sequence[Cell], door: str) -> Outcomes:
        """One outcome a cell of the command `door`, as each ends; closed early, it ends them."""
        ...


def cell_of(plan: Plan, config: DictConfig, *, parent: str, keys: Sequence[str]) -> Cell:
    """The cell as it is sent to where it runs: its store, parent, code, versions and name are set,
    and its screen is quiet."""
    label = [key for key in keys if key not in (*NAMED_ANYWAY, "pairs")]
    with open_dict(config):
        config.tracking.parent = parent
        config.tracking.uri = plan.values["tracking"]["uri"]  # may refer to the environment here
        config.tracking.code = plan.run.tags[CODE]
        config.tracking.versions = from_words(plan.run.tags[VERSIONS]) or None
        config.tracking.label = _words(
            choices(plan, [key for key in label if not key.startswith("tracking.")])
        )
        if "trainer" in config:
            config.trainer.enable_progress_bar = False
    return Cell(config, plan.values, plan.identity, _name(choices(plan, keys)))


def work(door: str, config: DictConfig, *, threads: int) -> str:
    """Runs a cell in this process, which is its own; what it has to say."""
    import torch  # noqa: PLC0415 - a sweep with nothing to run has no use for it

    torch.set_num_threads(threads)
    HydraConfig.instance().set_config(config)
    with input_errors(door):
        return resolve_name(f"lingmix.commands.{door}:{door}")(without_hydra(config))


def choices(plan: Plan, keys: Sequence[str]) -> dict[str, str]:
    """What sets these keys in a cell: `encoder` is `tiny`, whichever keys of it that decides."""
    values = leaves(plan.values)
    written = dict(line.lstrip("+").partition("=")[::2] for line in plan.overrides)
    found = {}
    for key in keys:
        setter = _setter(key, written)
        found[setter] = str(values.get(key)) if setter == key else written[setter]
    return found


def _setter(key: str, written: Mapping[str, str]) -> str:
    """The override that sets the key: its own, that of a part it lies in, or the choice of an
    experiment, which sets keys anywhere."""
    parts = key.split(".")
    around = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((name for name in (*around, "experiment") if name in written), key)


def _name(chosen: Mapping[str, str]) -> str:
    """In the order of the names that runs have."""
    ordered = sorted(chosen, key=lambda key: PLACE.get(key, 3))
    return " ".join(_words({key: chosen[key] for key in ordered}))


def _words(chosen: Mapping[str, str]) -> list[str]:
    return [f"{key.rpartition('.')[2]}={value}" for key, value in chosen.items()]
