"""What YAML and overrides say of languages stays text, and what cannot be read is one line."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import MissingConfigException

from lingmix.cli.config import CONF, resolved
from lingmix.cli.failures import input_errors
from lingmix.cli.reading import arguments, as_texts
from lingmix.errors import InputError

MINE = """\
defaults:
  - override /evaluation: beir_translated
languages: [no, nan, on, 1e5, en]
pairs: [no-nan, on-no]
evaluation:
  beir_translated:
    queries: {no: a, nan: b, on: c}
    corpora: {yes: d}
    split: off
data:
  train:
    - _target_: lingmix.data.sources.cldr.read_cldr
      languages: [no, 0x1f, en]
      domains: [geography]
encoder:
  compile: true
"""


@pytest.fixture
def mine(tmp_path):
    """Composes an experiment of a user's own folder, given its text."""

    def composed(text: str, *overrides: str) -> dict:
        (tmp_path / "experiment").mkdir(exist_ok=True)
        (tmp_path / "experiment" / "mine.yaml").write_text(text, encoding="utf-8")
        searched = f"hydra.searchpath=[file://{tmp_path}]"
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return resolved(compose("train", ["experiment=mine", searched, *overrides]))

    return composed


def test_languages_in_yaml_are_the_texts_that_they_are(mine):
    """`no` is Norwegian and `nan` Min Nan; the file needs no `# @package _global_` either."""
    values = mine(MINE)
    assert values["languages"] == ["no", "nan", "on", "1e5", "en"]
    assert values["pairs"] == ["no-nan", "on-no"]
    assert values["data"]["train"][0]["languages"] == ["no", "0x1f", "en"]
    translated = values["evaluation"]["beir_translated"]
    assert translated["queries"] == {"no": "a", "nan": "b", "on": "c"}
    assert translated["corpora"] == {"yes": "d"}
    assert translated["split"] == "off"
    assert values["encoder"]["compile"] is True


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("languages=[no,nan,on,1e5,true,en]", "languages=[no,'nan',on,'1e5','true',en]"),
        ("languages=[nan],[en,NaN]", "languages=['nan'],[en,'NaN']"),
        ("languages=choice([nan],[010])", "languages=choice(['nan'],['010'])"),
        ("data.train.0.languages.1=nan", "data.train.0.languages.1='nan'"),
        ("+evaluation.beir.language=nan", "+evaluation.beir.language='nan'"),
        ("pairs=[nan-nan,no-en]", "pairs=[nan-nan,no-en]"),
        ("languages=null", "languages=null"),
        ("sampler.alpha=nan", "sampler.alpha=nan"),
    ],
)
def test_languages_in_an_override_are_put_in_quotes_where_hydra_would_read_a_number(override, read):
    assert as_texts(override) == read


def test_an_override_of_languages_is_read_as_text():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        values = resolved(compose("train", arguments(["languages=[no,nan,1e5]", "pairs=[nan-no]"])))
    assert (values["languages"], values["pairs"]) == (["no", "nan", "1e5"], ["nan-no"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("seed: 1\n  x: 2\n", r"mine\.yaml:2: must be YAML, got mapping values are not allowed"),
        ("seed: [1\n", r"mine\.yaml:2: must be YAML, got expected ',' or ']'"),
        ("seed: 1\nseed: 2\n", r"mine\.yaml:2: must be YAML, got found duplicate key seed"),
        ("- seed\n", r"mine\.yaml: must be keys and their values, got \['seed'\]"),
        ("seed: \x00\n", r"mine\.yaml: must be YAML, got .*"),
    ],
)
def test_a_file_that_is_no_yaml_is_named_with_its_line(mine, text, told):
    with pytest.raises(InputError, match=told) as caught:
        mine(text)
    assert "\n" not in str(caught.value)


def test_options_may_stand_between_overrides():
    given = ["seed=1", "-m", "sampler.alpha=0,1", "--config-dir", "mine", "name=x"]
    assert arguments(given) == [
        "-m",
        "--config-dir",
        "mine",
        "seed=1",
        "sampler.alpha=0,1",
        "name=x",
    ]


@pytest.mark.parametrize("given", [["--foo"], ["seed=1", "--cfg", "x"], ["--config-dir"], ["-q"]])
def test_an_option_that_there_is_not_is_one_line(given):
    with pytest.raises(InputError, match="--help shows") as caught:
        arguments(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("command", "override"),
    [
        ("train", "experiment=xquad_r_statc"),
        ("train", "sweep=fronter"),
        ("evaluate", "search=exac"),
    ],
)
def test_a_misspelt_group_that_may_be_left_out_is_not_passed_over(command, override):
    with (
        initialize_config_dir(str(CONF), version_base="1.3"),
        pytest.raises(MissingConfigException, match="Could not find"),
    ):
        compose(command, [override])


@pytest.mark.parametrize("override", ["evaluation={}", "+trainer.callbacks={ }"])
def test_an_empty_mapping_that_would_change_nothing_is_refused(override):
    with pytest.raises(InputError, match=r"must be more than \{\}, which adds nothing"):
        arguments([override])


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("name=é", "it has a letter that Hydra does not know"),
        ("output_dir=~/x", "it has a letter that Hydra does not know"),
        ("seed=[0,1", "no viable alternative at input '[0,1'"),
        ("x", "missing EQUAL at '<EOF>'"),
        (
            "seed=range(1,x)",
            "TypeError while evaluating 'range(1,x)': mismatch type argument stop: ",
        ),
    ],
)
def test_an_override_that_hydra_cannot_read_is_named_with_what_to_do(override, reason):
    with (
        initialize_config_dir(str(CONF), version_base="1.3"),
        pytest.raises(InputError) as refused,
        input_errors("train"),
    ):
        compose("train", [override])
    line = str(refused.value)
    assert line.startswith(f"{override}: must be KEY=VALUE as Hydra reads it ({reason}")
    assert line.endswith("stands in quotes, as in \"name='é'\"")
    assert "\n" not in line
