"""What is refused before anything heavy is imported, and in which words."""

import subprocess
import sys
from copy import deepcopy
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from lingmix.cli.checks import check_settings
from lingmix.cli.config import CONF, build, resolved
from lingmix.cli.launching import check_launcher
from lingmix.errors import InputError

REMOVED = object()

STORE = "the URI of an MLflow store, such as http://host:5000 or sqlite:////folder/mlflow.db"
IN_MEMORY = ("sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite+pysqlite:///?timeout=1")

BAD = [
    ("seed", -1, "a whole number in [0, 4294967295]"),
    ("seed", 2**32, "a whole number in [0, 4294967295]"),
    ("seed", None, "a whole number in"),
    ("depth", 0, "a whole number of at least 1, or null"),
    ("run_files", -1, "a whole number of at least 1, or null"),
    ("micro_batch_tokens", 1.5, "a whole number of at least 1, or null"),
    ("noise_scale_window", 1, "a whole number of at least 2, or null"),
    ("trainer.devices", True, "a whole number of at least 1"),
    ("trainer.max_steps", 0, "a whole number of at least 1"),
    ("trainer.max_steps", -1, "a whole number of at least 1"),
    ("trainer.val_check_interval", 0, "a whole number of at least 1"),
    ("trainer.val_check_interval", 0.5, "a whole number of at least 1"),
    ("trainer.accumulate_grad_batches", 0, "a whole number of at least 1"),
    ("trainer.gradient_clip_val", -1, "above 0 and finite, or null"),
    ("trainer.precision", "foo", "one of auto, bf16-mixed"),
    ("trainer.precision", 16, "one of auto, bf16-mixed"),
    ("trainer.strategy", "foo", "one of auto, summed, summed_fsdp"),
    ("checkpoint.every_steps", -1, "a whole number of at least 1, or null"),
    ("checkpoint.every_minutes", -1, "at least 0 and finite, or null"),
    ("checkpoint.every_minutes", nan, "at least 0 and finite, or null"),
    ("loss.temperature", nan, "above 0 and finite"),
    ("loss.temperature", inf, "above 0 and finite"),
    ("loss.temperature", 10**400, "above 0 and finite"),
    ("depth", "abc", "a whole number of at least 1, or null, got 'abc'"),
    ("depth", 2.5, "a whole number of at least 1, or null, got 2.5"),
    ("depth", 10**30, "at most 2147483647"),
    ("seed", REMOVED, "a whole number in [0, 4294967295], got nothing; leave the key in"),
    ("languages", None, "all, or a list of languages such as [en, de], got null"),
    ("languages", [1, 2], "all, or a list of languages such as [en, de], got [1, 2]"),
    ("languages", [], "all, or a list of languages such as [en, de], got []"),
    ("languages", "en", "all, or a list of languages such as [en, de], got 'en'"),
    ("languages", ["xx"], "among those of data.sets, ar, de, el"),
    ("data.allow_overlap", ["cldr_currency", "cldr"], "among the sets of this run, cldr_currency,"),
    ("pairs", None, "all, or a list of language pairs"),
    ("checkpoint", None, "keys with their values, got null"),
    ("tracking.uri", "", f"{STORE}, got ''"),
    *(("tracking.uri", uri, f"{STORE}, got '{uri}'") for uri in IN_MEMORY),
    ("tracking.wait", nan, "at least 0 and finite, got nan"),
    ("tracking.wait", -1, "at least 0 and finite, got -1"),
    ("tracking.system_metrics", 0, "above 0 and finite, or null, got 0"),
    ("tracking.pair_metrics.test", "map", "all, or a list of metrics such as [map, excess_share]"),
    ("tracking.pair_metrics.val", ["map", "mrr"], "all, or a list of map, ndcg_at_10,"),
    ("sampler.alpha", 7, "in [0, 1], got 7"),
    ("sampler.size_exponent", 2, "in [0, 1], got 2"),
    ("sampler.batch_size", 0, "a whole number of at least 1, got 0"),
    ("trainer.fast_dev_run", True, "left out, got True: a run is complete after"),
    ("optimizer.decay", "foo", "one of constant, linear, cosine, got 'foo'"),
    ("optimizer.betas", [0.9], "two numbers in [0, 1)"),
    ("optimizer.betas.1", 1, "in [0, 1), got 1"),
    ("evaluation", {}, "evaluation sets by their names, at least one, got {}"),
    ("data.train", [], "a list of sources, each with its _target_, or null, got []"),
    ("data.sets.cldr", 3, "keys with their values, got 3"),
    ("data.sets.cldr.languages", None, "a list, each a text, got null"),
    ("data.sets.cldr.languages", REMOVED, "a list, each a text, got nothing"),
    ("trainer.use_distributed_sampler", True, "false, got true"),
    ("output_dir", "a\0b", "a path, got"),
]
"""A key, a value that it cannot have, and the rule that is shown."""

