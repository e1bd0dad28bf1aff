"""MLQA-R, rebuilt from the dev files of MLQA (Lewis et al., ACL 2020)."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from lingmix.data.archive import read_member
from lingmix.data.download import fetch
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.languages import published_languages
from lingmix.data.sources.squad import File, sentence_set, sentences_of_context

FORM = "MLQA in one language, SQuAD form"
PUBLISHED = {
    "ar": (517, 2545),
    "de": (512, 2362),
    "en": (1148, 6264),
    "es": (500, 1787),
    "hi": (507, 2426),
    "vi": (511, 2828),
    "zh": (504, 2322),
}
"""How many queries and passages each language has, as MLQA-R's authors count them."""

log = logging.getLogger(__name__)


def read_mlqa_r(
    *,
    name: str,
    url: str,
    checksum: str | None,
    download_dir: str | Path,
    languages: Sequence[str],
    within: Sequence[str] | None = None,
) -> EvaluationSet:
    """Fetches MLQA and splits it into sentences by `sentences.sentences`, for the authors' splitter
    is not public; logs both numbers of passages where they differ.
    """
    languages = published_languages(languages, of="MLQA", published=PUBLISHED, within=within)
    path = Path(download_dir) / "mlqa" / PurePosixPath(url).name
    archive = fetch(url, path=path, checksum=checksum)
    rebuilt = sentence_set(
        name=name,
        files={language: _file(archive, language) for language in languages},
        split=sentences_of_context,
        form=FORM,
        articles=None,
    )
    _compare(rebuilt, languages)
    return rebuilt


def _file(archive: Path, language: str) -> File:
    member = f"MLQA_V1/dev/dev-context-{language}-question-{language}.json"
    return File(f"{archive}: {member}", read_member(archive, member))


def _compare(rebuilt: EvaluationSet, languages: Sequence[str]) -> None:
    queries, passages = Counter(rebuilt.query_languages), Counter(rebuilt.passage_languages)
    for language in languages:
        published, got = PUBLISHED[language], (queries[language], passages[language])
        if got != published:
            log.warning(
                "%s: %s has %d queries and %d passages, MLQA-R's authors count %d and %d",
                rebuilt.name,
                language,
                *got,
                *published,
            )
