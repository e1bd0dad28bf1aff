"""The settings of launchers, which run the cells of a sweep, and of studies, which propose them."""

from collections.abc import Mapping
from typing import Annotated, Any

from annotated_types import MinLen
from pydantic import Field

from lingmix.cli.networks import Text
from lingmix.cli.schema import Node, Rule, Settings, check
from lingmix.ranges import Count, CountOrZero, NotNegative, Seed


class Started(Node, extra="forbid"):
    """A launcher."""


class Local(Started):
    processes: Count | None


class Ray(Started):
    address: Text
    cpus: Count
    gpus: NotNegative
    retries: CountOrZero


class Slurm(Started):
    partition: Text | None
    account: Text | None
    qos: Text | None
    nodes: Count
    ntasks_per_node: Count
    gpus_per_node: CountOrZero | Text | None
    cpus_per_task: Count | None
    mem: Text | None
    time: Count | None
    signal_delay_s: Count
    requeues: CountOrZero
    array_parallelism: Count
    setup: list[Text] | None
    additional_parameters: dict[str, Any]


class Study(Settings):
    trials: Count
    at_once: Count
    seed: Seed
    objectives: Annotated[list[Text], MinLen(1), Rule("a list of scores, at least one")]
    sampler: Node
    pruner: Node | None
    target: str = Field(alias="_target_", default="")
    recursive: bool = Field(alias="_recursive_", default=False)


LAUNCHERS = {"LingmixLocal": Local, "LingmixRay": Ray, "LingmixSlurm": Slurm}


def check_launcher(values: Mapping[str, Any]) -> None:
    """Raises InputError for a setting of a launcher that is not of its type, or not one of ours."""
    name = str(values.get("_target_")).rpartition(".")[2]
    check(values, LAUNCHERS.get(name, Node), at="hydra.launcher")


def check_study(values: Mapping[str, Any]) -> None:
    """Raises InputError for a setting of a search that is not of its type."""
    check(values, Study, at="hydra.sweeper")
