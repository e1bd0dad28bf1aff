import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.sources.neuclir import read_neuclir
from lingmix.errors import InputError
from lingmix.evaluation.scores import score
from tests.data.sources.published import gzipped, judged, md5, served
from tests.evaluation.made import MatrixScorer


def text(lang: str, source: str, title: str) -> dict[str, str]:
    return {
        "lang": lang,
        "source": source,
        "topic_title": title,
        "topic_description": f"{title}?",
        "topic_narrative": f"{title}!",
    }


def topic(number: int, *texts: dict[str, str]) -> dict[str, Any]:
    return {"topic_id": str(number), "languages_with_qrels": ["zho"], "topics": list(texts)}


TOPICS = [
    topic(
        1,
        text("eng", "original", "Iranian filmmaker"),
        text("fas", "human translation", "فیلمساز"),
        text("fas", "20220114-scale21-sockeye2-tm1", "machine"),
        text("zho", "human translation", "伊朗导演"),
    ),
    topic(2, text("eng", "original", "Unjudged")),
    topic(3, text("eng", "original", "Rivers")),
]
QRELS = "1 zho z1 3\n1 zho z2 0\n1 fas f1 1\n3 fas f1 0\n"
CORPORA = {
    "fa": [{"id": "f1", "cc_file": "c", "time": "t", "title": "عنوان", "text": "متن", "url": "u"}],
    "zh": [
        {"id": "z1", "cc_file": "c", "time": None, "title": None, "text": "电影", "url": "u"},
        {"id": "z2", "cc_file": "c", "time": "t", "title": "标题", "text": "", "url": "u"},
    ],
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "topics.jsonl").write_text("\n".join(map(json.dumps, TOPICS)))
    (folder / "2022-qrels.all").write_text(QRELS)
    for language, rows in CORPORA.items():
        (folder / f"{language}.jsonl.gz").write_bytes(gzipped(*rows))
    with served(folder) as url:
        yield folder, url


def read(tmp_path: Path, site: tuple[Path, str], qrels: str = "2022-qrels.all") -> EvaluationSet:
    folder, url = site

    def address(file: str) -> dict[str, str]:
        return {"url": f"{url}/{file}", "checksum": md5(folder / file)}

    return read_neuclir(
        name="neuclir",
        topics=address("topics.jsonl"),
        judgements=address(qrels),
        corpora={language: address(f"{language}.jsonl.gz") for language in CORPORA},
        query_languages=["en", "fa", "ru", "zh"],
        query_fields=["topic_title", "topic_description"],
        download_dir=tmp_path / "downloads",
    )


def expected() -> set[tuple[str, str, int]]:
    return {
        (f"{language}:1", passage, grade)
        for language in ("en", "fa", "zh")
        for passage, grade in (("zh:z1", 3), ("zh:z2", 0), ("fa:f1", 1))
    } | {("en:3", "fa:f1", 0)}


def test_a_topic_is_asked_in_english_and_as_people_translated_it(
    tmp_path: Path, site: tuple[Path, str]
) -> None:
    one = read(tmp_path, site)
    assert dict(zip(one.query_ids, one.queries, strict=True)) == {
        "en:1": "Iranian filmmaker Iranian filmmaker?",
        "fa:1": "فیلمساز فیلمساز?",
        "zh:1": "伊朗导演 伊朗导演?",
        "en:3": "Rivers Rivers?",
    }
    assert one.query_languages == ("en", "fa", "zh", "en")
    assert tuple(one.passage_ids) == ("fa:f1", "zh:z1", "zh:z2")
    assert tuple(one.passages) == ("عنوان متن", "电影", "标题")
    assert tuple(one.passage_languages) == ("fa", "zh", "zh")
    assert judged(one) == expected()


def test_the_pooled_mean_is_over_topics_judged_in_all_languages(
    tmp_path: Path, site: tuple[Path, str]
) -> None:
    """Topic 3 is judged in Persian alone: 0 there, for want of a relevant passage, and no part of
    the pooled mean. Topic 1 is judged in both, of which it finds f1 at rank 1 and z1 at rank 3."""
    one = read(tmp_path, site)
    scores_QP = np.tile(np.array([3, 1, 2], dtype=np.float32), (4, 1))
    scored = score(one, MatrixScorer(scores_QP), depth=None, temperature=None, seed=0)
    assert scored.metrics["multilingual/map"] == pytest.approx((1 + 2 / 3) / 2)
    assert scored.counts["multilingual/ranked"] == 3
    assert scored.counts["multilingual/skipped"] == 1
    assert scored.metrics["pair/en-fa/map"] == 1 / 2
    assert scored.metrics["pair/en-zh/map"] == 1 / 2
    persian = one.within(["en", "fa"])
    scored = score(persian, MatrixScorer(scores_QP[:, :1]), depth=None, temperature=None, seed=0)
    assert scored.counts["multilingual/ranked"] == len(persian.query_ids) == 3


def test_judgements_of_2023_lie_in_an_archive_by_language(
    tmp_path: Path, site: tuple[Path, str]
) -> None:
    with tarfile.open(site[0] / "qrels.tar.gz", "w:gz") as archive:
        for code in ("fas", "zho"):
            lines = [line for line in QRELS.splitlines(keepends=True) if f" {code} " in line]
            content = "".join(lines).replace(f" {code} ", " 0 ").encode()
            member = tarfile.TarInfo(f"qrels.final.gains.{code}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    assert judged(read(tmp_path, site, "qrels.tar.gz")) == expected()


def test_an_archive_without_a_language_is_refused(tmp_path: Path, site: tuple[Path, str]) -> None:
    with tarfile.open(site[0] / "qrels.tar.gz", "w:gz"):
        pass
    with pytest.raises(InputError, match=r"qrels.tar.gz: qrels.final.gains.fas cannot be read"):
        read(tmp_path, site, "qrels.tar.gz")
    (site[0] / "cut.tar.gz").write_bytes((site[0] / "qrels.tar.gz").read_bytes()[:20])
    with pytest.raises(InputError, match=r"cut.tar.gz: qrels.final.gains.fas cannot be read"):
        read(tmp_path, site, "cut.tar.gz")


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("2022-qrels.all", b"1 zho z9 3\n", r"all:1: passage 'zh:z9' is judged, but no passage"),
        ("2022-qrels.all", b"9 zho z1 3\n", r"all:1: query 'en:9' is judged, but no query"),
        ("topics.jsonl", b'{"topic_id": "1"}', r":1: field 'topics' must be a list"),
        (
            "topics.jsonl",
            b'{"topic_id": "1", "topics": [{"lang": "eng", "source": "original"}]}',
            r":1: field 'topic_title' is missing",
        ),
        ("zh.jsonl.gz", gzipped(*CORPORA["zh"])[:-12], r"zh.jsonl.gz: cannot be read past line"),
        ("zh.jsonl.gz", gzipped({"id": "z1"}), r"zh.jsonl.gz:1: field 'text' is missing"),
    ],
)
def test_bad_input_is_named_by_file_and_line(
    tmp_path: Path, site: tuple[Path, str], file: str, content: bytes, told: str
) -> None:
    (site[0] / file).write_bytes(content)
    with pytest.raises(InputError, match=told) as caught:
        read(tmp_path, site)
    assert "\n" not in str(caught.value)
