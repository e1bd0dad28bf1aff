import json

import pytest

from lingmix.augmentation.passages import (
    gathered,
    passages_of_items,
    passages_of_pairs,
    passages_of_rows,
)
from lingmix.errors import InputError

PAIR = {"query": "q", "query_lang": "en", "domain": "d"}
ITEM = {"id": "a", "domain": "d", "queries": {"en": ["q"]}, "passages": {"en": ["p"], "de": ["P"]}}


@pytest.fixture
def file(tmp_path):
    def write(*rows):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        return path

    return write


def whole(drafts):
    found = gathered(drafts, languages=None, domain=None)
    assert [one.queries for one in found] == [{}] * len(found)
    return {one.id: {of: list(texts) for of, texts in one.passages.items()} for one in found}


def test_pairs_of_one_source_are_one_draft_wherever_they_stand_without_their_queries(file):
    rows = [("p", "en", "a"), ("x", "en", "b"), ("P", "de", "a"), ("p", "en", "a")]
    path = file(
        *(PAIR | {"passage": text, "passage_lang": of, "source_id": id} for text, of, id in rows)
    )
    found = whole(passages_of_pairs(path=path))
    assert found == {"a": {"en": ["p"], "de": ["P"]}, "b": {"en": ["x"]}}


def test_items_give_their_passages(file):
    assert whole(passages_of_items(path=file(ITEM))) == {"a": {"en": ["p"], "de": ["P"]}}


def test_rows_of_one_source_are_translations_and_keep_their_titles(file):
    path = file(
        {"_id": "1", "text": "p", "lang": "en", "title": "T", "source_id": "a", "domain": "d"},
        {"_id": 2, "text": "P", "lang": "de", "title": "", "source_id": "a"},
        {"id": 3, "text": "x"},
    )
    a, b = gathered(passages_of_rows(path=path, language="fr"), languages=None, domain=None)
    assert (a.id, a.passages, a.titles) == ("a", {"en": ("p",), "de": ("P",)}, {"en": "T"})
    assert (a.domain, a.source) == ("d", f"{path}:1")
    assert (b.id, b.passages) == ("3", {"fr": ("x",)})


def test_languages_and_the_domain_can_be_chosen(file):
    (found,) = gathered(passages_of_items(path=file(ITEM)), languages=["de"], domain="mine")
    assert (found.domain, found.passages) == ("mine", {"de": ("P",)})


@pytest.mark.parametrize(
    ("row", "languages", "line"),
    [
        ({"id": 1, "text": "p"}, None, "rows.jsonl:1: field 'lang' is missing; add it to each row"),
        ({"id": 1, "lang": "en"}, None, "field 'text' is missing"),
        ({"id": 1, "text": " ", "lang": "en"}, None, "must be a non-empty text"),
        (
            {"id": 1, "text": "p", "lang": "en"},
            ["de"],
            "languages: no passage is in de; there are en",
        ),
    ],
)
def test_what_is_no_passage_ends_in_one_line(file, row, languages, line):
    with pytest.raises(InputError, match=line):
        gathered(passages_of_rows(path=file(row), language=None), languages=languages, domain=None)
