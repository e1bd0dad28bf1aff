"""Every reader of training and evaluation data on the files that users have: what can be read is
read, all else is one line that names the file, and the line where there is one.
"""

import codecs
import gzip
import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from lingmix.data.sources.beir import read_beir, read_beir_items
from lingmix.data.sources.beir_translated import read_beir_translated
from lingmix.data.sources.item_rows import read_items
from lingmix.data.sources.pair_rows import read_pairs
from lingmix.data.sources.trec_files import read_judgements, read_topics
from lingmix.data.sources.xquad_r import read_xquad_r
from lingmix.data.text_column import mapped
from lingmix.errors import InputError

ITEM = {"id": "1", "domain": "", "queries": {"en": ["Who?"]}, "passages": {"de": ["Grün."]}}
PAIR = {
    "query": "Who?",
    "passage": "Grün.",
    "query_lang": "en",
    "passage_lang": "de",
    "source_id": "1",
}
QUERY = {"_id": "q", "text": "Who?", "lang": "en"}
PASSAGE = {"_id": "p", "text": "Grün.", "lang": "de"}
PARAGRAPH = {
    "context": "Grün.",
    "sentences": ["Grün."],
    "sentence_breaks": [[0, 5]],
    "qas": [{"id": "1", "question": "Who?", "answers": [{"answer_start": 0}]}],
}


class Reader(NamedTuple):
    """`files` are what it reads, by name; the one that is spoilt comes first."""

    files: dict[str, str]
    read: Callable[[Path], Any]


def line(value: object) -> str:
    return f"{json.dumps(value, ensure_ascii=False)}\n"


def beir(folder: Path) -> object:
    return read_beir(
        name="set", folder=folder, split="test", language=None, other_languages_only=False
    )


BEIR = {
    "corpus.jsonl": line(PASSAGE),
    "queries.jsonl": line(QUERY),
    "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq\tp\t1\n",
}


def first(name: str) -> dict[str, str]:
    return {name: BEIR[name], **BEIR}


READERS = {
    "items": Reader({"a.jsonl": line(ITEM)}, lambda at: list(read_items(path=at / "a.jsonl"))),
    "pairs": Reader({"a.jsonl": line(PAIR)}, lambda at: list(read_pairs(path=at / "a.jsonl"))),
    "beir corpus": Reader(first("corpus.jsonl"), beir),
    "beir queries": Reader(first("queries.jsonl"), beir),
    "beir judgements": Reader(first("qrels/test.tsv"), beir),
    "beir items": Reader(
        first("corpus.jsonl"),
        lambda at: read_beir_items(folder=at, split="test", language=None, domain=""),
    ),
    "beir translated": Reader(
        first("queries.jsonl"),
        lambda at: read_beir_translated(
            name="set", queries={"en": at}, corpora={"de": at}, split="test"
        ),
    ),
    "xquad_r": Reader(
        {"en.json": line({"data": [{"paragraphs": [PARAGRAPH]}]})},
        lambda at: read_xquad_r(name="set", folder=at, languages=["en"], articles=None),
    ),
    "topics": Reader({"a.tsv": "q\tWho is Grün?\n"}, lambda at: list(read_topics(at / "a.tsv"))),
    "trec judgements": Reader(
        {"a.txt": "q 0 p 1\n"}, lambda at: list(read_judgements(at / "a.txt"))
    ),
}
JSON_READERS = [name for name in READERS if next(iter(READERS[name].files)).endswith("jsonl")]


def written(folder: Path, reader: Reader) -> Path:
    """The file that is to be spoilt."""
    for name, text in reader.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder / next(iter(reader.files))


def told(act: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def seen(value: object) -> str:
    """What was read, without where it was read."""
    fields = vars(value) if hasattr(value, "query_ids") else value
    return repr(fields)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress,
        zstandard.compress,
        lambda data: codecs.BOM_UTF8 + data,
        lambda data: gzip.compress(codecs.BOM_UTF8 + data),
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: b"\n\n" + data + b"\n \n",
        lambda data: data.rstrip(b"\n"),
    ],
    ids=["gzip", "zstd", "bom", "bom in gzip", "crlf", "blank lines", "no last newline"],
)
def test_a_file_reads_the_same_however_it_was_saved(
    tmp_path: Path, name: str, packed: Callable[[bytes], bytes]
) -> None:
    """By content: no name changes."""
    reader = READERS[name]
    path = written(tmp_path, reader)
    expected = seen(reader.read(tmp_path))
    path.write_bytes(packed(path.read_bytes()))
    shift = str(path) + ":3" if packed(b"x\n").startswith(b"\n") else None
    got = seen(reader.read(tmp_path))
    assert got == (expected.replace(f"{path}:1", shift) if shift else expected)


