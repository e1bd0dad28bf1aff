import json
import logging
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.sources.mlqa_r import PUBLISHED, read_mlqa_r
from lingmix.errors import InputError
from tests.data.sources.published import judged, md5, served

RIVERS = "The Rhine is long. It ends in the sea.  Bonn lies on it."
FLUESSE = "Der Rhein ist lang. Er endet am 3. Ufer."
RIO = "El Rin es largo."


def asked(key: str, question: str, context: str, answer: str) -> dict[str, Any]:
    answers = [{"text": answer, "answer_start": context.index(answer)}]
    return {"id": key, "question": question, "answers": answers}


ARTICLES: dict[str, list[dict[str, Any]]] = {
    "en": [
        {
            "context": RIVERS,
            "qas": [
                asked("1a", "Where does it end?", RIVERS, "the sea"),
                asked("2b", "What is long?", RIVERS, "The Rhine"),
            ],
        },
        {"context": "Berlin is a city.", "qas": []},
    ],
    "de": [{"context": FLUESSE, "qas": [asked("1a", "Wo endet er?", FLUESSE, "3. Ufer")]}],
    "es": [{"context": RIO, "qas": [asked("2b", "¿Qué es largo?", RIO, "El Rin")]}],
}


def publish(folder: Path, **changed: bytes) -> Path:
    """MLQA_V1.zip with its dev files."""
    with ZipFile(folder / "MLQA_V1.zip", "w") as members:
        for language, paragraphs in ARTICLES.items():
            file = {"version": 1.0, "data": [{"title": "Rhine", "paragraphs": paragraphs}]}
            content = changed.get(language, json.dumps(file).encode())
            members.writestr(
                f"MLQA_V1/dev/dev-context-{language}-question-{language}.json", content
            )
    return folder / "MLQA_V1.zip"


def read(archive: Path, *languages: str, checksum: str | None = None) -> EvaluationSet:
    with served(archive.parent) as url:
        return read_mlqa_r(
            name="mlqa_r",
            url=f"{url}/MLQA_V1.zip",
            checksum=checksum or md5(archive),
            download_dir=archive.parent / "downloads",
            languages=languages,
        )


def test_sentences_of_each_language_are_judged_by_where_the_answer_begins(tmp_path: Path) -> None:
    one = read(publish(tmp_path), "en", "de", "es")
    assert one.passages == (
        "The Rhine is long.",
        "It ends in the sea.",
        "Bonn lies on it.",
        "Berlin is a city.",
        "Der Rhein ist lang.",
        "Er endet am 3. Ufer.",
        "El Rin es largo.",
    )
    assert one.query_ids == ("en:1a", "en:2b", "de:1a", "es:2b")
    assert one.queries[2] == "Wo endet er?"
    end, long = {"en:a00p0s1", "de:a00p0s1"}, {"en:a00p0s0", "es:a00p0s0"}
    assert judged(one) == {
        (query, passage, 1)
        for queries, passages in ((("en:1a", "de:1a"), end), (("en:2b", "es:2b"), long))
        for query in queries
        for passage in passages
    }


def test_counts_that_are_not_the_published_ones_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PUBLISHED, "de", (1, 2))
    with caplog.at_level(logging.WARNING, logger="lingmix"):
        read(publish(tmp_path), "en", "de")
    assert caplog.messages == [
        "mlqa_r: en has 2 queries and 4 passages, MLQA-R's authors count 1148 and 6264"
    ]


def test_an_archive_put_by_hand_is_read_offline(tmp_path: Path) -> None:
    archive = publish(tmp_path)
    (tmp_path / "downloads/mlqa").mkdir(parents=True)
    archive.rename(tmp_path / "downloads/mlqa/MLQA_V1.zip")
    one = read_mlqa_r(
        name="mlqa_r",
        url="http://127.0.0.1:1/MLQA_V1.zip",
        checksum=None,
        download_dir=tmp_path / "downloads",
        languages=["es"],
    )
    assert one.passages == (RIO,)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"[1]", "TypeError"), (b"{", "JSONDecodeError"), (b'{"data": [{}]}', "KeyError")],
)
def test_another_form_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(InputError, match=rf"-question-es.json: expected MLQA .*{told}") as caught:
        read(publish(tmp_path, es=content), "en", "es")
    assert "\n" not in str(caught.value)


def test_languages_and_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    archive = publish(tmp_path)
    with pytest.raises(InputError, match=r"^languages: MLQA has no fr; it has ar, de, en, es, hi"):
        read(archive, "en", "fr")
    with pytest.raises(InputError, match=r"MLQA_V1.zip: it has no member 'MLQA_V1/dev/.*-zh.json'"):
        read(archive, "zh")


def test_an_archive_of_another_checksum_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"MLQA_V1.zip: the file has md5:.*, expected md5:000"):
        read(publish(tmp_path), "en", checksum="md5:" + "0" * 32)


def test_a_truncated_archive_put_by_hand_is_refused(tmp_path: Path) -> None:
    archive = publish(tmp_path)
    (tmp_path / "downloads/mlqa").mkdir(parents=True)
    (tmp_path / "downloads/mlqa/MLQA_V1.zip").write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"MLQA_V1.zip: the file has .* not whole"):
        read(archive, "en")
