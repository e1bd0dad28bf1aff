"""What `prepare` finds before a run is recorded."""

from copy import deepcopy

import pytest
from hydra import compose, initialize_config_dir

from lingmix.assembly.parts import prepare
from lingmix.cli.config import CONF, resolved
from lingmix.errors import InputError
from tests.conftest import QUICK


@pytest.fixture(scope="module")
def quick(output_dir) -> dict:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return resolved(compose("train", [f"output_dir={output_dir}", *QUICK]))


def changed(config: dict, key: str, value: object) -> dict:
    config = deepcopy(config)
    group, _, name = key.rpartition(".")
    (config[group] if group else config)[name] = value
    return config


@pytest.mark.parametrize(("key", "value"), [("data.negatives", -1)])
def test_what_the_parts_refuse_is_refused_before_the_training(quick, key, value):
    with pytest.raises(InputError, match=f"^{key}: must be"):
        prepare(changed(quick, key, value))


def test_queries_that_are_measured_on_are_not_developed_on_unless_named(quick):
    ((name, measured), *_) = quick["evaluation"].items()
    shared = changed(quick, "data.development", measured)
    with pytest.raises(InputError, match=r"^data\.development: must hold no query") as refused:
        prepare(shared)
    override = f"data.allow_overlap=[development/{name}]"
    assert override in str(refused.value)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        allowed = resolved(compose("train", [override]))["data"]["allow_overlap"]
    assert prepare(changed(shared, "data.allow_overlap", allowed)).monitor