UNKNOWN = [
    ("langauges", ["en"], "; the nearest is languages"),
    ("tracking.wai", 3, "; the nearest is tracking.wait"),
    ("data.negative", 3, "; the nearest is data.negatives"),
    ("data.path", "pairs.jsonl", ""),
    ("data.sets.cldr.domain", "x", "; the nearest is data.sets.cldr.domains"),
    ("evaluation.cldr_currency.spilt", "test", "; the nearest is evaluation.cldr_currency.split"),
    ("loss.foo", 1, ""),
    ("trainer.enable_barebones", True, ""),
    ("experiment", {"languages": ["en"]}, ""),
]
"""A key that there is not, a value, and the one that may be meant."""


def composed(command: str, *overrides: str) -> dict[str, Any]:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return resolved(compose(command, [*overrides]))


@pytest.fixture(scope="module")
def train() -> dict[str, Any]:
    return composed("train")


def changed(values: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    values = deepcopy(values)
    *path, last = [int(part) if part.isdigit() else part for part in key.split(".")]
    node: Any = values
    for part in path:
        node = node[part]
    if value is REMOVED:
        del node[last]
    else:
        node[last] = value
    return values


def refusal(values: dict[str, Any], command: str) -> str:
    with pytest.raises(InputError) as caught:
        check_settings(values, command)
    return str(caught.value)


@pytest.mark.parametrize("command", ["train", "evaluate", "mine", "analyze", "sync", "sweeps"])
def test_what_conf_says_is_accepted(command):
    named = ["encoder=me5_small"] if command in ("evaluate", "mine") else []
    check_settings(composed(command, *named), command)


def test_an_output_dir_without_a_name_is_not_the_current_folder():
    with pytest.raises(InputError, match=r"^output_dir: must be a path, got ''$"):
        composed("train", "output_dir=")


@pytest.mark.parametrize(("key", "value", "rule"), BAD)
def test_a_value_that_a_key_cannot_have_is_refused_with_the_rule(train, key, value, rule):
    line = refusal(changed(train, key, value), "train")
    assert line.startswith(f"{key}: must be {rule}")
    assert "\n" not in line


@pytest.mark.parametrize(("key", "value", "near"), UNKNOWN)
def test_a_key_that_there_is_not_is_refused_and_the_nearest_named(train, key, value, near):
    line = refusal(changed(train, key, value), "train")
    assert line.startswith(f"there is no key {key}{near};")


@pytest.mark.parametrize(
    ("command", "key", "value", "told"),
    [
        ("evaluate", "precision", "fp8", "precision: must be one of auto, bf16-mixed, 16-mixed"),
        ("evaluate", "precision", "bf16-true", "precision: must be one of auto, bf16-mixed, 16-mi"),
        ("evaluate", "depth", 2.5, "depth: must be a whole number of at least 1, or null, got 2.5"),
        ("evaluate", "temperature", 0, "temperature: must be above 0 and finite, got 0"),
        ("evaluate", "languages", None, "languages: must be all, or a list of languages"),
        ("mine", "search._target_", "lingmix.nowhere", "search._target_: must be a class or a f"),
        ("mine", "search.shard_mib", 0, "search.shard_mib: must be above 0 and finite, got 0"),
        ("mine", "mining.count", 0, "mining.count: must be a whole number of at least 1, got 0"),
        ("mine", "mining.max_share", 0, "mining.max_share: must be in (0, 1], or null, got 0"),
        ("mine", "path", None, "path: must be a path, got null"),
        ("analyze", "analysis.folder", 3, "analysis.folder: must be a path, got 3"),
        ("analyze", "tracking.uri", None, f"tracking.uri: must be {STORE}, got null"),
        ("sync", "tracking.wait", "long", "tracking.wait: must be at least 0 and finite, got"),
        ("sweeps", "name", REMOVED, "name: must be a text, not empty, or null, got nothing"),
    ],
)
def test_every_command_refuses_in_the_same_words(command, key, value, told):
    named = ["encoder=me5_small"] if command in ("evaluate", "mine") else []
    assert refusal(changed(composed(command, *named), key, value), command).startswith(told)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["trainer.devices=2", "trainer.val_check_interval=7"], "trainer.val_check_interval: must"),
        (["encoder=static"], None),
        (["encoder=static", "encoder.scratch.sparse=true"], "encoder.scratch.sparse: true does"),
        (["optimizer=sparse_adam"], "encoder.scratch.sparse: false does not go with this optim"),
        (["encoder=static", "encoder.scratch.sparse=true", "optimizer=sparse_adam"], None),
        (["optimizer=row_adamw"], None),
        (["optimizer=row_adamw", "encoder=static"], "encoder: optimizer=row_adamw, whose gradien"),
        (["optimizer=row_adamw", "encoder.compile=true"], "encoder.compile: optimizer=row_adamw"),
        (["optimizer=row_adamw", "trainer.strategy=summed_fsdp"], "trainer.strategy: optimizer=r"),
        (["optimizer=row_adamw", "trainer.precision=bf16-true"], "trainer.precision: optimizer="),
        (
            ["optimizer=row_adamw", "+trainer.gradient_clip_algorithm=value"],
            "trainer.gradient_clip_algorithm: sparse gradients are clipped by norm, got value",
        ),
        (["encoder=bm25"], "encoder: bm25 gives no vectors; name a model"),
        (["encoder.name=folder"], "encoder.scratch: must be null for an encoder that is trained"),
        (["trainer.strategy=summed_fsdp", "micro_batch_tokens=9"], "micro_batch_tokens: does not"),
        (["data.development=null", "trainer=early_stopping"], "trainer.callbacks.early_stopping:"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(overrides, told):
    values = composed("train", *overrides)
    if told is None:
        check_settings(values, "train")
    else:
        assert refusal(values, "train").startswith(told)


OWN = """
from typing import Annotated
from annotated_types import Gt

class Loss:
    def __init__(self, *, temperature: float, weight: Annotated[float, Gt(0)], rounds: int = 1):
        self.weight = weight
"""


@pytest.fixture
def own_loss(train, tmp_path, monkeypatch):
    (tmp_path / "own_parts.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)

    def configured(**arguments):
        node = {"_target_": "own_parts.Loss", "temperature": 0.1, **arguments}
        return train | {"loss": node}

    return configured


def test_a_part_of_a_users_own_has_the_keys_that_its_signature_says(own_loss):
    values = own_loss(weight=2)
    check_settings(values, "train")
    assert build(values["loss"]).weight == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"weight": 0}, "own_parts.Loss.weight: must be above 0 and finite, got 0"),
        ({"weight": "x"}, "own_parts.Loss.weight: must be above 0 and finite, got 'x'"),
        ({}, "own_parts.Loss.weight: must be above 0 and finite, got nothing; leave the key in"),
        ({"weight": 1, "rounds": 2.5}, "own_parts.Loss.rounds: must be a whole number, got 2.5"),
        (
            {"weigth": 1},
            "there is no key own_parts.Loss.weigth; the nearest is own_parts.Loss.weight; "
            "own_parts.Loss takes temperature, weight, rounds",
        ),
    ],
)
def test_a_part_of_a_users_own_is_compared_with_its_signature(own_loss, arguments, told):
    values = own_loss(**arguments)
    check_settings(values, "train")
    with pytest.raises(InputError) as caught:
        build(values["loss"])
    assert str(caught.value) == told