SPOILT = {
    "not utf-8": (lambda data: data.replace("ü".encode(), b"\xfc").replace(b"q", b"\xfc"), "UTF-8"),
    "utf-16": (lambda data: data.decode().encode("utf-16"), "is UTF-16; convert the file to UTF-8"),
    "big-endian": (lambda data: codecs.BOM_UTF16_BE + data.decode().encode("utf-16-be"), "UTF-16"),
    "nul bytes": (lambda data: data + b"\0" * 512, "holds a NUL byte: it is damaged"),
    "cut gzip": (lambda data: gzip.compress(data)[:-9], "cannot be read past line"),
    "cut zstd": (lambda data: zstandard.compress(data)[:-3], "cannot be read past line"),
    "zip": (lambda data: b"PK\x03\x04" + data, "is a zip archive; expected"),
    "xz": (lambda data: b"\xfd7zXZ\x00" + data, "is packed by xz; expected"),
    "bzip2": (lambda data: b"BZh91AY&SY" + data, "is packed by bzip2; expected"),
    "nothing": (lambda data: b"", "it is empty; expected"),
    "blanks": (lambda data: b"\n \n", "it is empty; expected"),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", SPOILT)
def test_a_file_that_cannot_be_read_is_one_line_that_names_it(
    tmp_path: Path, name: str, kind: str
) -> None:
    spoil, reason = SPOILT[kind]
    reader = READERS[name]
    path = written(tmp_path, reader)
    path.write_bytes(spoil(path.read_bytes()))
    message = told(lambda: reader.read(tmp_path))
    assert message.startswith(str(path))
    assert reason in message


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_is_one_line_that_names_it(tmp_path: Path, name: str) -> None:
    reader = READERS[name]
    path = written(tmp_path, reader)
    path.unlink()
    missing = told(lambda: reader.read(tmp_path))
    assert missing.startswith(str(path.with_suffix("") if "beir" in name else path))
    assert "no such file" in missing
    path.mkdir()
    folder = told(lambda: reader.read(tmp_path))
    assert ("no such file" if "beir" in name else "is a folder, not a file") in folder
    path.rmdir()
    os.mkfifo(path)
    assert "beir" in name or "is a pipe or a device" in told(lambda: reader.read(tmp_path))


@pytest.mark.parametrize("name", JSON_READERS)
@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "its JSON is nested too deeply"),
        ('{"a": ' + "9" * 5_000 + "}", "not JSON that can be read: Exceeds the limit"),
        ('{"a": 1, "a": 2}', "it has 'a' 2 times; keep one of them"),
        ('{"x": {"a": 1, "b": 1, "b": 2, "b": 3}}', "it has 'b' 3 times; keep one of them"),
        ('{"a": "\0"}', "holds a NUL byte"),
        ('{"a": }', "not JSON: Expecting value at 6"),
        ("[1]", "a line must be a JSON object, got [1]"),
        ("\ufeff{}", "not JSON: Unexpected UTF-8 BOM"),
    ],
    ids=["deep", "huge", "twice", "twice within", "nul", "syntax", "list", "bom within"],
)
def test_a_line_that_is_no_json_is_named(
    tmp_path: Path, name: str, spoilt: str, reason: str
) -> None:
    reader = READERS[name]
    path = written(tmp_path, reader)
    path.write_text(path.read_text("utf-8") + spoilt, "utf-8")
    message = told(lambda: reader.read(tmp_path))
    assert message.startswith(f"{path}:2: ")
    assert reason in message


@pytest.mark.parametrize("read", [read_items, read_pairs, read_topics])
@pytest.mark.parametrize("path", [None, 5, "", [], {"a": 1}, "a\0b"])
def test_a_path_that_is_none_is_one_line(read: Callable[..., Any], path: object) -> None:
    argument = {"path": path}
    message = told(lambda: list(read(**argument)))
    assert message.startswith(f"path: must name a file, got {path!r}; expected ")


def test_a_name_that_is_too_long_is_one_line() -> None:
    message = told(lambda: list(read_items(path="a" * 300)))
    assert message == f"{'a' * 300}: cannot be read (File name too long)"


@pytest.mark.parametrize("folder", [None, 5, ""])
def test_a_folder_that_is_none_is_one_line(folder: Any) -> None:
    message = told(lambda: beir(folder))
    assert message.startswith(f"folder: must name a folder, got {folder!r}; expected BEIR")


