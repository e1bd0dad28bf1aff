"""Puts what the study reads into the forms that the commands take.

    python studies/model-queries/passages.py DATA multirun/model_queries

writes, of each domain, the passages of its training part that stand in all the study's languages,
a row each; their own queries stand as titles. Those of `tico19` are windows of three sentences, of
which every third is taken, so that none shares a sentence with another. Of its evaluation set it
writes every third passage with its queries, as E5 small has two cores.
"""

import gzip
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

LANGUAGES = {"python-docs": ("en", "es", "zh"), "tico19": ("en", "hi", "zh")}
KINDS = {"python-docs": "heading2para", "tico19": "sent2passage"}
THIRD = 3

Row = dict[str, Any]


def main(data: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for domain in LANGUAGES:
        write(passages(data / domain, domain), out / f"{domain}.jsonl.gz")
    write_part(data / "tico19", out / "tico19-third")


def passages(folder: Path, domain: str) -> Iterator[Row]:
    """Rows of the items that have a passage and a query in each language."""
    texts: dict[str, dict[str, str]] = {}
    titles: dict[str, dict[str, str]] = {}
    for row in rows(folder / "pairs.jsonl.gz"):
        if row["kind"] == KINDS[domain]:
            texts.setdefault(row["source_id"], {}).setdefault(row["passage_lang"], row["passage"])
            titles.setdefault(row["source_id"], {}).setdefault(row["query_lang"], row["query"])
            of_domain = row["domain"]
    needed = {*LANGUAGES[domain]}
    for id, by_language in texts.items():
        if needed <= {*by_language} & {*titles[id]} and not _overlaps(id, domain):
            for language in LANGUAGES[domain]:
                yield {
                    "_id": f"{language}:{id}",
                    "source_id": id,
                    "domain": of_domain,
                    "lang": language,
                    "title": titles[id][language],
                    "text": by_language[language],
                }


def _overlaps(id: str, domain: str) -> bool:
    """Whether the passage shares a sentence with one that is taken; ids end in its number."""
    return domain == "tico19" and int(id.rpartition(":")[2]) % THIRD != 0


def write_part(folder: Path, out: Path) -> None:
    """Every third passage, in all its languages, with the queries it is relevant to."""
    corpus = [*rows(folder / "corpus.jsonl.gz")]
    names = [*dict.fromkeys(name_of(row["_id"]) for row in corpus)]
    kept = {*names[::THIRD]}
    head, *lines = (folder / "qrels" / "test.tsv").read_text("utf-8").splitlines()
    judged = [line for line in lines if name_of(line.split("\t")[1]) in kept]
    asked = {line.split("\t")[0] for line in judged}
    (out / "qrels").mkdir(parents=True, exist_ok=True)
    (out / "qrels" / "test.tsv").write_text("\n".join([head, *judged, ""]), "utf-8")
    write((row for row in corpus if name_of(row["_id"]) in kept), out / "corpus.jsonl.gz")
    queries = (row for row in rows(folder / "queries.jsonl.gz") if row["_id"] in asked)
    write(queries, out / "queries.jsonl.gz")


def name_of(id: str) -> str:
    return id.partition(":")[2]


def rows(path: Path) -> Iterator[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def write(found: Iterable[Row], path: Path) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in found)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
