"""One's own data on the command line, without a file of settings."""

from pathlib import Path

import pytest

from lingmix.cli.config import resolved
from lingmix.cli.failures import input_errors
from lingmix.errors import InputError

READERS = {"pairs": "pair_rows.read_pairs", "items": "item_rows.read_items"}


@pytest.mark.parametrize("command", ["train", "mine"])
@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize(
    ("given", "path"), [("a.jsonl", "a.jsonl"), ("[a.jsonl,b.parquet]", ["a.jsonl", "b.parquet"])]
)
def test_a_path_is_all_that_own_data_need(configure, command, form, given, path):
    config = resolved(configure(command, f"data={form}", f"data.path={given}", "encoder.name=x"))
    reader = f"lingmix.data.sources.{READERS[form]}"
    assert config["data"]["sets"] == {form: {"_target_": reader, "path": path}}
    assert "path" not in config["data"]
    assert config["augmentation"] == {"domain": None, "scale": 0, "seed": 0}


def test_an_augmentation_may_be_named_beside_own_data(configure):
    config = resolved(
        configure(
            "train", "data=items", "data.path=a", "augmentation.domain=d", "augmentation.scale=9"
        )
    )
    assert config["augmentation"] == {"domain": "d", "scale": 9, "seed": 0}


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_folder_is_all_that_an_own_set_needs_beside_others(configure, command):
    config = resolved(
        configure(
            command,
            "encoder.name=x",
            "evaluation=[cldr,beir]",
            "evaluation.folder=my/faq",
            "evaluation.language=no",
        )
    )
    assert list(config["evaluation"]) == ["cldr_currency", "cldr_geography", "beir"]
    assert config["evaluation"]["beir"] == {
        "_target_": "lingmix.data.sources.beir.read_beir",
        "folder": "my/faq",
        "split": "test",
        "language": "no",
        "other_languages_only": False,
    }


def test_queries_to_develop_on_are_a_choice_of_their_own(configure):
    config = resolved(
        configure(
            "train",
            "data=pairs",
            "data.path=a",
            "data/development=beir",
            "data.development.folder=f",
        )
    )
    assert config["data"]["development"] == {
        "_target_": "lingmix.data.sources.beir.read_beir",
        "folder": "f",
        "split": "dev",
        "language": None,
        "other_languages_only": False,
    }


OWN = """
defaults:
  - {base}

{changes}
"""


def test_own_files_of_settings_say_what_differs_alone(configure, tmp_path):
    for place, base, changes in (
        ("data/faq", "pairs", "path: faq.jsonl\nnegatives: 2"),
        ("evaluation/faq", "reader@faq: beir", "faq:\n  folder: faq\n  language: de"),
    ):
        path = Path(tmp_path, f"{place}.yaml")
        path.parent.mkdir()
        path.write_text(OWN.format(base=base, changes=changes))
    config = resolved(
        configure("train", "data=faq", "evaluation=faq", f"hydra.searchpath=[file://{tmp_path}]")
    )
    assert config["data"]["sets"]["pairs"]["path"] == "faq.jsonl"
    assert config["data"]["negatives"] == 2
    assert config["data"]["allow_overlap"] == []
    assert config["evaluation"]["faq"]["folder"] == "faq"
    assert config["evaluation"]["faq"]["language"] == "de"
    assert config["evaluation"]["faq"]["split"] == "test"


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (["data=pairs"], "data.path: must be given, got ???; write data.path=..."),
        (["evaluation=beir"], "evaluation.folder: must be given"),
        (["+data.path=a"], "data.path: no source of `data` reads it; leave it out"),
        (["+evaluation.folder=f"], "evaluation.folder: no source of `evaluation` reads it"),
        (
            ["evaluation=beir_scifact", "+evaluation.split=dev"],
            "evaluation.split: no source of `evaluation` reads it; leave it out",
        ),
        (["data.path=a"], "there is no key data.path"),
    ],
)
def test_what_is_missing_or_read_by_nothing_is_refused(configure, given, line):
    with pytest.raises(InputError) as caught, input_errors("train"):
        resolved(configure("train", *given))
    assert str(caught.value).startswith(line)
