"""NTREX-128 as its authors publish it: a text file a language, the same sentence on the same line
of each, and the document that each line is of.

A block is a few consecutive sentences of a document. Each sentence is a query. Its passage in
another language is the block with its translation; its passage in its own language is the rest of
its block, which does not contain it (the inverse cloze task of arXiv 1906.00300).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lingmix.data.download import fetch
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.items import Item, LanguagePair, Pair
from lingmix.data.languages import published_languages
from lingmix.data.sources.judgements import Judgement, Passages, Query, judged_set
from lingmix.data.sources.pair_rows import item_of_pairs
from lingmix.data.text_lines import lines
from lingmix.errors import InputError

FORM = "NTREX in one language, a sentence a line"
DOCUMENTS_FORM = "NTREX's documents, the name of one a line"
BLOCK = 3
"""Sentences, of which the last block of a document may have fewer."""


class _Block(NamedTuple):
    """A few sentences of a document, by language and line; some language may lack a line."""

    id: str
    document: str
    sentences: Mapping[str, Mapping[int, str]]

    def text(self, language: str, *, without: int | None = None) -> str:
        there = self.sentences[language].items()
        return " ".join(sentence for line, sentence in there if line != without)


def read_ntrex(
    *,
    url: str,
    languages: Mapping[str, str],
    held_out: Sequence[str],
    download_dir: str | Path,
) -> list[Item]:
    """Makes an item of each sentence, of all documents but those `held_out`. `languages` says by
    language what its file is called.
    """
    return [
        item_of_pairs(id=f"ntrex:{line}", domain="news", listed=pairs)
        for block in _blocks(url, languages, Path(download_dir))
        if block.document not in held_out
        for line in sorted({line for there in block.sentences.values() for line in there})
        if (pairs := list(_pairs(block, line)))
    ]


def ntrex_evaluation_set(
    *,
    name: str,
    url: str,
    languages: Mapping[str, str],
    held_out: Sequence[str],
    download_dir: str | Path,
    within: Sequence[str] | None = None,
) -> EvaluationSet:
    """Makes a set of the documents `held_out`: their sentences are queries for the translations of
    their blocks."""
    kept = published_languages(languages, of="NTREX", published=languages, within=within)
    files = {language: languages[language] for language in kept}
    blocks = [
        block for block in _blocks(url, files, Path(download_dir)) if block.document in held_out
    ]
    passages = [(block, language) for block in blocks for language in kept if block.text(language)]
    asked = [
        (block, Query(f"{language}:s{line}", sentence, language))
        for block in blocks
        for language, there in block.sentences.items()
        for line, sentence in there.items()
    ]
    evaluation_set = judged_set(
        name=name,
        queries=[query for _, query in asked],
        passages=Passages(
            ids=tuple(f"{language}:{block.id}" for block, language in passages),
            texts=tuple(block.text(language) for block, language in passages),
            languages=tuple(language for _, language in passages),
        ),
        judgements=[
            Judgement((query.id,), found, 1, f"NTREX, block {block.id}")
            for block, query in asked
            if (found := _others(block, query.language))
        ],
    )
    return replace(evaluation_set, other_languages_only=True)


def _pairs(block: _Block, line: int) -> Iterator[Pair]:
    for asked, there in block.sentences.items():
        for given in block.sentences:
            passage = block.text(given, without=line if asked == given else None)
            if line in there and passage:
                yield Pair(there[line], passage, LanguagePair(asked, given))


def _others(block: _Block, language: str) -> tuple[str, ...]:
    return tuple(
        f"{other}:{block.id}"
        for other in block.sentences
        if other != language and block.text(other)
    )


def _blocks(url: str, languages: Mapping[str, str], download_dir: Path) -> Iterator[_Block]:
    folder = download_dir / "ntrex" / url.rpartition("/")[2]

    def column(file: str, form: str) -> dict[int, str]:
        path = fetch(f"{url}/{file}", path=folder / file, checksum=None)
        return {number: line.strip() for number, line in lines(path, form=form)}

    documents = column("DOCUMENT_IDS.tsv", DOCUMENTS_FORM)
    texts = {
        language: column(f"NTREX-128/newstest2019-{file}.txt", FORM)
        for language, file in languages.items()
    }
    for language, there in texts.items():
        if beyond := there.keys() - documents.keys():
            raise InputError(
                f"{folder}: line {min(beyond)} of {languages[language]} is of no document; remove "
                "the folder and run again"
            )
    numbered: dict[str, list[int]] = {}
    for number, document in documents.items():
        numbered.setdefault(document, []).append(number)
    for document, numbers in numbered.items():
        for place, begin in enumerate(range(0, len(numbers), BLOCK)):
            within = numbers[begin : begin + BLOCK]
            sentences = {
                language: {n: there[n] for n in within if n in there}
                for language, there in texts.items()
            }
            yield _Block(f"{document}.{place}", document, sentences)
