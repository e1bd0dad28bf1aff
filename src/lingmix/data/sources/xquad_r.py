"""XQuAD-R as its authors publish it: SQuAD form with `sentences` and `sentence_breaks`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lingmix.data.download import fetch
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.languages import published_languages
from lingmix.data.sources.squad import File, Sentence, sentence_set
from lingmix.data.text_lines import lines, require_file

FORM = "XQuAD-R in one language, SQuAD form with sentences and sentence_breaks"


def fetch_xquad_r(
    *,
    name: str,
    folder: str | Path,
    url: str,
    checksums: Mapping[str, str],
    download_dir: str | Path,
    languages: Sequence[str],
    articles: Sequence[int] | None,
    within: Sequence[str] | None = None,
) -> EvaluationSet:
    """Reads `{language}.json` in `folder` if it exists; otherwise fetches them from `url`."""
    folder = Path(folder).expanduser()
    there = folder.is_dir()
    published = sorted(path.stem for path in folder.glob("*.json")) if there else checksums
    languages = published_languages(languages, of="XQuAD-R", published=published, within=within)
    if not there:
        folder = Path(download_dir) / "xquad-r"
        for language, checksum in checksums.items():
            if language in languages:
                file = f"{language}.json"
                fetch(f"{url}/{file}", path=folder / file, checksum=checksum)
    return read_xquad_r(name=name, folder=folder, languages=languages, articles=articles)


def read_xquad_r(
    *, name: str, folder: str | Path, languages: Sequence[str], articles: Sequence[int] | None
) -> EvaluationSet:
    """Reads `{language}.json`. With `articles`, positions in the files, only their questions are
    queries; the corpus stays whole.
    """
    return sentence_set(
        name=name,
        files={language: _file(Path(folder) / f"{language}.json") for language in languages},
        split=_published_sentences,
        form=FORM,
        articles=articles,
    )


def _file(path: Path) -> File:
    path = require_file(path, form=FORM)
    return File(str(path), "\n".join(line for _, line in lines(path, form=FORM)))


def _published_sentences(paragraph: Any, _: str) -> list[Sentence]:
    return [
        Sentence(text.strip(), begin, end)
        for text, (begin, end) in zip(
            paragraph["sentences"], paragraph["sentence_breaks"], strict=True
        )
    ]
