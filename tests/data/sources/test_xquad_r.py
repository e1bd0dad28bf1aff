import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from lingmix.cli.config import CONF, evaluation_sets
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.sources.beir import read_beir
from lingmix.data.sources.xquad_r import fetch_xquad_r, read_xquad_r
from lingmix.errors import InputError
from tests.data.sources.published import served

DATA = Path(__file__).parents[3] / "../shared/data"
LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
real = pytest.mark.skipif(not DATA.is_dir(), reason="the multilingual data are not beside this")


def paragraph(sentences: list[str], asked: dict[str, int]) -> dict[str, object]:
    """Sentences a blank apart; `asked` says where the answer to a question begins."""
    ends = np.cumsum([len(sentence) + 1 for sentence in sentences]) - 1
    return {
        "context": " ".join(sentences),
        "sentences": sentences,
        "sentence_breaks": [
            [int(end) - len(s), int(end)] for s, end in zip(sentences, ends, strict=True)
        ],
        "qas": [
            {"id": key, "question": f"{key}?", "answers": [{"answer_start": start, "text": ""}]}
            for key, start in asked.items()
        ],
    }


def write(folder: Path, **articles: list[dict[str, object]]) -> Path:
    for language, paragraphs in articles.items():
        data = [{"title": "", "paragraphs": [one]} for one in paragraphs]
        (folder / f"{language}.json").write_text(json.dumps({"data": data}))
    return folder


def relevant(one: EvaluationSet) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {query: set() for query in one.query_ids}
    for query, passage in zip(one.query_J, one.passage_J, strict=True):
        found[one.query_ids[query]].add(one.passage_ids[passage])
    return found


NAMES = ("first", "last", "next")


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return write(
        tmp_path,
        en=[
            paragraph(["One.", "Two.", "One."], {"first": 0, "last": 10}),
            paragraph(["A."], {"next": 0}),
        ],
        de=[
            paragraph(["Ganz Eins.", "Zwei."], {"first": 9, "last": 11}),
            paragraph(["B."], {"next": 1}),
        ],
    )


def test_relevant_in_each_language_is_the_sentence_the_answer_begins_in(published: Path) -> None:
    one = read_xquad_r(name="x", folder=published, languages=["en", "de"], articles=[0])
    assert one.passages == ("One.", "Two.", "One.", "A.", "Ganz Eins.", "Zwei.", "B.")
    assert one.query_languages == ("en", "en", "de", "de")
    first, last = {"en:a00p0s0", "de:a00p0s0"}, {"en:a00p0s2", "de:a00p0s1"}
    assert relevant(one) == {"en:first": first, "en:last": last, "de:first": first, "de:last": last}


def test_without_articles_every_query_is_asked(published: Path) -> None:
    one = read_xquad_r(name="x", folder=published, languages=["en", "de"], articles=None)
    assert set(relevant(one)) == {f"{lang}:{q}" for lang in ("en", "de") for q in NAMES}
    assert relevant(one)["de:next"] == {"en:a01p0s0", "de:a01p0s0"}


