import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.items import LanguagePair, Pair
from lingmix.data.sources.beir import read_beir, read_beir_items
from lingmix.errors import InputError

CORPUS: list[dict[str, Any]] = [
    {"_id": "en:p1", "title": "Rhine", "text": "A river. ", "lang": "en"},
    {"_id": "de:p1", "title": "", "text": " Ein Fluss.", "lang": "de"},
    {"_id": "en:p2", "text": "A city.", "lang": "en"},
    {"_id": "en:p3", "title": None, "text": "", "lang": "en"},
]
QUERIES: list[dict[str, Any]] = [
    {"_id": "q1", "text": "What is the Rhine?", "lang": "en"},
    {"_id": "q2", "text": "Was ist Bonn?", "lang": "de"},
    {"_id": "q3", "text": "Who is asked in no judgement?", "lang": "en"},
    {"_id": "q4", "text": "Welcher Fluss?", "lang": "de"},
]
QRELS = "q4\tde:p1\t2\nq1\ten:p1\t1\nq1\ten:p2\t0\nq2\ten:p2\t1\nq1\tde:p1\t1\n"
HEADER = "query-id\tcorpus-id\tscore\n"


def write(
    folder: Path,
    *,
    corpus: list[dict[str, Any]] = CORPUS,
    queries: list[dict[str, Any]] = QUERIES,
    qrels: str = HEADER + QRELS,
) -> Path:
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, corpus)))
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    (folder / "qrels" / "test.tsv").write_text(qrels)
    return folder


def read(folder: Path, language: str | None = None) -> EvaluationSet:
    return read_beir(
        name="rivers", folder=folder, split="test", language=language, other_languages_only=True
    )


def judged(one: EvaluationSet) -> list[tuple[str, str, int]]:
    return [
        (one.query_ids[q], one.passage_ids[p], int(g))
        for q, p, g in zip(one.query_J, one.passage_J, one.grade_J, strict=True)
    ]


def test_the_whole_corpus_and_the_judged_queries_are_read(tmp_path: Path) -> None:
    rivers = read(write(tmp_path))
    assert rivers.passage_ids == ("en:p1", "de:p1", "en:p2", "en:p3")
    assert rivers.passages == ("Rhine A river.", "Ein Fluss.", "A city.", "")
    assert rivers.passage_languages == ("en", "de", "en", "en")
    assert rivers.query_ids == ("q1", "q2", "q4")
    assert rivers.queries == ("What is the Rhine?", "Was ist Bonn?", "Welcher Fluss?")
    assert rivers.query_languages == ("en", "de", "de")
    assert judged(rivers) == [
        ("q4", "de:p1", 2),
        ("q1", "en:p1", 1),
        ("q1", "en:p2", 0),
        ("q2", "en:p2", 1),
        ("q1", "de:p1", 1),
    ]
    assert rivers.other_languages_only


