"""NTREX in the form of its repository, served on loopback."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lingmix.cli.config import resolved
from lingmix.data.items import LanguagePair, Pair
from lingmix.data.sources.ntrex import ntrex_evaluation_set, read_ntrex
from lingmix.errors import InputError
from tests.data.sources.published import judged, served

COMMIT = "8561f6a622db9edad1217683e5c83daefd8bb2bf"
FILES = {
    "DOCUMENT_IDS.tsv": "bbc.1\nbbc.1\nbbc.1\nbbc.1\nrt.com.2\nrt.com.2\n",
    "NTREX-128/newstest2019-src.eng.txt": "One.\nTwo.\nThree.\nFour.\nFive.\nSix.\n",
    "NTREX-128/newstest2019-ref.deu.txt": "Eins.\nZwei.\n\nVier. \nFünf.\nSechs.\n",
}


@pytest.fixture
def source(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Where the files are served, and where they go."""
    for name, text in FILES.items():
        path = tmp_path / "served" / COMMIT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with served(tmp_path / "served") as url:
        yield {
            "url": f"{url}/{COMMIT}",
            "languages": {"en": "src.eng", "de": "ref.deu"},
            "download_dir": tmp_path / "fetched",
        }


def test_sentences_ask_for_their_translation_or_for_the_rest_of_their_block(source) -> None:
    items = read_ntrex(**source, held_out=["rt.com.2"])
    assert [item.id for item in items] == ["ntrex:1", "ntrex:2", "ntrex:3", "ntrex:4"]
    assert items[0].listed == (
        Pair("One.", "Two. Three.", LanguagePair("en", "en")),
        Pair("One.", "Eins. Zwei.", LanguagePair("en", "de")),
        Pair("Eins.", "One. Two. Three.", LanguagePair("de", "en")),
        Pair("Eins.", "Zwei.", LanguagePair("de", "de")),
    )
    assert items[2].listed == (  # which has no German
        Pair("Three.", "One. Two.", LanguagePair("en", "en")),
        Pair("Three.", "Eins. Zwei.", LanguagePair("en", "de")),
    )
    assert items[3].listed == (  # alone in its block
        Pair("Four.", "Vier.", LanguagePair("en", "de")),
        Pair("Vier.", "Four.", LanguagePair("de", "en")),
    )


def test_no_pair_holds_its_query_word_for_word(source) -> None:
    listed = [pair for item in read_ntrex(**source, held_out=[]) for pair in item.listed or ()]
    assert len(listed) > 10
    assert not any(pair.query in pair.passage for pair in listed)


def test_documents_that_are_held_out_are_asked_for_in_other_languages(source) -> None:
    one = ntrex_evaluation_set(name="ntrex", **source, held_out=["rt.com.2"])
    assert one.other_languages_only
    assert dict(zip(one.query_ids, one.queries, strict=True)) == {
        "en:s5": "Five.", "en:s6": "Six.", "de:s5": "Fünf.", "de:s6": "Sechs.",
    }  # fmt: skip
    assert dict(zip(one.passage_ids, one.passages, strict=True)) == {
        "en:rt.com.2.0": "Five. Six.", "de:rt.com.2.0": "Fünf. Sechs.",
    }  # fmt: skip
    assert judged(one) == {
        ("en:s5", "de:rt.com.2.0", 1),
        ("en:s6", "de:rt.com.2.0", 1),
        ("de:s5", "en:rt.com.2.0", 1),
        ("de:s6", "en:rt.com.2.0", 1),
    }


def test_a_document_may_go_on_further_down(source, tmp_path: Path) -> None:
    documents = tmp_path / "served" / COMMIT / "DOCUMENT_IDS.tsv"
    documents.write_text("bbc.1\nbbc.1\nrt.com.2\nrt.com.2\nbbc.1\nbbc.1\n")
    one = ntrex_evaluation_set(name="ntrex", **source, held_out=["bbc.1"])
    assert one.passages[:2] == ("One. Two. Five.", "Eins. Zwei. Fünf.")


def test_files_are_fetched_once_and_another_content_is_found(source) -> None:
    read_ntrex(**source, held_out=[])
    path = source["download_dir"] / "ntrex" / COMMIT / "NTREX-128/newstest2019-src.eng.txt"
    assert path.read_text() == FILES["NTREX-128/newstest2019-src.eng.txt"]
    path.write_text(FILES["NTREX-128/newstest2019-src.eng.txt"].replace("Two", "Ten"))
    offline = source | {"url": f"http://127.0.0.1:1/{COMMIT}"}
    with pytest.raises(InputError, match=rf"{path}: the file has sha256:\w+, expected sha256:"):
        read_ntrex(**offline, held_out=[])


def test_a_line_that_is_of_no_document_is_refused(source, tmp_path: Path) -> None:
    documents = tmp_path / "served" / COMMIT / "DOCUMENT_IDS.tsv"
    documents.write_text("bbc.1\nbbc.1\n")
    with pytest.raises(InputError, match=r"line 3 of src.eng is of no document"):
        read_ntrex(**source, held_out=[])


def test_the_evaluated_documents_of_the_choice_are_not_trained_on(configure) -> None:
    data = resolved(configure("train", "data=ntrex"))["data"]
    train, development = data["sets"]["ntrex"], data["development"]
    keys = ("url", "languages", "held_out", "download_dir")
    assert {key: train[key] for key in keys} == {key: development[key] for key in keys}
    assert len(train["held_out"]) == 23
    assert train["url"].endswith(COMMIT)
