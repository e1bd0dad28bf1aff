"""The command that makes training items of passages."""

import gzip
import json

import pytest

from lingmix.augmentation.pipeline import ITEMS, REJECTED, REPORT
from lingmix.commands.augment import augment
from lingmix.commands.train import train
from lingmix.data.sources.item_rows import read_items
from lingmix.errors import InputError
from tests.augmentation.made import DREI, THREE
from tests.conftest import QUICK, STATIC


@pytest.fixture
def passages(tmp_path):
    """Twenty in English and German; the last is one sentence."""
    path = tmp_path / "passages.jsonl"
    rows = [
        {"_id": f"{n}-{of}", "source_id": n, "lang": of, "domain": "d", "text": f"{n}: {text}"}
        for n in range(20)
        for of, text in (("en", THREE), ("de", DREI))
    ]
    rows[-1]["text"] = "Ein Satz."
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


@pytest.fixture
def made(configure, passages, tmp_path):
    """What the command says, and the rows of a file that it writes."""

    def of(*overrides, folder="made"):
        at = tmp_path / folder
        said = augment(
            configure("augment", f"passages.path={passages}", f"folder={at}", *overrides)
        )
        return said, at

    return of


def rows(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_every_passage_is_an_item_or_a_named_failure_and_each_is_counted(made):
    said, at = made("steps=[cloze]")
    items, rejected = rows(at / ITEMS), rows(at / REJECTED)
    assert {one["id"] for one in items} == {*map(str, range(20))}
    assert [(one["step"], one["id"], one["language"]) for one in rejected] == [
        ("cloze", "19", "de")
    ]
    assert json.loads((at / REPORT).read_text())["steps"][0]["queries_after"] == 39
    assert "is one sentence" in said
    assert items == [
        one | {"provenance": {"source": one["provenance"]["source"], "steps": [entry]}}
        for one in items
        for entry in one["provenance"]["steps"]
        if entry["step"] == "cloze" and entry["seed"] == 0 and len(entry["version"]) == 12
    ]


def test_steps_follow_each_other_as_named(made):
    _, at = made("steps=[crops,titles]")
    assert {len(one["queries"]["en"]) for one in rows(at / ITEMS)} == {2}
    assert [one["step"] for one in json.loads((at / REPORT).read_text())["steps"]] == [
        "crops",
        "titles",
    ]


def test_a_larger_scale_begins_with_the_items_of_a_smaller_one(made):
    small = rows(made("steps=[crops]", "scale=5", folder="small")[1] / ITEMS)
    large = rows(made("steps=[crops]", "scale=12", folder="large")[1] / ITEMS)
    assert (len(small), len(large)) == (5, 12)
    assert large[:5] == small


def test_the_same_command_writes_the_same_bytes(made):
    first, second = (made("steps=[crops]", folder=name)[1] for name in ("one", "two"))
    for name in (ITEMS, REJECTED, REPORT):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_what_was_made_is_read_and_trains(made, configure):
    _, at = made("steps=[cloze,crops]")
    assert len([*read_items(path=at / ITEMS)]) == 20
    data = ["data=items", f"data.path={at / ITEMS}", "data.expand_pairs=true"]
    quick = [one for one in QUICK if not one.startswith("sampler")]
    assert "cldr" in train(configure("train", *quick, *STATIC, *data, "sampler.batch_size=4"))


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["scale=21"], "scale: must be at most 20, the passages there are, got 21"),
        (["languages=[fr]"], "languages: no passage is in fr; there are de, en"),
        (["steps=[crops]", "steps.crops.most=2"], "steps.crops.most: must be in"),
    ],
)
def test_what_is_wrong_ends_in_one_line_and_writes_no_items(made, tmp_path, overrides, line):
    with pytest.raises(InputError, match=line):
        made(*overrides)
    assert [*tmp_path.rglob("*.gz")] == []
