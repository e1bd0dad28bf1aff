"""What a library refuses is one line with its own reason; what our code gets wrong is raised."""

import pytest
from hydra import compose, initialize_config_dir

from lingmix.cli.config import CONF, build, resolved
from lingmix.cli.failures import input_errors
from lingmix.errors import InputError


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("accelerator", "foo", "trainer: Lightning cannot train so (You selected an invalid accel"),
        ("gradient_clip_algorithm", "foo", "trainer: Lightning cannot train so (`gradient_clip_a"),
    ],
)
def test_what_lightning_refuses_is_told_in_its_words(key, value, told):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        trainer = resolved(compose("train"))["trainer"] | {"precision": "32-true"}
    del trainer["callbacks"]
    with pytest.raises(InputError) as caught, input_errors("train"):
        build(trainer | {key: value})()
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["encoder=pretrained"], "encoder.name: must be given, got ???; write encoder.name=..."),
        (["seed=${nope}"], "seed: interpolation key 'nope' not found"),
        (["data.sets.cldr.languages.20.x=1"], "data.sets.cldr.languages.20: list index out of"),
        (["sampler={alhpa: 1}"], "there is no key sampler.alhpa; the nearest is sampler.alpha"),
        (["languages.0=en"], "there is no key languages.0; `lingmix-train --cfg job` shows all"),
        (["seed=[0"], "seed=[0: must be KEY=VALUE as Hydra reads it (no viable alternative"),
        (["optimizer=null"], "configuration: Config group override must be a string or a list"),
    ],
)
def test_what_hydra_refuses_is_told_with_the_key(overrides, told):
    with (
        initialize_config_dir(str(CONF), version_base="1.3"),
        pytest.raises(InputError) as caught,
        input_errors("train"),
    ):
        resolved(compose("train", overrides))
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


def test_a_password_is_in_no_line():
    line = "tracking.uri=[postgresql://me:s3cret@host/db"
    with (
        initialize_config_dir(str(CONF), version_base="1.3"),
        pytest.raises(InputError) as caught,
        input_errors("train"),
    ):
        compose("train", [line])
    assert "s3cret" not in str(caught.value)


def test_what_our_own_code_gets_wrong_is_raised():
    with pytest.raises(ZeroDivisionError), input_errors("train"):
        1 / 0  # noqa: B018
