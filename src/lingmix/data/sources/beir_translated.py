"""One set in BEIR form in several languages: queries, corpora or both translated, ids kept."""

from collections.abc import Mapping
from pathlib import Path

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.files import Row
from lingmix.data.sources.beir import QRELS_FORM, judgement_rows
from lingmix.data.sources.beir_rows import beir_passages, beir_queries
from lingmix.data.sources.judgements import Judgement, Passages, judged_set
from lingmix.data.text_lines import require_folder
from lingmix.errors import InputError

SET_FORM = "a set in BEIR form in one language"


def read_beir_translated(
    *,
    name: str,
    queries: Mapping[str, str | Path],
    corpora: Mapping[str, str | Path],
    split: str,
) -> EvaluationSet:
    """Folders in BEIR form by language; passage `p` in language `l` is called `l:p`.

    Judgements stand in one folder or in several, and hold for all translations of a query and of a
    passage that are there.
    """
    if not (queries and corpora):
        raise InputError("queries, corpora: name a folder by language for each, such as {en: set}")
    queries, corpora = (
        {language: require_folder(folder, form=SET_FORM) for language, folder in folders.items()}
        for folders in (queries, corpora)
    )
    folders = dict.fromkeys([*queries.values(), *corpora.values()])
    rows = [
        row
        for folder in folders
        if (folder / "qrels").is_dir()
        for row in judgement_rows(folder, split=split)
    ]
    if not rows:
        raise InputError(f"{next(iter(folders))}: no folder of the set has qrels; {QRELS_FORM}")
    asked = [
        query
        for language, folder in queries.items()
        for query in beir_queries(folder, language=language, prefix=f"{language}:")
    ]
    passages = [
        (*passage, language)
        for language, folder in corpora.items()
        for passage in beir_passages(folder, prefix=f"{language}:")
    ]
    ids, texts, languages = zip(*passages, strict=True)
    return judged_set(
        name=name,
        queries=asked,
        passages=Passages(ids=ids, texts=texts, languages=languages),
        judgements=[_judgement(row, tuple(queries), tuple(corpora)) for row in rows],
    )


def _judgement(row: Row, asked: tuple[str, ...], searched: tuple[str, ...]) -> Judgement:
    query, passage = row.identifier("query-id"), row.identifier("corpus-id")
    return Judgement(
        queries=tuple(f"{language}:{query}" for language in asked),
        passages=tuple(f"{language}:{passage}" for language in searched),
        grade=row.grade("score"),
        place=row.place,
    )
