import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from lingmix.data.files import Row, find_file, read_rows
from lingmix.errors import InputError

ROWS = [{"text": "erste Zeile"}, {"text": "บรรทัดที่สอง"}, {"text": "第三行\nfortgesetzt"}]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [
        dict(row.values)
        for row in read_rows(path=path, fields=("text", "texts", "a"), form="texts")
    ]


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        act()
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("a.jsonl", LINES),
        ("a.jsonl.gz", gzip.compress(LINES)),
        ("parts.jsonl.gz", gzip.compress(LINES[:30]) + gzip.compress(LINES[30:])),
        ("a.jsonl.zst", zstandard.compress(LINES)),
        ("windows.jsonl", LINES.replace(b"}\n", b"}\r\n")),
        ("blank_lines.jsonl", LINES.replace(b"}\n", b"}\n\n")),
        ("no_last_newline.jsonl", LINES.rstrip()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_json_lines_read_the_same_however_they_are_packed(
    tmp_path: Path, name: str, packed: bytes
) -> None:
    (tmp_path / name).write_bytes(packed)
    assert rows_of(tmp_path / name) == ROWS


def test_parquet_reads_as_json_lines_do(tmp_path: Path) -> None:
    pl.DataFrame(ROWS).write_parquet(tmp_path / "a.parquet")
    rows = list(read_rows(path=tmp_path / "a.parquet", fields=("text",), form="texts"))
    assert [row.values for row in rows] == ROWS
    assert rows[2].place == f"{tmp_path}/a.parquet:3"


@pytest.mark.parametrize("packing", ["", ".gz"])
def test_tsv_rows_are_named_by_the_header(tmp_path: Path, packing: str) -> None:
    path = tmp_path / f"test.tsv{packing}"
    text = b"query-id\tscore\nq 1\t2\r\n\nq2\t0\n"
    path.write_bytes(gzip.compress(text) if packing else text)
    rows = list(read_rows(path=path, fields=("query-id", "score"), form="judgements"))
    assert [row.values for row in rows] == [
        {"query-id": "q 1", "score": "2"},
        {"query-id": "q2", "score": "0"},
    ]
    assert rows[1].place == f"{path}:4"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"a": 1}\n\n{"a": 1,}\n', r":3: not JSON: .* at 8$"),
        (b'{"a": 1}\n[1, 2]\n', r":2: a line must be a JSON object, got \[1, 2\]"),
        (b'{"a": 1}\n{"a": "\xff"}\n', r":2: not UTF-8 at byte 7; convert"),
        (b'{"a": "\\ud83d"}\n', r":1: it holds half of an escaped character \('\\ud83d'\)"),
        (b"\n", r": it is empty; expected texts$"),
    ],
)
def test_a_bad_line_is_named_by_file_and_line(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    assert re.fullmatch(re.escape(str(path)) + told + r".*", refused(lambda: rows_of(path)))


def test_a_parquet_text_that_is_not_utf8_is_named_by_file_and_row(tmp_path: Path) -> None:
    """Half of a character, as Java writes it, in a list in the third row."""
    texts = pa.array([[b"a"], [b"b", "ไทย".encode()], [b"a\xed\xa0\x80"]], pa.list_(pa.binary()))
    as_text = pa.StringArray.from_buffers(4, *texts.values.buffers()[1:])
    column = pa.ListArray.from_arrays(texts.offsets, as_text)
    pq.write_table(pa.table({"texts": column}), tmp_path / "a.parquet")
    assert refused(lambda: rows_of(tmp_path / "a.parquet")) == (
        f"{tmp_path}/a.parquet:3: not UTF-8 at byte 1; convert the file to UTF-8"
    )


def test_an_escaped_character_in_two_halves_is_whole(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "\\ud83d\\ude00"}')
    assert rows_of(tmp_path / "a.jsonl") == [{"text": "😀"}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.jsonl.gz", gzip.compress(LINES)[:-9]),
        ("cut.jsonl.zst", zstandard.compress(LINES)[:-3]),
        ("cut.parquet", b"PAR1 and no more"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_damaged_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert "cannot be read past line" in refused(lambda: rows_of(tmp_path / name))


def test_a_tsv_row_needs_as_many_cells_as_the_header(tmp_path: Path) -> None:
    path = tmp_path / "test.tsv"
    path.write_text("a\tb\n1\t2\n3\n")
    assert refused(lambda: rows_of(path)) == (
        f"{path}:3: 1 tab-separated cells, the header has 2 (a, b)"
    )


def test_a_missing_file_is_told_with_what_was_expected_there(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    assert refused(lambda: rows_of(path)) == f"{path}: no such file; expected texts"
    assert refused(lambda: find_file(folder=tmp_path, stem="corpus", form="a corpus")) == (
        f"{tmp_path}/corpus: no such file with one of .jsonl .jsonl.gz .jsonl.zst .tsv .tsv.gz "
        ".tsv.zst .parquet; expected a corpus"
    )


def test_two_forms_of_one_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl.gz").touch()
    assert find_file(folder=tmp_path, stem="corpus", form="a corpus").name == "corpus.jsonl.gz"
    (tmp_path / "corpus.jsonl").touch()
    message = refused(lambda: find_file(folder=tmp_path, stem="corpus", form="a corpus"))
    assert "corpus.jsonl and corpus.jsonl.gz" in message


@pytest.mark.parametrize(
    ("read", "value", "told"),
    [
        (Row.text, 3, "must be a non-empty text, got 3"),
        (Row.text, " ", "must be a non-empty text, got ' '"),
        (Row.text, None, "is missing (fields found: f)"),
        (Row.identifier, True, "must be a non-empty text or a whole number, got True"),
        (Row.identifier, "", "must be a non-empty text or a whole number, got ''"),
        (Row.language, "zh-hant", "needs a language of letters, digits and _"),
        (Row.texts, "one", "must be a list of texts, got 'one'"),
        (Row.texts, ["one", ""], "must hold non-empty texts alone, got ''"),
        (Row.texts_by_language, ["one"], "must be an object of texts by language"),
        (Row.texts_by_language, {"de": "one"}, "must be a list of texts, got 'one'"),
        (Row.texts_by_language, {"d-e": ["one"]}, "needs a language of letters"),
        (Row.grade, "0.5", "must be a whole number, got '0.5'"),
        (Row.grade, "high", "must be a whole number, got 'high'"),
        (Row.grade, "nan", "must be a whole number, got 'nan'"),
        (Row.grade, 1e12, "must be a whole number"),
    ],
)
def test_a_bad_field_is_named_with_its_value(
    read: Callable[[Row, str], object], value: object, told: str
) -> None:
    message = refused(lambda: read(Row("a.jsonl:7", {"f": value}), "f"))
    assert message.startswith("a.jsonl:7: field 'f")
    assert told in message


def test_good_fields_are_returned_as_they_are() -> None:
    row = Row("a.jsonl:7", {"n": 12, "g": "1.0", "t": {"de": ["a", "b"], "en": None, "tr": []}})
    assert row.identifier("n") == "12"
    assert row.grade("g") == 1
    assert row.texts_by_language("t") == {"de": ("a", "b")}
    assert row.texts("absent") == ()
    assert row.optional_text("absent") == ""
