"""Public training sets, each in the form that its publisher gives it."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lingmix.cli.checks import check_settings
from lingmix.cli.config import resolved
from lingmix.data.items import Item, LanguagePair
from lingmix.data.sources.hub_columns import read_hub_columns
from lingmix.data.sources.mr_tydi import read_mr_tydi
from lingmix.data.sources.opus import read_opus
from lingmix.data.sources.questions import read_mintaka, read_mkqa
from lingmix.errors import InputError
from tests.data.sources.published import gzipped, hub_put, served

COMMIT = "094cac08d68d2fb170c31844acdca1bb56d45284"
REVISION = "1d4d91d3bb020536b4a88cc4982ae4f9dc87cc5e"


def answered(text: str | None, kind: str = "entity") -> list[dict[str, Any]]:
    return [{"type": kind, "entity": "Q545186", "text": text, "aliases": []}]


MKQA = [
    {
        "example_id": 563260143484355911,
        "queries": {"en": "who sings i hear you knocking", "zh_cn": "是谁演唱的", "ru": "кто поет"},
        "query": "who sings i hear you knocking",
        "answers": {
            "en": answered("Dave Edmunds"),
            "zh_cn": answered("戴维·埃德蒙兹"),
            "ru": answered("Эдмундс, Дэйв"),
        },
    },
    {
        "example_id": -3,
        "queries": {"en": "how to cook rice", "zh_cn": "如何煮饭", "ru": "как"},
        "query": "how to cook rice",
        "answers": {of: answered(None, "long_answer") for of in ("en", "zh_cn", "ru")},
    },
]
MINTAKA = [
    {
        "id": "a9011ddf",
        "question": "What is the seventh tallest mountain in North America?",
        "translations": {"de": "Wie heißt der siebthöchste Berg Nordamerikas?"},
        "questionEntity": [],
        "answer": {
            "answerType": "entity",
            "answer": [{"name": "Q1153188", "label": "Mount Lucania"}],
            "mention": "Mount Lucania",
        },
        "category": "geography",
        "complexityType": "ordinal",
    },
    {
        "id": "b1",
        "question": "Is it?",
        "translations": {"de": "Ja?"},
        "answer": {"answerType": "boolean", "answer": [True], "mention": "Yes"},
        "category": "music",
        "complexityType": "yesno",
    },
]


@pytest.fixture
def site(tmp_path: Path):
    folder = tmp_path / "site"
    folder.mkdir()
    with served(folder) as url:
        yield folder, url


def publish(folder: Path, place: str, content: bytes) -> Path:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def mkqa(site, tmp_path, content: bytes) -> list[Item]:
    folder, url = site
    publish(folder, f"raw/{COMMIT}/dataset/mkqa.jsonl.gz", content)
    address = f"{url}/raw/{COMMIT}/dataset/mkqa.jsonl.gz"
    languages = {"en": "en", "zh": "zh_cn"}
    return [
        *read_mkqa(url=address, checksum=None, languages=languages, download_dir=tmp_path / "down")
    ]


def test_mkqa_asks_for_the_names_of_entities(site, tmp_path):
    assert mkqa(site, tmp_path, gzipped(*MKQA)) == [
        Item(
            "mkqa:563260143484355911",
            "general",
            {"en": ("who sings i hear you knocking",), "zh": ("是谁演唱的",)},
            {"en": ("Dave Edmunds",), "zh": ("戴维·埃德蒙兹",)},
        )
    ]


def test_mkqa_cut_changed_or_in_another_form_ends_in_one_line(site, tmp_path):
    with pytest.raises(InputError, match="cannot be read past line"):
        mkqa(site, tmp_path / "cut", gzipped(*MKQA)[:-12])
    without = {key: value for key, value in MKQA[0].items() if key != "answers"}
    with pytest.raises(InputError, match=r"mkqa.jsonl.gz:1: expected MKQA, rows of example_id"):
        mkqa(site, tmp_path / "other", gzipped(without))
    mkqa(site, tmp_path / "down", gzipped(*MKQA))
    kept = next((tmp_path / "down").rglob("mkqa.jsonl.gz"))
    kept.write_bytes(gzipped(MKQA[0]))
    with pytest.raises(InputError, match="not whole, or another; remove it and run again"):
        mkqa(site, tmp_path / "down", gzipped(*MKQA))


def test_what_is_not_there_ends_in_one_line(site, tmp_path):
    _, url = site
    with pytest.raises(InputError, match=r"mkqa.jsonl.gz cannot be fetched \(404"):
        [*read_mkqa(url=f"{url}/mkqa.jsonl.gz", checksum=None, languages={}, download_dir=tmp_path)]


def mintaka(site, tmp_path, content: bytes) -> list[Item]:
    folder, url = site
    publish(folder, "data/mintaka_train.json", content)
    return [
        *read_mintaka(
            url=f"{url}/data/mintaka_train.json",
            checksum=None,
            languages=["en", "de"],
            download_dir=tmp_path,
        )
    ]


def test_mintaka_asks_for_entities_by_category(site, tmp_path):
    (item,) = mintaka(site, tmp_path, json.dumps(MINTAKA).encode())
    assert (item.id, item.domain) == ("mintaka:a9011ddf", "geography")
    assert item.queries["de"] == ("Wie heißt der siebthöchste Berg Nordamerikas?",)
    assert item.passages == {"en": ("Mount Lucania",)}


def test_mintaka_takes_names_in_each_language(site, tmp_path):
    named = json.loads(json.dumps(MINTAKA[:1]))
    named[0]["answer"]["answer"][0]["label"] = {"en": "Mount Lucania", "de": "Lucania", "it": None}
    (item,) = mintaka(site, tmp_path, json.dumps(named).encode())
    assert item.passages == {"en": ("Mount Lucania",), "de": ("Lucania",)}


@pytest.mark.parametrize("content", [b"[{", b"{}1", b'[{"id": "a"}]', b"\xff"])
def test_mintaka_that_is_damaged_ends_in_one_line(site, tmp_path, content):
    with pytest.raises(InputError, match="expected Mintaka, a JSON list"):
        mintaka(site, tmp_path, content)


def zipped(**members: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return made.getvalue()


def opus(site, tmp_path, content: bytes, most: int | None = None) -> list[Item]:
    folder, url = site
    publish(folder, "OPUS-Tatoeba/v1/moses/de-en.txt.zip", content)
    return [
        *read_opus(
            url=url,
            corpus="Tatoeba",
            version="v1",
            pairs=["de-en"],
            most=most,
            download_dir=tmp_path,
        )
    ]


BITEXT = {"Tatoeba.de-en.de": "Ja.\n\nNein.\n", "Tatoeba.de-en.en": "Yes.\nWhat?\nNo.\n"}


def test_a_sentence_of_opus_is_the_query_of_its_translation(site, tmp_path):
    first, second = opus(site, tmp_path, zipped(README="...", **BITEXT))
    assert first.queries == first.passages == {"de": ("Ja.",), "en": ("Yes.",)}
    assert (first.id, second.id) == ("Tatoeba:de-en:1", "Tatoeba:de-en:3")


def test_opus_is_capped(site, tmp_path):
    assert len(opus(site, tmp_path, zipped(**BITEXT), most=1)) == 1


def test_opus_that_is_damaged_ends_in_one_line(site, tmp_path):
    with pytest.raises(InputError, match="not a whole zip archive"):
        opus(site, tmp_path / "a", zipped(**BITEXT)[:-30])
    with pytest.raises(InputError, match=r"has no member 'Tatoeba.de-en.de'"):
        opus(site, tmp_path / "b", zipped(README="..."))
    with pytest.raises(InputError, match="its files have 3 and 1 lines"):
        opus(site, tmp_path / "c", zipped(**BITEXT | {"Tatoeba.de-en.en": "Yes.\n"}))


TYDI = {
    "query_id": "1",
    "query": "Where is it?",
    "positive_passages": [{"docid": "26569#0", "title": "Place", "text": "It is here."}],
    "negative_passages": [
        {"docid": "7#1", "title": "Other", "text": "Not."},
        {"docid": "7#2", "title": "", "text": "Nor."},
    ],
}


def mr_tydi(hub: Path, row: dict[str, Any]) -> list[Item]:
    file = "mrtydi-v1.1-english/train.jsonl.gz"
    hub_put(hub, "castorini/mr-tydi", REVISION, file, gzipped(row))
    languages = {"en": "english"}
    return [
        *read_mr_tydi(repo="castorini/mr-tydi", revision=REVISION, languages=languages, negatives=1)
    ]


def test_mr_tydi_has_passages_with_their_titles_and_some_negatives(hub):
    assert mr_tydi(hub, TYDI) == [
        Item(
            "mr_tydi:en:1",
            "wikipedia",
            {"en": ("Where is it?",)},
            {"en": ("Place It is here.",)},
            {"en": ("Other Not.",)},
        )
    ]


def test_mr_tydi_in_another_form_ends_in_one_line(hub):
    with pytest.raises(InputError, match=r"train.jsonl.gz:1: field 'positive_passages' must be a"):
        mr_tydi(hub, TYDI | {"positive_passages": "26569#0"})


SWIM = {"_id": "1", "lang": "German", "code": "de", "query": "Wo?", "title": "T", "text": "Here."}


def swim_ir(hub: Path, rows: list[dict[str, Any]], **changed: Any) -> list[Item]:
    file = "de/train-00000-of-00001.parquet"
    content = io.BytesIO()
    pl.DataFrame(rows).write_parquet(content)
    hub_put(hub, "nthakur/swim-ir-cross-lingual", REVISION, file, content.getvalue())
    settings: dict[str, Any] = {
        "repo": "nthakur/swim-ir-cross-lingual",
        "revision": REVISION,
        "files": {"de-en": [file]},
        **{"query": "query", "passage": "text", "title": "title", "id": "_id", "domain": "w"},
    }
    return [*read_hub_columns(**settings | changed)]


def test_a_dataset_of_the_hub_is_read_by_its_columns(hub):
    (item,) = swim_ir(hub, [SWIM])
    (pair,) = item.listed or ()
    assert (item.id, item.domain) == ("de-en:1", "w")
    assert (pair.query, pair.passage) == ("Wo?", "T Here.")
    assert pair.languages == LanguagePair("de", "en")


def test_without_ids_and_titles_rows_are_numbered_and_texts_stand_alone(hub):
    items = swim_ir(hub, [SWIM, SWIM], id=None, title=None)
    assert [(one.id, one.passages) for one in items] == [
        ("de-en:1", {"en": ("Here.",)}),
        ("de-en:2", {"en": ("Here.",)}),
    ]


def test_a_file_of_one_language_has_monolingual_pairs(hub):
    (item,) = swim_ir(hub, [SWIM], files={"de": ["de/train-00000-of-00001.parquet"]})
    assert (item.listed or ())[0].languages.monolingual


def test_a_column_or_a_file_that_is_not_there_ends_in_one_line(hub):
    with pytest.raises(InputError, match=r"parquet:1: field 'question' is missing \(fields found:"):
        swim_ir(hub, [SWIM], query="question")
    with pytest.raises(InputError, match="is not in the Hub's cache"):
        swim_ir(hub, [SWIM], files={"de": ["de/other.parquet"]})


def test_a_licence_that_is_excluded_is_refused_by_name(configure):
    config = configure("audit", "data=mkqa", "data.excluded_licences=[cc-by-sa-3.0]")
    with pytest.raises(InputError) as caught:
        check_settings(resolved(config), "audit")
    assert str(caught.value) == (
        "data.excluded_licences: mkqa is under CC-BY-SA-3.0, which is excluded; choose other data, "
        "or take the licence from the list"
    )
