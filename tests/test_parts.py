"""What `prepare` finds before a run is recorded."""

from copy import deepcopy
from math import nan

import pytest
from hydra import compose, initialize_config_dir

from lingmix.doors import CONF, resolved
from lingmix.errors import InputError
from lingmix.parts import prepare
from tests.conftest import QUICK

BAD = [
    ("seed", -1, "a whole number in"),
    ("seed", 2**32, "a whole number in"),
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
]


@pytest.fixture(scope="module")
def quick(output_dir) -> dict:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return resolved(compose("train", [f"output_dir={output_dir}", *QUICK]))


def changed(config: dict, key: str, value: object) -> dict:
    config = deepcopy(config)
    group, _, name = key.rpartition(".")
    (config[group] if group else config)[name] = value
    return config


@pytest.mark.parametrize(("key", "value", "rule"), BAD)
def test_a_value_out_of_its_range_is_refused_before_anything_is_read(quick, key, value, rule):
    unread = changed(quick, "data.train", None)
    with pytest.raises(InputError, match=f"^{key}: must be {rule}"):
        prepare(changed(unread, key, value))


def test_an_interval_of_no_steps_is_refused_on_several_devices_too(quick):
    with pytest.raises(InputError, match=r"^trainer.val_check_interval: must be a whole number"):
        prepare(changed(changed(quick, "trainer.devices", 2), "trainer.val_check_interval", 0))


@pytest.mark.parametrize(("key", "value"), [("optimizer.decay", "foo"), ("data.negatives", -1)])
def test_what_the_parts_refuse_is_refused_before_the_training(quick, key, value):
    with pytest.raises(InputError, match=f"^{key}: must be"):
        prepare(changed(quick, key, value))
