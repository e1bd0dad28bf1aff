"""mMARCO as its authors publish it: MS MARCO's passages and small dev queries, translated."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lingmix.data.download import hub_file
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.languages import published_languages
from lingmix.data.sources.judgements import Judgement, Query, judged_set
from lingmix.data.sources.stored_corpus import Rows, stored_passages
from lingmix.data.sources.trec_files import read_columns, read_judgements, read_topics

REPO = "unicamp-dl/mmarco"
CORPUS_FORM = "an mMARCO collection, a line each: id, tab, text"
NAMES = {
    "ar": "arabic", "de": "german", "en": "english", "es": "spanish", "fr": "french",
    "hi": "hindi", "id": "indonesian", "it": "italian", "ja": "japanese", "nl": "dutch",
    "pt": "portuguese", "ru": "russian", "vi": "vietnamese", "zh": "chinese",
}  # fmt: skip


def read_mmarco(
    *,
    name: str,
    languages: Sequence[str],
    revision: str,
    download_dir: str | Path,
    within: Sequence[str] | None = None,
) -> EvaluationSet:
    """Reads the queries and corpora of all languages; ids are those of the English original."""
    languages = published_languages(languages, of="mMARCO", published=NAMES, within=within)
    file = partial(hub_file, repo=REPO, revision=revision)
    queries = [
        Query(f"{language}:{row.identifier('id')}", row.text("text"), language)
        for language in languages
        for row in read_topics(
            file(f"data/google/queries/dev/{NAMES[language]}_queries.dev.small.tsv")
        )
    ]
    judgements = [
        Judgement(
            queries=tuple(f"{language}:{row.identifier('query')}" for language in languages),
            passages=tuple(f"{language}:{row.identifier('passage')}" for language in languages),
            grade=row.grade("grade"),
            place=row.place,
        )
        for row in read_judgements(file("data/qrels.dev.small.tsv"))
    ]
    folder = Path(download_dir) / "mmarco" / revision
    passages = stored_passages(
        {
            folder / f"{language}.arrow": (language, partial(_corpus, language, revision))
            for language in languages
        }
    )
    return judged_set(name=name, queries=queries, passages=passages, judgements=judgements)


def _corpus(language: str, revision: str) -> Rows:
    path = hub_file(
        f"data/google/collections/{NAMES[language]}_collection.tsv", repo=REPO, revision=revision
    )
    for row in read_columns(path=path, fields=("id", "text"), separator="\t", form=CORPUS_FORM):
        yield f"{language}:{row.identifier('id')}", row.text("text", may_be_empty=True).strip()
