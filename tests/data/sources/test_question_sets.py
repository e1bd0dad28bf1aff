"""Public training sets of questions with passages, each in the form that its publisher gives it."""

import gzip
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from lingmix.cli.config import CONF
from lingmix.data.items import Item
from lingmix.data.sources.hub_columns import read_hub_columns
from lingmix.data.sources.miracl import read_miracl_items
from lingmix.data.sources.mmarco import REPO, TRIPLES, read_mmarco_items
from lingmix.data.sources.squad_items import read_squad
from lingmix.errors import InputError
from tests.data.sources.published import gzipped, hub_put, md5, served

REVISION, CORPUS_REVISION = "b" * 40, "c" * 40
GERMAN_QUERIES = "data/google/queries/train/german_queries.train.tsv"
MMARCO = {
    "data/google/collections/english_collection.tsv": "0\tA bank.\n1\tA river\n2\tA ship\n",
    "data/google/collections/german_collection.tsv": "0\tEine Bank.\n1\tEin Fluss\n2\t \n",
    "data/google/queries/train/english_queries.train.tsv": "11\twhat river\n10\twhat bank\n",
    GERMAN_QUERIES: "10\twelche Bank?\n10\tSag es\n11\twelcher Fluss\n",
    TRIPLES: "10\t0\t1\n11\t1\t0\n10\t2\t0\n10\t0\t2\n",
}


def mmarco(hub: Path, tmp_path: Path, most: int | None = None, **changes: str | None) -> list[Item]:
    for file, content in (MMARCO | changes).items():
        if content is not None:
            hub_put(hub, REPO, REVISION, file, content)
    settings: dict[str, Any] = {"languages": ["en", "de"], "revision": REVISION, "negatives": 1}
    return [*read_mmarco_items(**settings, most=most, download_dir=tmp_path / "downloads")]


def test_an_item_of_mmarco_has_a_query_and_its_passages_in_all_languages(hub, tmp_path):
    """Its lines of one query are joined, an empty translation is left out."""
    first, second = mmarco(hub, tmp_path)
    assert first == Item(
        "mmarco:10",
        "web",
        {"en": ("what bank",), "de": ("welche Bank? Sag es",)},
        {"en": ("A bank.", "A ship"), "de": ("Eine Bank.",)},
        {"en": ("A river",), "de": ("Ein Fluss",)},
    )
    assert (second.id, second.negatives["en"]) == ("mmarco:11", ("A bank.",))


def test_the_first_queries_of_mmarco_keep_all_their_passages(hub, tmp_path):
    (only,) = mmarco(hub, tmp_path, most=1)
    assert only.passages["en"] == ("A bank.", "A ship")


def miracl(
    hub: Path, tmp_path: Path, languages: Sequence[str] = ("sw",), **changes: str | bytes
) -> list[Item]:
    stem, corpus = "miracl-v1.0-sw", "miracl-corpus-v1.0-sw/docs-0.jsonl.gz"
    rows = [
        {"docid": "39#0", "title": "Simu", "text": "Bell alibuni."},
        {"docid": "39#1", "title": "Simu", "text": "Ni chombo."},
        {"docid": "40#0", "title": "", "text": "Nile."},
    ]
    files = {
        "topics": "0\tNani alibuni simu?\n7#0\tMto upi?\n",
        "qrels": "0\tQ0\t39#1\t0\n0\tQ0\t39#0\t1\n0\tQ0\t40#0\t0\n7#0\tQ0\t39#0\t0\n",
        "corpus": gzipped(*rows),
    } | changes
    for kind in ("topics", "qrels"):
        place = f"{stem}/{kind}/{kind}.{stem}-train.tsv"
        hub_put(hub, "miracl/miracl", REVISION, place, files[kind])
    hub_put(hub, "miracl/miracl-corpus", CORPUS_REVISION, corpus, files["corpus"])
    settings: dict[str, Any] = {"revision": REVISION, "corpus_revision": CORPUS_REVISION}
    down = tmp_path / "downloads"
    return [*read_miracl_items(languages=languages, negatives=1, download_dir=down, **settings)]


def test_an_item_of_miracl_has_what_its_judges_found(hub, tmp_path):
    """A query of which they found nothing teaches nothing."""
    assert miracl(hub, tmp_path) == [
        Item(
            "miracl:sw:0",
            "wikipedia",
            {"sw": ("Nani alibuni simu?",)},
            {"sw": ("Simu Bell alibuni.",)},
            {"sw": ("Simu Ni chombo.",)},
        )
    ]


def webfaq(hub: Path, _: Path, rows: list[dict[str, Any]], most: int | None = None) -> list[Item]:
    node = yaml.safe_load((CONF / "data" / "webfaq.yaml").read_text("utf-8"))["sets"]["webfaq"]
    content = io.BytesIO()
    pl.DataFrame(rows).write_parquet(content)
    hub_put(hub, node["repo"], node["revision"], "data/ell.parquet", content.getvalue())
    del node["_target_"]
    changes = {"files": {"el": ["data/ell.parquet"]}, "most": most}
    return [*read_hub_columns(**node | changes)]


FAQ = {
    "id": "0a1b",
    "origin": "https://example.org",
    "url": "https://example.org/faq",
    "question": "Πότε ανοίγετε;",
    "answer": "Στις εννέα.",
    "semantic_similarity_score": 0.9,
}