def test_a_users_own_loss_needs_no_temperature_and_one_that_it_has_is_a_number(own_loss):
    values = own_loss(weight=1)
    values["loss"]["temperature"] = "cold"
    assert refusal(values, "train").startswith("loss.temperature: must be above 0 and finite, or")
    del values["loss"]["temperature"]
    check_settings(values, "train")


def test_a_users_own_encoder_may_train_by_sparse_gradients(train):
    values = changed(train, "optimizer._target_", "lingmix.training.optimizer.sparse_adam")
    del values["optimizer"]["weight_decay"]
    values["trainer"]["gradient_clip_val"] = None
    assert refusal(values, "train").startswith("encoder.scratch.sparse: false does not go with")
    check_settings(values | {"encoder": {"_target_": "mine.Encoder", "name": "static"}}, "train")


IMPORTED = """
import sys
sys.argv = ["lingmix-train", *sys.argv[1:]]
from lingmix.train import main
try:
    main()
finally:
    heavy = {"torch", "transformers", "pytorch_lightning", "mlflow"} & sys.modules.keys()
    print("imported:", *sorted(heavy))
"""


@pytest.mark.parametrize("override", ["languages=[xx]", "sampler.alpha=7", "loss.foo=1"])
def test_nothing_heavy_is_imported_to_refuse_a_setting(tmp_path, override):
    ended = subprocess.run(
        [sys.executable, "-c", IMPORTED, override, f"output_dir={tmp_path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("lingmix-train: ")
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == "imported:\n"
    assert [*Path(tmp_path).iterdir()] == []


@pytest.mark.parametrize(
    ("launcher", "key", "value", "told"),
    [
        ("local", "processes", 0, "processes: must be a whole number of at least 1, or null, got"),
        ("ray", "cpus", "many", "cpus: must be a whole number of at least 1, got 'many'"),
        ("ray", "gpus", -1, "gpus: must be at least 0 and finite, got -1"),
        ("slurm", "time", "4h", "time: must be a whole number of at least 1, or null, got '4h'"),
        ("slurm", "requeues", REMOVED, "requeues: must be a whole number of at least 0, got noth"),
        ("slurm", "setup", "module load", "setup: must be a list, each a text, not empty, or nu"),
    ],
)
def test_a_launcher_has_settings_of_its_own(launcher, key, value, told):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [f"launcher={launcher}"], return_hydra_config=True)
        values: Any = OmegaConf.to_container(config.hydra.launcher, resolve=True)
    check_launcher(values)
    with pytest.raises(InputError) as caught:
        check_launcher(changed(values, key, value))
    assert str(caught.value).startswith(f"hydra.launcher.{told}")
