"""Translated questions with short answers: MKQA and Mintaka as their authors publish them. The name
of what is asked for is the passage."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lingmix.data.download import fetch
from lingmix.data.files import Row, distinct, read_rows
from lingmix.data.items import Item
from lingmix.errors import InputError

MKQA_FORM = "MKQA, rows of example_id, queries, answers"
MINTAKA_FORM = "Mintaka, a JSON list of questions with id, question, translations, answer"


def read_mkqa(
    *, url: str, checksum: str | None, languages: Mapping[str, str], download_dir: str | Path
) -> Iterator[Item]:
    """Makes an item of each question whose answer is an entity or a short phrase. `languages` says
    what each is called there."""
    path = fetch(url, path=_place(url, "mkqa", download_dir), checksum=checksum)
    fields = ("example_id", "queries", "answers")
    for row in read_rows(path=path, fields=fields, form=MKQA_FORM):
        try:
            item = _mkqa_item(row, languages)
        except (LookupError, TypeError, AttributeError) as error:
            raise InputError(
                f"{row.place}: expected {MKQA_FORM}, stopped at {error!r:.100}"
            ) from error
        if item:
            yield item


def _mkqa_item(row: Row, languages: Mapping[str, str]) -> Item | None:
    asked: Any = row.values["queries"]
    answers: Any = row.values["answers"]
    found = {
        language: answers[name][0]["text"]
        for language, name in languages.items()
        if answers[name] and answers[name][0]["type"] in ("entity", "short_phrase")
    }
    queries = {language: (asked[name],) for language, name in languages.items() if asked[name]}
    passages = {language: (text,) for language, text in found.items() if text}
    id = f"mkqa:{row.identifier('example_id')}"
    return Item(id, "general", queries, passages) if queries and passages else None


def read_mintaka(
    *, url: str, checksum: str | None, languages: list[str], download_dir: str | Path
) -> Iterator[Item]:
    """Makes an item of each question whose answer is one entity, which has a name in each language
    or in English alone; its domain is the question's category."""
    path = fetch(url, path=_place(url, "mintaka", download_dir), checksum=checksum)
    try:
        rows = json.loads(path.read_bytes(), object_pairs_hook=distinct)
        items = [item for row in rows if (item := _mintaka_item(row, languages))]
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected {MINTAKA_FORM}, stopped at {error!r:.100}") from error
    yield from items


def _mintaka_item(row: Any, languages: list[str]) -> Item | None:
    answer, asked = row["answer"], {"en": row["question"], **row["translations"]}
    if answer["answerType"] != "entity" or not answer["answer"]:
        return None
    label = answer["answer"][0]["label"]
    names = label if isinstance(label, dict) else {"en": label}
    queries = {of: (asked[of],) for of in languages if asked.get(of)}
    passages = {of: (names[of],) for of in languages if names.get(of)}
    if not (queries and passages):
        return None
    return Item(f"mintaka:{row['id']}", row["category"], queries, passages)


def _place(url: str, name: str, download_dir: str | Path) -> Path:
    commit = next((part for part in url.split("/") if len(part) == 40), "file")
    return Path(download_dir) / name / commit / url.rpartition("/")[2]
