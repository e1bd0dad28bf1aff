"""No YAML can rot: a command takes each choice of its groups, and what it names is built."""

import inspect
import pydoc
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from lingmix.cli.checks import check_settings
from lingmix.cli.config import CONF, build, resolved
from lingmix.cli.launching import check_launcher, check_study
from lingmix.data.items import Item
from lingmix.data.named_sources import named_sources
from lingmix.data.scales import scaled_items
from lingmix.evaluation.lexical import LEXICAL
from lingmix.model.encoder import load_encoder
from lingmix.model.precision import precision_of
from lingmix.sweep.space import corners, overrides_of, search_space
from lingmix.training.loss import require_loss
from tests.columns import columns_of, training_pairs
from tests.conftest import SHARED, STATIC, composed_in

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
    "augment": [
        "passages",
        "steps",
        "examples",
        "backend",
        "translator",
        "encoder",
        "tracking",
    ],
    "audit": ["data", "augmentation", "evaluation", "tracking"],
    "data": ["data", "augmentation", "evaluation", "tracking"],
    "analyze": ["analysis", "planted", "tracking"],
    "export": ["tracking"],
}
"""Groups by the command that reads them."""

UNTRAINABLE = ("encoder=bm25", "encoder=tfidf")
"""They give no vectors, so that only lingmix-evaluate takes them."""

CHOICES = [
    (command, f"{group}={path.stem}")
    for command, groups in GROUPS.items()
    for group in groups
    for path in sorted((CONF / group).glob("*.yaml"))
    if command == "evaluate" or f"{group}={path.stem}" not in UNTRAINABLE
]
FILLED = {
    "data=beir": ["data.folder=beir"],
    "data/development=beir": ["data.development.folder=beir"],
    "data/development=ntrex": ["data=ntrex"],
    "data=hub": ["data.repo=a/b", "data.revision=main", "data.files={de: [train.parquet]}"],
    "data=items": ["data.path=items.jsonl"],
    "data=pairs": ["data.path=pairs.jsonl"],
    "evaluation=beir": ["evaluation.folder=beir"],
    "evaluation=beir_translated": [
        "evaluation.beir_translated.queries={en: folder}",
        "evaluation.beir_translated.corpora={en: folder}",
    ],
    "encoder=pretrained": ["encoder.name=folder"],
    "optimizer=sparse_adam": STATIC,
    "backend=endpoint": ["backend.url=http://127.0.0.1:1/v1", "backend.model=m"],
    "backend=local": ["backend.model=folder"],
    "translator=marian": ["translator.model=folder"],
    "steps=translate": ["steps.translate.languages=[de]"],
    **{f"passages={form}": ["passages.path=p.jsonl"] for form in ("items", "pairs", "rows")},
    "search=exact": ["depth=10"],
    "search=hnsw": ["depth=10"],
    "search=ivf_pq": ["depth=10"],
    "search=scalar": ["depth=10"],
}
"""What a user must say with a choice."""

ELSEWHERE = {"download_dir", "repo", "folder", "path", "queries", "paths"}
"""Keys of sources whose files are fetched, or are the user's own."""

ITEMS = [
    Item(
        str(n),
        "",
        {of: (f"q {of} {n}",) for of in ("en", "de")},
        {"en": (f"p {n}",), "de": (f"d {n}",)},
    )
    for n in range(70)
]
"""More of each language pair than a batch has."""


def test_every_group_belongs_to_a_command():
    read = {group.partition("/")[0] for groups in GROUPS.values() for group in groups}
    assert {path.name for path in CONF.iterdir() if path.is_dir()} == read


@pytest.fixture(scope="module")
def composed(output_dir):
    """A command's plain values with a choice, which the command takes."""

    @cache
    def values_of(command: str, choice: str) -> dict[str, Any]:
        needed = list(FILLED.get(choice, []))
        if command == "mine":
            needed = [one for one in needed if one != "depth=10"]
        if command in ("evaluate", "mine") and not choice.startswith("encoder"):
            needed += FILLED["encoder=pretrained"]
        if command == "augment" and not choice.startswith("passages"):
            needed += FILLED["passages=rows"]
        values = resolved(composed_in(output_dir, "conf", command, choice, *needed))
        check_settings(values, command)
        return values

    return lambda command, choice: deepcopy(values_of(command, choice))


@pytest.mark.parametrize(("command", "choice"), CHOICES)
def test_a_command_takes_every_choice_of_its_groups(composed, command, choice):
    assert composed(command, choice)["output_dir"].startswith("/")


def of(*groups: str) -> list[tuple[str, str]]:
    return [(command, choice) for command, choice in CHOICES if choice.split("=")[0] in groups]


@pytest.mark.parametrize(("command", "choice"), of("data", "data/development", "evaluation"))
def test_every_source_is_read_or_takes_what_its_choice_says(composed, command, choice):
    values = composed(command, choice)
    sources = named_sources(values.get("data", {}))
    if choice.startswith("evaluation"):
        sources = values["evaluation"]
    elif choice.startswith("data/"):
        sources = {"development": values["data"]["development"]}
    for name, node in sources.items():
        named = {} if name.startswith("data.") else {"name": name}
        if ELSEWHERE.isdisjoint(node):
            read = build(node | named)
            assert len(read.queries) if named else next(iter(read))
        else:
            arguments = {key: value for key, value in node.items() if key[0] != "_"}
            inspect.signature(pydoc.locate(node["_target_"])).bind(**named, **arguments)


