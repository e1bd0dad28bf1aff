"""SQuADShifts (Miller et al., ICML 2020): English questions on texts of four other kinds."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from lingmix.data.download import fetch
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.files import distinct
from lingmix.data.languages import published_languages
from lingmix.data.sources.squad import File, sentence_set, sentences_of_context
from lingmix.errors import InputError

FORM = "SQuADShifts, SQuAD form"


def fetch_squad_shifts(
    *,
    name: str,
    url: str,
    files: Mapping[str, str | None],
    download_dir: str | Path,
    within: Sequence[str] | None = None,
) -> EvaluationSet:
    """Fetches `files`, each with its checksum, and ranks the sentences of all for the questions of
    all. Sentences are those of `sentences.sentences`."""
    published_languages(["en"], of="SQuADShifts", published=["en"], within=within)
    folder = Path(download_dir) / "squad_shifts"
    articles = []
    for file, checksum in files.items():
        path = fetch(f"{url}/{file}", path=folder / file, checksum=checksum)
        try:
            articles += json.loads(path.read_bytes(), object_pairs_hook=distinct)["data"]
        except (LookupError, TypeError, ValueError) as error:
            raise InputError(f"{path}: expected {FORM}, stopped at {error!r:.100}") from error
    return sentence_set(
        name=name,
        files={"en": File(str(folder), json.dumps({"data": articles}))},
        split=sentences_of_context,
        form=FORM,
        articles=None,
    )
