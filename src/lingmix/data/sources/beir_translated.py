"""One set in BEIR form in several languages: queries, corpora or both translated, ids kept."""

from collections.abc import Mapping
from pathlib import Path

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.sources.beir import QRELS_FORM, beir_judgements, beir_passages, beir_queries
from lingmix.data.sources.judgements import Judgement, Passages, Query, judged_set
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
    """Reads folders in BEIR form, given by language; passage `p` in language `l` gets the id `l:p`.

    Judgements may be in one folder or in several, and count for all translations of their query and
    of their passage.
    """
    if not (queries and corpora):
        raise InputError("queries, corpora: name a folder by language for each, such as {en: set}")
    queries, corpora = (
        {language: require_folder(folder, form=SET_FORM) for language, folder in folders.items()}
        for folders in (queries, corpora)
    )
    judgements = _judgements(queries, corpora, split=split)
    key = f"evaluation.{name}"
    passages = [
        (f"{language}:{id}", one.text, language)
        for language, folder in corpora.items()
        for id, one in beir_passages(folder, language=language, key=key).items()
    ]
    ids, texts, languages = zip(*passages, strict=True)
    return judged_set(
        name=name,
        queries=[
            Query(f"{language}:{id}", one.text, language)
            for language, folder in queries.items()
            for id, one in beir_queries(folder, language=language, key=key).items()
        ],
        passages=Passages(ids=ids, texts=texts, languages=languages),
        judgements=judgements,
    )


def _judgements(
    queries: Mapping[str, Path], corpora: Mapping[str, Path], *, split: str
) -> list[Judgement]:
    judgements = [
        judgement
        for folder in dict.fromkeys([*queries.values(), *corpora.values()])
        if (folder / "qrels").is_dir()
        for judgement in beir_judgements(
            folder, split=split, asked=_prefixes(queries), searched=_prefixes(corpora)
        )
    ]
    if not judgements:
        first = next(iter(queries.values()))
        raise InputError(f"{first}: no folder of the set has qrels; {QRELS_FORM}")
    return judgements


def _prefixes(folders: Mapping[str, Path]) -> list[str]:
    return [f"{language}:" for language in folders]
