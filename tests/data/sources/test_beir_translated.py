import json
from pathlib import Path
from typing import Any

import pytest

from lingmix.data.sources.beir_translated import read_beir_translated
from lingmix.errors import InputError
from tests.data.sources.published import judged

HEADER = "query-id\tcorpus-id\tscore\n"


def write(folder: Path, *, corpus: dict[str, str], queries: dict[str, str], qrels: str) -> Path:
    folder.mkdir()
    for stem, texts in (("corpus", corpus), ("queries", queries)):
        rows: list[dict[str, Any]] = [{"_id": id, "text": text} for id, text in texts.items()]
        if rows:
            (folder / f"{stem}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    if qrels:
        (folder / "qrels").mkdir()
        (folder / "qrels" / "test.tsv").write_text(HEADER + qrels)
    return folder


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    return {
        "en": write(
            tmp_path / "english",
            corpus={"p1": "A river.", "p2": "A city."},
            queries={"q1": "Which river?", "q2": "Which city?"},
            qrels="q1\tp1\t1\nq2\tp2\t2\n",
        ),
        "de": write(
            tmp_path / "german",
            corpus={"p1": "Ein Fluss."},
            queries={"q1": "Welcher Fluss?", "q3": "Wer fragt?"},
            qrels="",
        ),
    }


def read(queries: dict[str, Path], corpora: dict[str, Path]):
    return read_beir_translated(name="rivers", queries=queries, corpora=corpora, split="test")


def test_judgements_hold_for_every_translation_that_is_there(folders: dict[str, Path]) -> None:
    one = read(folders, folders)
    assert one.query_ids == ("en:q1", "en:q2", "de:q1")
    assert one.queries == ("Which river?", "Which city?", "Welcher Fluss?")
    assert one.query_languages == ("en", "en", "de")
    assert one.passage_ids == ("en:p1", "en:p2", "de:p1")
    assert one.passages == ("A river.", "A city.", "Ein Fluss.")
    assert one.passage_languages == ("en", "en", "de")
    assert judged(one) == {
        ("en:q1", "en:p1", 1),
        ("en:q1", "de:p1", 1),
        ("de:q1", "en:p1", 1),
        ("de:q1", "de:p1", 1),
        ("en:q2", "en:p2", 2),
    }


def test_one_corpus_is_asked_in_several_languages(folders: dict[str, Path]) -> None:
    one = read(folders, {"en": folders["en"]})
    assert one.passage_ids == ("en:p1", "en:p2")
    assert judged(one) == {("en:q1", "en:p1", 1), ("de:q1", "en:p1", 1), ("en:q2", "en:p2", 2)}


def test_several_corpora_are_asked_in_one_language(folders: dict[str, Path]) -> None:
    one = read({"en": folders["en"]}, folders)
    assert judged(one) == {("en:q1", "en:p1", 1), ("en:q1", "de:p1", 1), ("en:q2", "en:p2", 2)}


def test_folders_that_repeat_the_judgements_add_nothing(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    polish = write(tmp_path / "pl", corpus={"p1": "Rzeka."}, queries={}, qrels="q1\tp1\t1\n")
    one = read({"en": folders["en"]}, {"en": folders["en"], "pl": polish})
    assert judged(one) == {("en:q1", "en:p1", 1), ("en:q1", "pl:p1", 1), ("en:q2", "en:p2", 2)}


def test_what_is_nowhere_is_named_by_the_row_that_judges_it(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    for number, row in enumerate(("q9\tp1\t1\n", "q1\tp9\t1\n", "q1\tp1\t2\n")):
        other = write(tmp_path / str(number), corpus={"p1": "R."}, queries={}, qrels=row)
        told = r"test.tsv:2: (query 'en:q9' is|passage 'en:p9' is|grade 2 for query 'en:q1')"
        with pytest.raises(InputError, match=f"^{other}/qrels/{told}"):
            read({"en": folders["en"]}, {"en": folders["en"], "pl": other})


def test_a_set_without_judgements_or_folders_is_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="no folder of the set has qrels"):
        read({"de": folders["de"]}, {"de": folders["de"]})
    with pytest.raises(InputError, match=r"^queries, corpora: name a folder by language"):
        read(folders, {})


def test_an_id_taken_twice_is_refused(folders: dict[str, Path]) -> None:
    path = folders["en"] / "corpus.jsonl"
    path.write_text(path.read_text() + '\n{"_id": "p1", "text": "Another river."}')
    with pytest.raises(InputError, match=r"corpus.jsonl:3: _id 'p1' is taken by .*corpus.jsonl:1;"):
        read(folders, folders)
