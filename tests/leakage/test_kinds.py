"""Leaks of every kind, planted in made-up texts: which are found, and nothing else."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from benchmarks.harness.audit_once import evaluation_set
from benchmarks.harness.planted_leaks import CHANGES, found_of, plant
from benchmarks.harness.synthetic_pairs import write_pairs

from lingmix.data.items import Item
from lingmix.data.sources.pair_rows import read_pairs
from lingmix.leakage.audit import audit_leakage
from lingmix.leakage.overlap import Overlap
from lingmix.leakage.report import audit_metrics, overlap_table, write_overlaps
from tests.columns import columns_of
from tests.leakage.test_leakage import RIVERS

QUESTION = "Where on its way to the North Sea does the Rhine leave Lake Constance?"
MISSPELT = "Where on its way to the North See does the Rine leave Lake Konstance?"


def rivers(*, id: str = "en:5725b33f6a3fe71400b8952d", text: str = QUESTION):
    """One query, in English."""
    return RIVERS.__class__(
        name="rivers",
        query_ids=(id,),
        queries=(text,),
        query_languages=("en",),
        passage_ids=("p",),
        passages=("At Stein am Rhein.",),
        passage_languages=("en",),
        query_J=np.zeros(1, np.int32),
        passage_J=np.zeros(1, np.int32),
        grade_J=np.ones(1, np.int32),
    )


def asked(id: str, **queries: str) -> Item:
    """An item of these queries by language."""
    return Item(id, "", {of: (text,) for of, text in queries.items()}, {"de": (f"Antwort {id}",)})


def audited(*sources: list[Item], near_duplicates: float | None = None, **of) -> list[Overlap]:
    return audit_leakage(
        columns_of(*sources),
        items=None,
        evaluation_sets=[rivers(**of)],
        near_duplicates=near_duplicates,
    )


def named(overlaps: list[Overlap]) -> list[tuple[str, str, str]]:
    return [(one.item_id, one.field, one.kind) for one in overlaps]


@pytest.fixture(scope="module")
def planted_audit(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("planted")
    write_pairs(folder / "trained.jsonl", 3000)
    write_pairs(folder / "measured.jsonl", 1200, seed=1)
    held_out = evaluation_set(folder / "measured.jsonl")
    planted = plant(held_out, count=200, seed=2)
    columns = columns_of(read_pairs(path=folder / "trained.jsonl"), planted.items)
    overlaps = audit_leakage(columns, items=None, evaluation_sets=[held_out], near_duplicates=0.35)
    return planted, overlaps


def test_planted_leaks_of_every_kind_are_found(planted_audit):
    found = found_of(*planted_audit)
    noisy = found.shares.pop("10% of the characters")
    assert found.shares == {kind: 1 for kind in CHANGES if kind != "10% of the characters"}
    assert noisy >= 0.95


def test_nothing_that_was_not_planted_is_said_to_leak(planted_audit):
    assert found_of(*planted_audit).false_alarms == 0


def test_a_text_of_most_of_the_same_letters_is_nearly_the_same():
    (found,) = audited([asked("a", en=MISSPELT), asked("b", en="Something else altogether")],
                       near_duplicates=0.35)  # fmt: skip
    assert (found.kind, found.field, found.is_leak) == ("near", "queries.en", True)
    assert 0.5 < found.similarity < 1
    assert str(found).startswith("item 'a' queries.en is nearly rivers query 'en:5725b33f")
    assert str(found).endswith(
        f"({MISSPELT!r} and {QUESTION!r}, similarity {found.similarity:.2f})"
    )


def test_near_duplicates_are_looked_for_where_that_is_asked():
    assert audited([asked("a", en=MISSPELT)]) == []


def test_an_equal_text_is_not_said_to_be_a_near_duplicate_too():
    assert named(audited([asked("a", en=QUESTION.upper())], near_duplicates=0.35)) == [
        ("a", "queries.en", "normalised")
    ]
    assert named(audited([asked("a", en=QUESTION)], near_duplicates=0.35)) == [
        ("a", "queries.en", "exact")
    ]


def test_all_items_of_a_near_duplicate_are_named():
    found = audited([asked("a", en=MISSPELT), asked("b", fr=MISSPELT.upper())], near_duplicates=0.4)
    assert named(found) == [("a", "queries.en", "near"), ("b", "queries.fr", "near")]


def test_a_long_id_tells_a_translation_in_a_language_that_is_not_measured():
    found = audited([asked("5725b33f6a3fe71400b8952d", fr="Où le Rhin finit-il ?"),
                     asked("56d9895ddc89441400fdb510", fr="Une autre question")])  # fmt: skip
    assert named(found) == [("5725b33f6a3fe71400b8952d", "queries.fr", "translation")]
    assert (found[0].is_leak, found[0].similarity) == (True, None)
    assert "queries.fr is by its id a translation of rivers query" in str(found[0])


@pytest.mark.parametrize("own", ["17", "en:17", "fr:17", "17-fr"])
def test_a_short_id_tells_one_where_texts_of_the_same_source_agree(own):
    agreeing = asked(own, en=MISSPELT, fr="Où le Rhin finit-il ?")
    assert named(audited([agreeing], id="17-en")) == [(own, "queries.fr", "translation")]


def test_rows_that_are_numbered_alike_are_no_translations():
    differing = [asked("17", en="What is the capital of Peru?", fr="Quelle est la capitale ?")]
    assert audited(differing, id="en:17") == []
    assert audited([asked("17", fr="Quelle est la capitale ?")], id="en:17") == []
    long = "5725b33f6a3fe71400b8952d"
    assert audited([asked(long, en="What is the capital of Peru?", fr="Oui ?")]) == []


def test_the_report_has_a_row_an_overlap_leaks_first(tmp_path):
    items = [
        Item("a", "", {"de": ("Frage",)}, {"en": ("at Stein am Rhein!",)}),
        asked("b", en=QUESTION),
    ]
    overlaps = audited(items)
    write_overlaps(overlaps, tmp_path)
    rows = pl.read_parquet(tmp_path / "leakage.parquet")
    assert rows.equals(pl.read_csv(tmp_path / "leakage.csv", schema=rows.schema))
    assert rows.select("item_id", "leak", "kind", "role", "source").rows() == [
        ("b", True, "exact", "query", "source 0"),
        ("a", False, "normalised", "relevant passage", "source 0"),
    ]
    assert audit_metrics(overlaps, ["rivers", "seas"]) == {
        "train/leaked/rivers": 1,
        "train/shared_passages/rivers": 1,
        "train/leaked/seas": 0,
        "train/shared_passages/seas": 0,
    }
    lines = overlap_table(overlaps, ["rivers"]).splitlines()
    assert [line.split() for line in lines[1:3]] == [
        ["rivers", "query", "1", "0", "0", "0", "1"],
        ["rivers", "relevant", "passage", "0", "1", "0", "0", "0"],
    ]


def test_an_empty_report_has_the_same_columns(tmp_path):
    write_overlaps([], tmp_path)
    assert pl.read_parquet(tmp_path / "leakage.parquet").columns[:2] == ["evaluation_set", "leak"]
