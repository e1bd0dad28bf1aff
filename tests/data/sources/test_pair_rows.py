import json
from pathlib import Path
from typing import Any

import pytest

from lingmix.data.items import Item, LanguagePair, Pair
from lingmix.data.sources.pair_rows import read_pairs
from lingmix.errors import InputError


def row(query: str, passage: str, pair: str, source: str, **more: Any) -> dict[str, Any]:
    languages = LanguagePair.parse(pair)
    return {
        "query": query,
        "passage": passage,
        "query_lang": languages.query,
        "passage_lang": languages.passage,
        "source_id": source,
        **more,
    }


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_rows_of_one_source_are_one_item_that_lists_them_in_order(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        row("Where?", "Hier.", "en-de", "s1", domain="news", negatives=["Dort."]),
        row("Wo?", "Here.", "de-en", "s1", domain="news", kind="bitext"),
        row("Where?", "Here.", "en-en", "s1", domain="news"),
        row("Who?", "She.", "en-en", "s2"),
    )
    assert list(read_pairs(path=path)) == [
        Item(
            id="s1",
            domain="news",
            queries={"en": ("Where?",), "de": ("Wo?",)},
            passages={"de": ("Hier.",), "en": ("Here.",)},
            negatives={"de": ("Dort.",)},
            listed=(
                Pair("Where?", "Hier.", LanguagePair("en", "de"), ("Dort.",)),
                Pair("Wo?", "Here.", LanguagePair("de", "en")),
                Pair("Where?", "Here.", LanguagePair("en", "en")),
            ),
        ),
        Item(
            id="s2",
            domain="",
            queries={"en": ("Who?",)},
            passages={"en": ("She.",)},
            listed=(Pair("Who?", "She.", LanguagePair("en", "en")),),
        ),
    ]


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("query", "", "field 'query' must be a non-empty text, got ''"),
        ("passage", None, "field 'passage' is missing"),
        ("query_lang", "zh-hans", "field 'query_lang' needs a language"),
        ("source_id", 1.5, "field 'source_id' must be"),
        ("negatives", [None], "field 'negatives' must hold non-empty texts"),
    ],
)
def test_a_bad_pair_is_named_by_line_and_field(
    tmp_path: Path, field: str, value: object, told: str
) -> None:
    good = row("Where?", "Hier.", "en-de", "s1")
    path = write(tmp_path, good, good | {field: value})
    with pytest.raises(InputError, match=f"^{path}:2: {told}"):
        list(read_pairs(path=path))


def test_an_item_has_one_domain(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        row("Where?", "Hier.", "en-de", "s1", domain="news"),
        row("Where?", "Here.", "en-en", "s1", domain="law"),
    )
    with pytest.raises(InputError, match=f"^{path}:2: source_id 's1' is of domain 'news'"):
        list(read_pairs(path=path))


def test_several_files_are_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "fr").mkdir()
    german = write(tmp_path, row("Where?", "Hier.", "en-de", "s1"))
    french = write(tmp_path / "fr", row("Where?", "Ici.", "en-fr", "s1"))
    (item,) = read_pairs(path=[german, french])
    assert item.queries == {"en": ("Where?",)}
    assert item.passages == {"de": ("Hier.",), "fr": ("Ici.",)}


def test_no_file_at_all_is_refused() -> None:
    with pytest.raises(InputError, match=r"path: must name a file, got \[\]"):
        list(read_pairs(path=[]))