@pytest.mark.parametrize("read", [beir, READERS["beir translated"].read])
def test_a_folder_that_is_a_file_is_one_line(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    (tmp_path / "set").touch()
    assert told(lambda: read(tmp_path / "set")).startswith(
        f"{tmp_path}/set: is a file, not a folder; expected "
    )


def test_what_the_kernel_does_not_let_read_is_one_line() -> None:
    """Not even root, whom permissions do not stop."""
    message = told(lambda: list(read_items(path="/proc/self/mem")))
    assert message == "/proc/self/mem: cannot be read (Input/output error)"


def test_home_is_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    reader = READERS["items"]
    written(tmp_path, reader)
    assert list(read_items(path="~/a.jsonl")) == list(read_items(path=tmp_path / "a.jsonl"))


def test_a_parquet_file_is_read_for_its_columns_alone(tmp_path: Path) -> None:
    """A date before year 1, which Python has not, and vectors stand in columns nobody asks for."""
    table = pa.table(
        {
            **{name: [value] for name, value in PAIR.items()},
            "seen": pa.array([-(2**62)], pa.timestamp("us")),
            "vector": [[0.5] * 4],
        }
    )
    with pytest.raises((ValueError, OverflowError)):
        table.to_pylist()
    pq.write_table(table, tmp_path / "a.jsonl")
    (item,) = read_pairs(path=tmp_path / "a.jsonl")
    assert item.queries == {"en": ("Who?",)}


def test_fields_that_a_parquet_file_has_instead_are_named(tmp_path: Path) -> None:
    frame = pl.DataFrame({"query": ["Who?"], "answer": ["Grün."], "seen": [datetime(2020, 1, 1)]})
    frame.write_parquet(tmp_path / "a.parquet")
    assert told(lambda: list(read_pairs(path=tmp_path / "a.parquet"))) == (
        f"{tmp_path}/a.parquet:1: field 'source_id' is missing (fields found: query, answer, seen)"
    )


def test_a_date_out_of_range_that_is_asked_for_is_one_line(tmp_path: Path) -> None:
    ids = pa.array([0, -(2**62)], pa.timestamp("us"))
    pq.write_table(pa.table({"id": ids}), tmp_path / "a.parquet")
    message = told(lambda: list(read_items(path=tmp_path / "a.parquet")))
    assert message.startswith(f"{tmp_path}/a.parquet:1: field")


def test_a_map_that_has_a_language_twice_is_one_line(tmp_path: Path) -> None:
    texts = pa.array([[("en", ["a"]), ("en", ["b"])]], pa.map_(pa.string(), pa.list_(pa.string())))
    pq.write_table(pa.table({"id": ["1"], "queries": texts}), tmp_path / "a.parquet")
    message = told(lambda: list(read_items(path=tmp_path / "a.parquet")))
    assert message.startswith(f"{tmp_path}/a.parquet: cannot be read past line 0: ")


def test_parquet_by_name_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text(line(ITEM))
    message = told(lambda: list(read_items(path=tmp_path / "a.parquet")))
    assert message.startswith(f"{tmp_path}/a.parquet: cannot be read past line 0: ")


@pytest.mark.parametrize(
    ("judgements", "where"),
    [
        ("q\tp\t1\n", ":1: the first line must be a header, got 'q\\tp\\t1'; expected BEIR"),
        ("q\tp\t1\nq\tp2\t1\n", ":1: the first line must be a header, got 'q\\tp\\t1'"),
        ("q 0 p 1\n", ":1: the first line must be a header, got 'q 0 p 1'; expected BEIR"),
        ("q\t0\tp\t1\n", ":1: the first line must be a header"),
        ("query-id\tcorpus-id\tscore\n", ": it has a header alone; expected BEIR"),
        ("query-id\tcorpus-id\tgrade\nq\tp\t1\n", ":2: field 'score' is missing"),
        ("query-id\tcorpus-id\tscore\nq\tp\ttrue\n", ":2: field 'score' must be a whole number"),
        ("query-id\tcorpus-id\tscore\nq\tp\t1_0\n", ":2: field 'score' must be a whole number"),
    ],
)
def test_judgements_without_their_header_are_one_line(
    tmp_path: Path, judgements: str, where: str
) -> None:
    path = written(tmp_path, READERS["beir judgements"])
    path.write_text(judgements)
    assert told(lambda: beir(tmp_path)).startswith(f"{path}{where}")


@pytest.mark.parametrize(
    "header",
    ["query_id\tcorpus_id\tscore", "score\tcorpus-id\tquery-id", "query-id\tcorpus_id\tscore"],
)
def test_a_header_has_its_usual_names_in_any_order(tmp_path: Path, header: str) -> None:
    path = written(tmp_path, READERS["beir judgements"])
    names = {"query": "q", "corpus": "p", "score": "2"}
    row = "\t".join(names[name.replace("_", "-").partition("-")[0]] for name in header.split("\t"))
    path.write_text(f"{header}\n{row}\n")
    found = beir(tmp_path)
    assert (found.query_ids, found.passage_ids, found.grade_J.tolist()) == (("q",), ("p",), [2])


def test_a_number_that_json_has_and_no_float_is_no_grade(tmp_path: Path) -> None:
    written(tmp_path, READERS["beir judgements"])
    (tmp_path / "qrels" / "test.tsv").unlink()
    for score in ("1" + "0" * 400, "true", "1e999", "NaN"):
        (tmp_path / "qrels" / "test.jsonl").write_text(
            f'{{"query-id": "q", "corpus-id": "p", "score": {score}}}'
        )
        assert "field 'score' must be a whole number" in told(lambda: beir(tmp_path))


@pytest.mark.parametrize("content", [b"", b"ARROW1\0\0 and no more", None])
def test_an_arrow_file_that_is_not_whole_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.arrow"
    path.mkdir() if content is None else path.write_bytes(content)
    assert told(lambda: mapped(path)) == (
        f"{path}: not a whole Arrow file; remove it and run again"
    )
