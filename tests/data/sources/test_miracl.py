from pathlib import Path

import pytest

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.sources.miracl import FILES, read_miracl
from lingmix.errors import InputError
from tests.data.sources.published import gzipped, hub_put, judged

REVISION, CORPUS_REVISION = "a" * 40, "c" * 40
TOPICS = {
    "sw": "0\tNani alibuni simu?\n7#0\tMto upi mrefu?\n",
    "yo": "0\tTa ni Aṣòfin?\n5\tKí ni?\n",
}
QRELS = {
    "sw": "0\tQ0\t39#0\t1\n0\tQ0\t39#1\t0\n7#0\tQ0\t40#0\t1\n",
    "yo": "0\tQ0\t39#0\t1\n",
}
CORPORA = {
    "sw": [
        {"docid": "38#0", "title": "", "text": "Hakuna aliyeuliza."},
        {"docid": "39#0", "title": "Simu", "text": "Bell alibuni simu."},
        {"docid": "39#1", "title": "Simu", "text": "Simu ni chombo."},
        {"docid": "40#0", "title": "Nile", "text": "Nile ni mrefu."},
    ],
    "yo": [{"docid": "39#0", "title": "Òfin", "text": "Aṣòfin ni."}],
}


def put(hub: Path, language: str, **changes) -> None:
    stem = f"miracl-v1.0-{language}"
    topics, qrels = changes.get("topics", TOPICS[language]), changes.get("qrels", QRELS[language])
    corpus = changes.get("corpus", gzipped(*CORPORA[language]))
    folder = f"miracl-corpus-v1.0-{language}"
    hub_put(hub, "miracl/miracl", REVISION, f"{stem}/topics/topics.{stem}-dev.tsv", topics)
    hub_put(hub, "miracl/miracl", REVISION, f"{stem}/qrels/qrels.{stem}-dev.tsv", qrels)
    hub_put(hub, "miracl/miracl-corpus", CORPUS_REVISION, f"{folder}/docs-0.jsonl.gz", corpus)


def read(tmp_path: Path, *languages: str, judged_only: bool = False) -> EvaluationSet:
    return read_miracl(
        name="miracl",
        languages=languages,
        split="dev",
        revision=REVISION,
        corpus_revision=CORPUS_REVISION,
        judged_only=judged_only,
        download_dir=tmp_path / "downloads",
    )


def test_queries_are_judged_on_passages_of_their_own_language(hub: Path, tmp_path: Path) -> None:
    put(hub, "sw")
    put(hub, "yo")
    one = read(tmp_path, "sw", "yo")
    assert one.query_ids == ("sw:0", "sw:7#0", "yo:0")
    assert one.queries[2] == "Ta ni Aṣòfin?"
    assert one.query_languages == ("sw", "sw", "yo")
    assert tuple(one.passage_ids) == ("sw:38#0", "sw:39#0", "sw:39#1", "sw:40#0", "yo:39#0")
    assert one.passages[:2] == ("Hakuna aliyeuliza.", "Simu Bell alibuni simu.")
    assert tuple(one.passage_languages) == ("sw",) * 4 + ("yo",)
    assert judged(one) == {
        ("sw:0", "sw:39#0", 1),
        ("sw:0", "sw:39#1", 0),
        ("sw:7#0", "sw:40#0", 1),
        ("yo:0", "yo:39#0", 1),
    }


def test_the_judged_passages_alone_keep_their_judgements(hub: Path, tmp_path: Path) -> None:
    put(hub, "sw")
    whole, hard = read(tmp_path, "sw"), read(tmp_path, "sw", judged_only=True)
    assert hard.passage_ids == ("sw:39#0", "sw:39#1", "sw:40#0")
    assert hard.passages[2] == "Nile Nile ni mrefu."
    assert hard.passage_languages == ("sw",) * 3
    assert judged(hard) == judged(whole)


def test_a_corpus_of_several_files_is_read_in_their_order(hub: Path, tmp_path: Path) -> None:
    put(hub, "sw")
    assert FILES["te"] == 2
    for name, text in (("topics", "0\tఏది?\n"), ("qrels", "0 Q0 2#0 1\n")):
        file = f"miracl-v1.0-te/{name}/{name}.miracl-v1.0-te-dev.tsv"
        hub_put(hub, "miracl/miracl", REVISION, file, text)
    for number in range(2):
        row = {"docid": f"{number + 1}#0", "title": "", "text": f"{number}"}
        file = f"miracl-corpus-v1.0-te/docs-{number}.jsonl.gz"
        hub_put(hub, "miracl/miracl-corpus", CORPUS_REVISION, file, gzipped(row))
    one = read(tmp_path, "te")
    assert tuple(one.passage_ids) == ("te:1#0", "te:2#0")
    assert judged(one) == {("te:0", "te:2#0", 1)}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"qrels": "0\tQ0\t99#0\t1\n"}, r"-dev.tsv:1: passage 'sw:99#0' is judged, but no passage"),
        ({"qrels": "8\tQ0\t39#0\t1\n"}, r"-dev.tsv:1: query 'sw:8' is judged, but no query"),
        ({"qrels": "0\tQ0\t39#0\n"}, r"-dev.tsv:1: 3 fields \('0.tQ0.t39#0'\); expected TREC judg"),
        ({"qrels": "0\tQ0\t39#0\tyes\n"}, r":1: field 'grade' must be a whole number, got 'yes'"),
        ({"qrels": "0\tQ0\t39#0\t1\n0\tQ0\t39#0\t0\n"}, r":2: grade 0 .* an earlier row grades 1"),
        ({"qrels": ""}, r"-dev.tsv: it is empty; expected TREC judgements"),
        ({"topics": "0 Nani?\n"}, r"-dev.tsv:1: 1 fields \('0 Nani\?'\); expected queries"),
        ({"topics": "0\t \n"}, r":1: field 'text' must be a non-empty text"),
        ({"corpus": gzipped({"docid": "39#0", "title": ""})}, r"gz:1: field 'text' is missing"),
        ({"corpus": gzipped(*CORPORA["sw"] * 2)}, r"sw.arrow: passage id 'sw:38#0' occurs twice"),
        ({"corpus": gzipped(*CORPORA["sw"])[:-20]}, r"docs-0.jsonl.gz: cannot be read past line"),
    ],
)
def test_bad_input_is_named_in_one_line(
    hub: Path, tmp_path: Path, changes: dict[str, str | bytes], told: str
) -> None:
    put(hub, "sw", **changes)
    with pytest.raises(InputError, match=told) as caught:
        read(tmp_path, "sw")
    assert "\n" not in str(caught.value)


def test_a_language_that_the_set_lacks_is_refused(hub: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^languages: MIRACL has no el; it has ar, bn, de,"):
        read(tmp_path, "sw", "el")


def test_a_file_that_cannot_be_had_is_told_with_its_repository(hub: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"topics.miracl-v1.0-sw-dev.tsv of .* miracl/miracl at a"):
        read(tmp_path, "sw")
