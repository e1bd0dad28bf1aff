"""SQuAD and its translations for training: questions are queries, the paragraph they are about is
their passage."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from lingmix.data.download import fetch
from lingmix.data.items import Item
from lingmix.data.sources.squad import paragraphs, squad_form
from lingmix.data.text_lines import lines

FORM = "SQuAD form, articles with paragraphs of context and qas"


class _Paragraph(NamedTuple):
    context: str
    questions: dict[str, str]
    """By id, which their translations share."""


def read_squad(
    *, files: Mapping[str, Mapping[str, str]], download_dir: str | Path
) -> Iterator[Item]:
    """Makes an item of each paragraph in all languages, with the questions that it answers. `files`
    are by language, each with its `url` and `checksum`. Paragraphs that share the `id` of a
    question are translations."""
    queries: dict[str, dict[str, tuple[str, ...]]] = {}
    passages: dict[str, dict[str, tuple[str, ...]]] = {}
    paragraph_of: dict[str, str] = {}
    for language, file in files.items():
        name = Path(download_dir) / "squad" / file["url"].rpartition("/")[2]
        path = fetch(file["url"], path=name, checksum=file["checksum"])
        for context, questions in _paragraphs(path):
            first = next(iter(questions))
            key = next((paragraph_of[id] for id in questions if id in paragraph_of), first)
            paragraph_of |= dict.fromkeys(questions, key)
            asked, given = queries.setdefault(key, {}), passages.setdefault(key, {})
            asked[language] = (*asked.get(language, ()), *questions.values())
            given[language] = tuple(dict.fromkeys([*given.get(language, ()), context]))
    for key, asked in queries.items():
        yield Item(f"squad:{key}", "wikipedia", asked, passages[key])


def _paragraphs(path: Path) -> Iterator[_Paragraph]:
    """Those that answer a question."""
    content = "\n".join(line for _, line in lines(path, form=FORM))
    with squad_form(str(path), FORM):
        for _, _, paragraph in paragraphs(content):
            context, questions = paragraph["context"].strip(), {}
            for qa in paragraph["qas"]:
                if qa["question"].strip() and not qa.get("is_impossible"):
                    questions[qa["id"]] = qa["question"].strip()
            if context and questions:
                yield _Paragraph(context, questions)