def test_languages_not_asked_for_are_not_relevant(published: Path) -> None:
    one = read_xquad_r(name="x", folder=published, languages=["de"], articles=[0])
    assert relevant(one) == {"de:first": {"de:a00p0s0"}, "de:last": {"de:a00p0s1"}}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"data": [{"paragraphs": [{"sentences": []}]}]}, "KeyError"),
        ({"data": [{"paragraphs": [paragraph(["One."], {"past": 4})]}]}, "past begins in 0 sent"),
        ({"data": [{"paragraphs": [paragraph(["One."], {}) | {"sentences": []}]}]}, "ValueError"),
        ([1], "TypeError"),
    ],
)
def test_another_form_is_refused(tmp_path: Path, content: object, told: str) -> None:
    (tmp_path / "en.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"^{tmp_path}/en.json: expected XQuAD-R .*{told}"):
        read_xquad_r(name="x", folder=tmp_path, languages=["en"], articles=None)


def test_a_missing_language_is_told_with_its_path(published: Path) -> None:
    with pytest.raises(InputError, match=f"^{published}/fr.json: no such file"):
        read_xquad_r(name="x", folder=published, languages=["en", "fr"], articles=None)


def test_articles_that_the_files_lack_are_refused(published: Path) -> None:
    with pytest.raises(InputError, match=r"articles \[48\] are not in its files"):
        read_xquad_r(name="x", folder=published, languages=["en"], articles=[0, 48])


@real
@pytest.mark.parametrize(("split", "queries"), [("test", 13_090), ("dev8", 2_530)])
def test_published_files_equal_the_beir_form(split: str, queries: int) -> None:
    meta = json.loads((DATA / "xquad-r/meta.json").read_text())
    published = read_xquad_r(
        name="xquad_r",
        folder=DATA / "raw/lareqa/xquad-r",
        languages=LANGUAGES,
        articles=meta["dev_articles"] if split == "dev8" else None,
    )
    prepared = read_beir(
        name="xquad_r",
        folder=DATA / "xquad-r",
        split=split,
        language=None,
        other_languages_only=False,
    )
    assert len(published.passages) == 13_014
    assert len(published.queries) == queries
    assert len(published.grade_J) == queries * len(LANGUAGES)
    for field in ("passage_ids", "passages", "passage_languages"):
        assert getattr(published, field) == getattr(prepared, field)
    for field in ("query_ids", "queries", "query_languages"):
        assert getattr(published, field) == getattr(prepared, field)
    assert relevant(published) == relevant(prepared)
    counts = {lang: published.passage_languages.count(lang) for lang in LANGUAGES}
    assert counts == meta["candidates_per_lang"]


def checksums(folder: Path) -> dict[str, str]:
    return {
        path.stem: f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in sorted(folder.glob("*.json"))
    }


def fetched(folder: Path, url: str, sums: dict[str, str], *languages: str) -> EvaluationSet:
    return fetch_xquad_r(
        name="x",
        folder=folder,
        url=f"{url}/xquad-r",
        checksums=sums,
        download_dir=folder.parent / "downloads",
        languages=languages,
        articles=None,
    )


def test_files_that_are_not_there_are_fetched_where_they_are_published(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    (origin / "xquad-r").mkdir(parents=True)
    parts = {"en": [paragraph(["One."], {"q": 0})], "de": [paragraph(["Eins."], {"q": 0})]}
    published = write(origin / "xquad-r", **parts)
    sums = checksums(published)
    with served(origin) as url:
        one = fetched(tmp_path / "none", url, sums, "en", "de")
        with pytest.raises(
            InputError, match=r"en.json: the file has sha256:.*, expected sha256:000"
        ):
            fetched(tmp_path / "new/none", url, {"en": "sha256:" + "0" * 64}, "en")
    here = read_xquad_r(name="x", folder=published, languages=["en", "de"], articles=None)
    assert relevant(one) == relevant(here)
    assert one.passages == here.passages
    assert fetched(published, "http://127.0.0.1:1", {}, "de").passages == ("Eins.",)


def test_a_language_that_is_not_published_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^languages: XQuAD-R has no fr; it has en$"):
        fetched(tmp_path / "none", "http://127.0.0.1:1", {"en": "sha256:" + "0" * 64}, "en", "fr")


def test_a_study_of_fewer_languages_reads_no_other_and_hides_none(tmp_path: Path) -> None:
    """The German file cannot be read; a language that nobody publishes is told all the same."""
    folder = write(tmp_path, en=[paragraph(["One."], {"q": 0})])
    (folder / "de.json").write_text("no JSON")
    node = {
        "_target_": "lingmix.data.sources.xquad_r.fetch_xquad_r",
        "folder": str(folder),
        "url": "http://127.0.0.1:1",
        "checksums": {},
        "download_dir": str(tmp_path / "downloads"),
        "languages": ["en", "de"],
        "articles": None,
    }
    (one,) = evaluation_sets({"x": node}, languages=["en"])
    assert one.passages == ("One.",)
    for languages, told in (
        (["en", "xx"], "languages: XQuAD-R has no xx; it has de, en"),
        (["de"], "languages: XQuAD-R has none of en; it has de"),
    ):
        with pytest.raises(InputError) as caught:
            evaluation_sets({"x": node | {"languages": languages}}, languages=["en"])
        assert str(caught.value) == told


def test_a_name_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "en.json").write_text('{"data": [], "data": []}')
    with pytest.raises(InputError, match=r"en.json: .*it has .*data.* 2 times; keep one of them"):
        read_xquad_r(name="x", folder=tmp_path, languages=["en"], articles=None)


@real
def test_the_yaml_names_the_published_files() -> None:
    node = yaml.safe_load((CONF / "evaluation/xquad_r.yaml").read_text())["xquad_r"]
    assert node["checksums"] == checksums(DATA / "raw/lareqa/xquad-r")
    commit = json.loads((DATA / "xquad-r/meta.json").read_text())["commit"]
    assert node["url"].endswith(f"/google-research-datasets/lareqa/{commit}/xquad-r")