def test_webfaq_is_read_by_the_columns_that_its_configuration_names(hub, tmp_path):
    (item,) = webfaq(hub, tmp_path, [FAQ])
    assert (item.id, item.domain) == ("el:0a1b", "web")
    assert (item.queries, item.passages) == ({"el": ("Πότε ανοίγετε;",)}, {"el": ("Στις εννέα.",)})
    assert len(webfaq(hub, tmp_path, [FAQ, FAQ | {"id": "2"}, FAQ | {"id": "3"}], most=2)) == 2


def article(context: str, *questions: tuple[str, str], **more: Any) -> dict[str, Any]:
    qas = [
        {"id": id, "question": text, "answers": [{"text": "x", "answer_start": 0}]} | more
        for id, text in questions
    ]
    return {"title": "Rhine", "paragraphs": [{"context": context, "qas": qas}]}


def squad(_: Path, tmp_path: Path, **contents: bytes) -> list[Item]:
    """Files by language, on a server."""
    folder = tmp_path / "site"
    folder.mkdir(exist_ok=True)
    with served(folder) as url:
        files = {}
        for language, content in contents.items():
            path = folder / f"train-{language}.json"
            path.write_bytes(content)
            files[language] = {"url": f"{url}/{path.name}", "checksum": md5(path)}
        return [*read_squad(files=files, download_dir=tmp_path / "downloads")]


def published(*articles: dict[str, Any]) -> bytes:
    return json.dumps({"version": "1.1", "data": articles}).encode()


ENGLISH = published(
    article("It is long.", ("a", "What is long?"), ("b", " How? ")),
    article("A city.", ("c", "What is it?")),
    article("No.", ("d", "Who?"), is_impossible=True),
)
SPANISH = published(article("Es largo.", ("b", "¿Cómo?")), article("Otro.", ("e", "¿Quién?")))


def test_a_paragraph_of_squad_is_an_item_with_its_translations(hub, tmp_path):
    assert squad(hub, tmp_path, en=ENGLISH, es=gzip.compress(SPANISH)) == [
        Item(
            "squad:a",
            "wikipedia",
            {"en": ("What is long?", "How?"), "es": ("¿Cómo?",)},
            {"en": ("It is long.",), "es": ("Es largo.",)},
        ),
        Item("squad:c", "wikipedia", {"en": ("What is it?",)}, {"en": ("A city.",)}),
        Item("squad:e", "wikipedia", {"es": ("¿Quién?",)}, {"es": ("Otro.",)}),
    ]


BAD: list[tuple[Callable[..., list[Item]], dict[str, Any], str]] = [
    (mmarco, {TRIPLES: "10\t0\n"}, r"small.tsv:1: 2 fields .*; expected mMARCO's triples"),
    (mmarco, {TRIPLES: "10\t7\t0\n"}, "names '7', but no text of en has that id"),
    (mmarco, {TRIPLES: "9\t0\t1\n"}, "names '9', but no text of en has that id"),
    (mmarco, {TRIPLES: ""}, "it is empty; expected mMARCO's triples"),
    (mmarco, {TRIPLES: None}, rf"{TRIPLES} of the Hugging Face dataset {REPO} at b+ is not"),
    (mmarco, {GERMAN_QUERIES: "10\n"}, r"train.tsv:1: 1 fields .*; expected mMARCO's queries"),
    (miracl, {"qrels": "0\tQ0\t9#0\t1\n"}, r"-train.tsv:1: passage 'sw:9#0' is judged, but no"),
    (miracl, {"qrels": "9\tQ0\t39#0\t1\n"}, r"-train.tsv:1: query 'sw:9' is judged, but no"),
    (miracl, {"corpus": gzipped(FAQ)[:-9]}, "cannot be read past line"),
    (webfaq, {"rows": [{"id": "1", "answer": "a"}]}, r":1: field 'question' is missing"),
    (squad, {"en": ENGLISH[:-9]}, r"train-en.json: expected SQuAD form, articles with"),
    (squad, {"en": b'{"data": [{}]}'}, r"stopped at KeyError\('paragraphs'\)"),
    (squad, {"en": published(article("\ud800", ("a", "?")))}, "half of an escaped character"),
    (squad, {"en": gzip.compress(ENGLISH)[:-9]}, "cannot be read past line"),
    (squad, {"en": b""}, "it is empty; expected SQuAD form"),
]


@pytest.mark.parametrize(("read", "changes", "told"), BAD)
def test_a_file_that_is_missing_damaged_or_of_another_form_is_one_line(
    hub, tmp_path, read, changes, told
):
    with pytest.raises(InputError, match=told) as caught:
        read(hub, tmp_path, **changes)
    assert "\n" not in str(caught.value)


def test_a_file_that_has_changed_is_one_line(hub, tmp_path):
    squad(hub, tmp_path, en=ENGLISH)
    with pytest.raises(InputError, match=r"train-en.json: the file has md5:.*, expected md5:"):
        squad(hub, tmp_path, en=SPANISH)


def test_a_language_that_miracl_does_not_train_is_refused(hub, tmp_path):
    with pytest.raises(
        InputError, match=r"^languages: MIRACL's training data has no yo; it has ar"
    ):
        miracl(hub, tmp_path, languages=["yo"])