def test_parquet_with_numeric_ids_reads_as_json_lines_do(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    pl.DataFrame({"_id": ["1", "2"], "text": ["a b", "c d"]}).write_parquet(
        tmp_path / "corpus.parquet"
    )
    pl.DataFrame({"_id": ["7"], "text": ["a?"]}).write_parquet(tmp_path / "queries.parquet")
    pl.DataFrame({"query-id": [7], "corpus-id": [2], "score": [1.0]}).write_parquet(
        tmp_path / "qrels" / "test.parquet"
    )
    assert judged(read(tmp_path, language="en")) == [("7", "2", 1)]


def test_one_language_fills_rows_without_their_own(tmp_path: Path) -> None:
    corpus = [{"_id": "de:p1", "text": "Ein Fluss."}, *CORPUS[2:], CORPUS[0]]
    rivers = read(write(tmp_path, corpus=corpus), language="de")
    assert rivers.passage_languages == ("de", "en", "en", "en")


def test_a_set_without_languages_is_told_how_to_name_one(tmp_path: Path) -> None:
    folder = write(tmp_path, queries=[{"_id": "q1", "text": "Where?"}])
    with pytest.raises(
        InputError, match=r"queries.jsonl:1: field 'lang' .* evaluation.rivers.language=en$"
    ):
        read(folder)


@pytest.mark.parametrize(
    ("qrels", "told"),
    [
        (HEADER + QRELS + "q9\ten:p1\t1\n", r":7: query 'q9' is judged, but no query has that id$"),
        (HEADER + "q1\tp9\t1\n", r":2: passage 'p9' is judged, but no passage has that id$"),
        (HEADER + "q1\ten:p1\tyes\n", r":2: field 'score' must be a whole number, got 'yes'"),
        (
            HEADER + QRELS + "q1\ten:p1\t0\n",
            r":7: grade 0 for query 'q1' and passage 'en:p1', which an",
        ),
        (
            QRELS,
            r":1: the first line must be a header, got 'q4.*de:p1.*2'; expected BEIR",
        ),
        (
            "q1 0 en:p1 1\n",
            r":1: the first line must be a header, got 'q1 0 en:p1 1'; expected",
        ),
    ],
)
def test_bad_judgements_are_named_by_file_and_line(tmp_path: Path, qrels: str, told: str) -> None:
    with pytest.raises(InputError, match=r"qrels/test.tsv" + told):
        read(write(tmp_path, qrels=qrels))


def test_training_on_a_set_names_its_own_key_and_its_own_rows(tmp_path: Path) -> None:
    folder = write(tmp_path, queries=[{"_id": "q1", "text": "Where?"}])
    with pytest.raises(InputError, match=r"queries.jsonl:1: field 'lang' .* data.language=en$"):
        items(folder)
    (folder / "queries.jsonl").write_text(json.dumps(QUERIES[0]))
    with pytest.raises(InputError, match=r"test.tsv:2: query 'q4' is judged, but no query has"):
        items(folder)


def test_a_judgement_that_stands_twice_counts_once(tmp_path: Path) -> None:
    assert judged(read(write(tmp_path, qrels=HEADER + QRELS + QRELS))) == judged(
        read(write(tmp_path / "once", qrels=HEADER + QRELS))
    )


def test_an_id_taken_twice_names_both_lines(tmp_path: Path) -> None:
    folder = write(tmp_path, corpus=[*CORPUS, CORPUS[0]])
    with pytest.raises(InputError, match=r"corpus.jsonl:5: _id 'en:p1' is taken by .*:1;"):
        read(folder)


def test_an_unknown_split_is_told_with_its_path(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "qrels" / "test.tsv").unlink()
    with pytest.raises(InputError, match=r"qrels/test: no such file"):
        read(tmp_path)


def items(folder: Path) -> dict[str, set[tuple[str, str]]]:
    found = read_beir_items(folder=folder, split="test", language=None, domain="rivers")
    assert {item.domain for item in found} == {"rivers"}
    return {item.id: {(p.query, p.passage) for p in item.listed or ()} for item in found}


def test_items_hold_the_relevant_pairs_that_a_chain_of_relevance_joins(tmp_path: Path) -> None:
    assert items(write(tmp_path)) == {
        "q4": {
            ("Welcher Fluss?", "Ein Fluss."),
            ("What is the Rhine?", "Rhine A river."),
            ("What is the Rhine?", "Ein Fluss."),
        },
        "q2": {("Was ist Bonn?", "A city.")},
    }


def test_an_empty_passage_trains_nothing(tmp_path: Path) -> None:
    qrels = HEADER + "q2\ten:p3\t1\nq2\ten:p2\t1\n"
    assert items(write(tmp_path, qrels=qrels)) == {"q2": {("Was ist Bonn?", "A city.")}}


@pytest.mark.parametrize("field", ["group", "source_id"])
def test_rows_of_one_group_are_one_item(tmp_path: Path, field: str) -> None:
    corpus = [*CORPUS[:2], CORPUS[2] | {field: "g"}, CORPUS[3]]
    queries = [*QUERIES[:3], QUERIES[3] | {field: "g"}]
    assert list(items(write(tmp_path, corpus=corpus, queries=queries))) == ["q4"]


def test_a_pair_of_an_item_carries_its_languages(tmp_path: Path) -> None:
    found = read_beir_items(folder=write(tmp_path), split="test", language=None, domain="")
    assert found[1].listed == (Pair("Was ist Bonn?", "A city.", LanguagePair("de", "en")),)
    assert found[1].queries == {"de": ("Was ist Bonn?",)}
    assert found[1].passages == {"en": ("A city.",)}
