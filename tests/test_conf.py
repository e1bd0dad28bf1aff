"""No YAML can rot: each composes, and what it names can be built."""

import inspect
import pydoc

import pytest

from lingmix.cli.config import CONF, build, resolved
from tests.conftest import SHARED

GROUPS = {
    "train": [
        "data",
        "data/development",
        "sampler",
        "augmentation",
        "encoder",
        "loss",
        "optimizer",
        "trainer",
        "evaluation",
        "tracking",
        "experiment",
        "sweep",
        "launcher",
    ],
    "evaluate": ["encoder", "evaluation", "search", "tracking", "launcher"],
    "mine": ["data", "augmentation", "encoder", "search", "tracking"],
    "analyze": ["analysis", "tracking"],
}
"""Groups by the command that reads them."""

CHOICES = [
    (command, f"{group}={path.stem}")
    for command, groups in GROUPS.items()
    for group in groups
    for path in sorted((CONF / group).glob("*.yaml"))
]
FILLED = {
    "data=beir": ["data.folder=beir"],
    "data/development=beir": ["data.development.folder=beir"],
    "data/development=ntrex": ["data=ntrex"],
    "data=items": ["data.path=items.jsonl"],
    "data=pairs": ["data.path=pairs.jsonl"],
    "evaluation=beir": ["evaluation.folder=beir"],
    "evaluation=beir_translated": [
        "evaluation.beir_translated.queries={en: folder}",
        "evaluation.beir_translated.corpora={en: folder}",
    ],
    "encoder=pretrained": ["encoder.name=folder"],
}
"""What a user must say with a choice."""


FETCHED = {"download_dir", "repo"}
"""Keys of sets that cannot be built without the network; XQuAD-R is where the real data is."""


def test_every_group_belongs_to_a_door():
    read = {group.partition("/")[0] for groups in GROUPS.values() for group in groups}
    assert {path.name for path in CONF.iterdir() if path.is_dir()} == read


@pytest.mark.parametrize(("command", "choice"), CHOICES)
def test_every_choice_composes(configure, command, choice):
    unnamed = command in ("evaluate", "mine") and "encoder" not in choice
    needed = FILLED["encoder=pretrained"] if unnamed else []
    config = resolved(configure(command, choice, *FILLED.get(choice, []), *needed))
    assert config["output_dir"].startswith("/")


@pytest.mark.parametrize(
    ("choice", "alpha"), [("monolingual", 1.0), ("crosslingual", 0.0), ("hybrid", 0.5)]
)
def test_the_samplers_are_values_of_alpha_and_nothing_else(configure, choice, alpha):
    sampler = resolved(configure("train", f"sampler={choice}"))["sampler"]
    hybrid = resolved(configure("train"))["sampler"]
    assert sampler == hybrid | {"alpha": alpha}


@pytest.mark.parametrize(
    "choice",
    [choice for command, choice in CHOICES if command == "train" and choice not in FILLED],
)
def test_what_a_choice_names_can_be_built(configure, choice):
    group, _, name = choice.partition("=")
    if "data_dir" in (CONF / group / f"{name}.yaml").read_text() and not SHARED.is_dir():
        pytest.skip(f"real data is not at {SHARED}")
    config = resolved(configure("train", choice))
    nodes = config["evaluation"]
    read = nodes if group == "evaluation" and name != "xquad_r" else {}
    if choice == "data=ntrex":
        read = {"train": config["data"]["train"][0], "development": config["data"]["development"]}
    if read and FETCHED & {*next(iter(read.values()))}:
        for key, node in read.items():
            target = pydoc.locate(node.pop("_target_"))
            named = {} if key == "train" else {"name": "set"}
            inspect.signature(target).bind(**named, **node)
    elif group == "data":
        assert build(config["data"]["train"])[0]
    elif group == "evaluation":
        sets = [build(node | {"name": key}) for key, node in nodes.items()]
        assert all(one.queries and one.passages for one in sets)
    elif group in ("encoder", "sampler", "optimizer", "loss") and "_target_" in (config[group]):
        assert callable(build(config[group]))