@pytest.mark.parametrize(("command", "choice"), of("sampler"))
def test_every_sampler_makes_batches(composed, command, choice):
    node = composed(command, choice)["sampler"]
    pairs = training_pairs(ITEMS, languages=None, pairs="all", expand_pairs=False)
    schedule = build(node)(pairs=pairs, seed=0, steps=10)
    assert {len({*schedule.rows(step)}) for step in range(10)} == {node["batch_size"]}


@pytest.mark.parametrize(
    ("choice", "alpha"), [("monolingual", 1.0), ("crosslingual", 0.0), ("hybrid", 0.5)]
)
def test_the_samplers_are_values_of_alpha_and_nothing_else(configure, choice, alpha):
    sampler = resolved(configure("train", f"sampler={choice}"))["sampler"]
    hybrid = resolved(configure("train"))["sampler"]
    assert sampler == hybrid | {"alpha": alpha}


@pytest.mark.parametrize(("command", "choice"), of("augmentation"))
def test_every_augmentation_is_a_domain_of_the_default_data(composed, command, choice):
    values = composed(command, choice)
    columns = columns_of(*build([*values["data"]["sets"].values()]))
    domains = columns.joined.domains
    assert domains == ["currency", "geography"]
    place_I = scaled_items(columns, **values["augmentation"] | {"scale": 0})
    code_I = np.concatenate([*columns.joined.column("items", "domain")])
    base = {domains[code] for code in code_I[place_I >= 0]} if place_I is not None else {*domains}
    assert base == {*domains} - {values["augmentation"]["domain"]}


@pytest.mark.parametrize(("command", "choice"), of("encoder"))
def test_every_encoder_is_made_or_takes_what_its_choice_says(composed, command, choice, tmp_path):
    node = composed(command, choice)["encoder"]
    if "lexical" in node:
        assert node["lexical"] in LEXICAL
        return
    given: dict[str, Any] = {"texts": ["a text", "ein Text"], "cache": tmp_path, "seed": 0}
    if node["scratch"]:
        assert build(node)(**given).dimension == node["scratch"]["dimension"]
    else:
        assert node["_target_"] == f"{load_encoder.__module__}.{load_encoder.__name__}"
        inspect.signature(build(node)).bind(**given)


@pytest.mark.parametrize(("command", "choice"), of("loss"))
def test_every_loss_is_one_number(composed, command, choice):
    require_loss(build(composed(command, choice)["loss"]), dimension=128)


@pytest.mark.parametrize(("command", "choice"), of("optimizer"))
def test_every_optimizer_has_the_learning_rate_of_its_choice(composed, command, choice):
    node = composed(command, choice)["optimizer"]
    made = build(node)([nn.Parameter(torch.zeros(2, 2))], max_steps=10)
    assert made["optimizer"].param_groups[0]["initial_lr"] == node["lr"]


@pytest.mark.parametrize(("command", "choice"), of("trainer"))
def test_every_trainer_trains_for_its_steps(composed, command, choice):
    node = composed(command, choice)["trainer"]
    callbacks = build(node.pop("callbacks"))
    node["precision"] = precision_of(node["precision"])
    trainer = build(node)(callbacks=[*callbacks.values()], logger=False)
    assert trainer.max_steps == node["max_steps"]
    assert {*callbacks.values()} <= {*trainer.callbacks}


@pytest.mark.parametrize(("command", "choice"), of("search"))
def test_every_search_takes_vectors_and_a_depth(composed, command, choice):
    searcher = build(composed(command, choice)["search"])
    inspect.signature(searcher).bind("queries", "passages", depth=1)


def hydra_of(command: str, choice: str) -> Any:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(command, [choice], return_hydra_config=True).hydra


@pytest.mark.parametrize(("command", "choice"), of("sweep"))
def test_every_sweep_is_of_cells_that_the_command_takes(configure, command, choice):
    asked: Any = OmegaConf.to_container(hydra_of(command, choice).sweeper, resolve=True)
    lines = overrides_of(asked.pop("params", None) or {})
    space = search_space(OverridesParser.create().parse_overrides(lines))[1] if lines else {}
    for cell in corners(space):
        values = resolved(configure(command, choice, *overrides_of(cell)))
        check_settings(values, command)
    if asked["_target_"].endswith("LingmixOptuna"):
        settings = {key: value for key, value in asked.items() if key[0] != "_"}
        check_study(settings)
        build(settings["sampler"])


@pytest.mark.parametrize(("command", "choice"), of("launcher"))
def test_every_launcher_has_a_way_to_run_cells(command, choice):
    if choice == "launcher=ray":
        pytest.importorskip("ray")
    hydra = hydra_of(command, choice)
    check_launcher(OmegaConf.to_container(hydra.launcher, resolve=True))
    assert callable(instantiate(hydra.launcher).cell_runner())


@pytest.mark.parametrize(("command", "choice"), of("tracking", "analysis"))
def test_what_is_recorded_and_reported_lies_below_the_output(composed, command, choice):
    values = composed(command, choice)
    below = Path(values["output_dir"])
    assert values["tracking"]["uri"] == f"sqlite:///{below / 'mlflow.db'}"
    assert "analysis" not in values or Path(values["analysis"]["folder"]).is_relative_to(below)


def test_real_data_is_where_the_choices_of_it_say(composed):
    if not SHARED.is_dir():
        pytest.skip(f"real data is not at {SHARED}")
    (name, node), *_ = composed("train", "evaluation=xquad_r")["evaluation"].items()
    assert len(build(node | {"name": name}).queries) > 0
