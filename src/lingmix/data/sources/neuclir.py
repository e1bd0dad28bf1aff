"""NeuCLIR of TREC: English topics and their human translations on Persian, Russian and Chinese
news.
"""

import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from shutil import copyfileobj
from typing import Any

from lingmix.atomic import atomic_file
from lingmix.data.archive import refuse_endless
from lingmix.data.download import fetch
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.files import Row, read_rows
from lingmix.data.sources.judgements import Judgement, Query, judged_set
from lingmix.data.sources.stored_corpus import Rows, stored_passages, titled_text
from lingmix.data.sources.trec_files import read_judgements
from lingmix.errors import InputError

TOPICS_FORM = "NeuCLIR topics, rows of topic_id and topics with lang, source and topic_title"
CORPUS_FORM = "a NeuCLIR corpus, rows of id, title, text"
CODES = {"en": "eng", "fa": "fas", "ru": "rus", "zh": "zho"}

Address = Mapping[str, str]
"""The `url` and the `checksum` of a file."""


def read_neuclir(
    *,
    name: str,
    topics: Address,
    judgements: Address,
    corpora: Mapping[str, Address],
    query_languages: Sequence[str],
    query_fields: Sequence[str],
    download_dir: str | Path,
) -> EvaluationSet:
    """Reads the English topics and their human translations, to be ranked on every corpus.

    The language of a judgement is in its second column (2022), or in the name of its file in an
    archive (2023). In 2022 not every topic is judged in every language: the multilingual mean is
    over those that are, since elsewhere nobody looked for relevant passages. In 2023 all are, and
    the judgements of the track's multilingual task are those of its three languages together.
    """
    folder = Path(download_dir) / "neuclir"
    passages = stored_passages(
        {
            folder / f"{address['url'].rpartition('/')[2]}.arrow": (
                language,
                partial(_corpus, address, folder, language),
            )
            for language, address in corpora.items()
        }
    )
    evaluation_set = judged_set(
        name=name,
        queries=list(_queries(_fetched(topics, folder), query_languages, query_fields)),
        passages=passages,
        judgements=list(_judgements(_fetched(judgements, folder), query_languages, corpora)),
    )
    return replace(evaluation_set, pooled_if_judged_everywhere=True)


def _fetched(address: Address, folder: Path) -> Path:
    url = address["url"]
    return fetch(url, path=folder / url.rpartition("/")[2], checksum=address["checksum"])


def _queries(path: Path, languages: Sequence[str], fields: Sequence[str]) -> Iterator[Query]:
    for row in read_rows(path=path, fields=("topic_id", "topics"), form=TOPICS_FORM):
        texts: Any = row.values.get("topics")
        if not (isinstance(texts, list) and all(isinstance(text, dict) for text in texts)):
            raise InputError(f"{row.place}: field 'topics' must be a list; expected {TOPICS_FORM}")
        for language in languages:
            wanted = (CODES[language], "original" if language == "en" else "human translation")
            for text in texts:
                if (text.get("lang"), text.get("source")) == wanted:
                    one = Row(row.place, text)
                    question = " ".join(one.text(field).strip() for field in fields)
                    yield Query(f"{language}:{row.identifier('topic_id')}", question, language)


def _judgements(
    path: Path, query_languages: Sequence[str], languages: Iterable[str]
) -> Iterator[Judgement]:
    """Yields each judgement once, of the topic in all of its languages."""
    for language in languages:
        for row in _judged_in(path, CODES[language]):
            yield Judgement(
                queries=tuple(f"{asked}:{row.identifier('query')}" for asked in query_languages),
                passages=(f"{language}:{row.identifier('passage')}",),
                grade=row.grade("grade"),
                place=row.place,
            )


def _judged_in(path: Path, code: str) -> Iterator[Row]:
    if path.suffix == ".gz":
        yield from read_judgements(_extracted(path, f"qrels.final.gains.{code}"))
        return
    for row in read_judgements(path):
        if row.values["iteration"] == code:
            yield row


def _extracted(archive: Path, member: str) -> Path:
    path = archive.with_name(member)
    try:
        with tarfile.open(archive) as files:
            refuse_endless(archive, files.getmember(member).size)
            source = files.extractfile(member)
            assert source is not None, "a directory"
            with atomic_file(path) as file:
                copyfileobj(source, file)
    except (tarfile.TarError, KeyError, EOFError, OSError, zlib.error) as error:
        raise InputError(f"{archive}: {member} cannot be read from it: {error}") from error
    return path


def _corpus(address: Address, folder: Path, language: str) -> Rows:
    path = _fetched(address, folder)
    for row in read_rows(path=path, fields=("id", "title", "text"), form=CORPUS_FORM):
        yield f"{language}:{row.identifier('id')}", titled_text(row)
