"""Rows of a file, each with its place: JSON lines or TSV, plain, `.gz` or `.zst`, or Parquet."""

import io
import json
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from lingmix.errors import InputError

ENDINGS = (
    *(kind + packing for kind in (".jsonl", ".tsv") for packing in ("", ".gz", ".zst")),
    ".parquet",
)
_LANGUAGE = re.compile(r"[A-Za-z0-9_]+")


class Row(NamedTuple):
    """One row's values; `place` is `file:line` (`file:row` in Parquet). Null counts as missing."""

    place: str
    values: Mapping[str, Any]

    def text(self, field: str, *, may_be_empty: bool = False) -> str:
        value = self._value(field)
        if not isinstance(value, str) or not (may_be_empty or value.strip()):
            raise self._wrong(field, "must be a non-empty text", value)
        return value

    def optional_text(self, field: str) -> str:
        return "" if self.values.get(field) is None else self.text(field, may_be_empty=True)

    def identifier(self, field: str) -> str:
        value = self._value(field)
        if type(value) not in (str, int) or value == "":
            raise self._wrong(field, "must be a non-empty text or a whole number", value)
        return str(value)

    def language(self, field: str) -> str:
        return self._language(field, self._value(field))

    def texts(self, field: str) -> tuple[str, ...]:
        """Of a list, none where the field is missing."""
        value = self.values.get(field)
        return () if value is None else self._texts(field, value)

    def texts_by_language(self, field: str) -> dict[str, tuple[str, ...]]:
        """Languages without a text are left out."""
        value = self._value(field)
        if not isinstance(value, Mapping):
            raise self._wrong(field, "must be an object of texts by language", value)
        return {
            self._language(field, language): self._texts(f"{field}.{language}", texts)
            for language, texts in value.items()
            if texts is not None and texts != []
        }

    def grade(self, field: str) -> int:
        value = self._value(field)
        try:
            grade = float(value)
        except (TypeError, ValueError):
            grade = float("nan")
        if not (grade.is_integer() and abs(grade) < 2**31):
            raise self._wrong(field, "must be a whole number", value)
        return int(grade)

    def _value(self, field: str) -> Any:
        value = self.values.get(field)
        if value is None:
            fields = ", ".join(self.values) or "none"
            raise InputError(f"{self.place}: field {field!r} is missing (fields found: {fields})")
        return value

    def _language(self, field: str, value: object) -> str:
        if not isinstance(value, str) or not _LANGUAGE.fullmatch(value):
            raise self._wrong(field, "needs a language of letters, digits and _ (zh_Hant)", value)
        return value

    def _texts(self, field: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise self._wrong(field, "must be a list of texts", value)
        for text in value:
            if not isinstance(text, str) or not text.strip():
                raise self._wrong(field, "must hold non-empty texts alone", text)
        return tuple(value)

    def _wrong(self, field: str, rule: str, value: object) -> InputError:
        return InputError(f"{self.place}: field {field!r} {rule}, got {reprlib.repr(value)}")


def read_rows(*, path: str | Path, form: str) -> Iterator[Row]:
    """Of the kind that the file's name ends in; `form` says what is expected there."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected {form}")
    number = 0
    try:
        for number, row in _kind(path)(path):
            yield Row(f"{path}:{number}", row)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}:{number + 1}: {_not_utf8(error)}") from error
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read past line {number}: {reason}") from error
    if not number:
        raise InputError(f"{path}: it is empty; expected {form}")


def find_file(*, folder: str | Path, stem: str, form: str) -> Path:
    """The one file `stem` with an ending that can be read."""
    folder = Path(folder)
    found = [path for ending in ENDINGS if (path := folder / f"{stem}{ending}").is_file()]
    if not found:
        endings = " ".join(ENDINGS)
        raise InputError(f"{folder / stem}: no such file with one of {endings}; expected {form}")
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise InputError(f"{folder}: it holds {names}, which might differ; keep one of them")
    return found[0]


def _kind(path: Path) -> Callable[[Path], Iterator[tuple[int, dict[str, Any]]]]:
    if path.suffix == ".parquet":
        return _parquet_rows
    return _tsv_rows if ".tsv" in path.suffixes[-2:] else _json_rows


def _parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            for row in _dicts(batch):
                number += 1
                yield number, row


def _dicts(batch: pa.RecordBatch) -> Iterable[dict[str, Any]]:
    """One by one if a text is not UTF-8, so that the rows before it are counted."""
    try:
        return batch.to_pylist(maps_as_pydicts="strict")
    except UnicodeDecodeError:
        if len(batch) == 1:
            raise
        return chain.from_iterable(_dicts(batch.slice(n, 1)) for n in range(len(batch)))


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in lines(path):
        try:
            row = json.loads(line)
            if "\\u" in line:
                json.dumps(row, ensure_ascii=False).encode()
        except json.JSONDecodeError as error:
            raise InputError(f"{path}:{number}: not JSON: {error.msg} at {error.pos}") from error
        except UnicodeEncodeError as error:
            raise InputError(
                f"{path}:{number}: it holds half of an escaped character "
                f"({error.object[error.start]!a}); write the file as UTF-8"
            ) from error
        if not isinstance(row, dict):
            raise InputError(
                f"{path}:{number}: a line must be a JSON object, got {reprlib.repr(row)}"
            )
        yield number, row


def _tsv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    numbered = lines(path)
    header = next(numbered, (0, ""))[1].split("\t")
    for number, line in numbered:
        cells = line.split("\t")
        if len(cells) != len(header):
            raise InputError(
                f"{path}:{number}: {len(cells)} tab-separated cells, "
                f"the header has {len(header)} ({', '.join(header)})"
            )
        yield number, dict(zip(header, cells, strict=True))


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered from 1, blank ones left out; arrow tells a truncated file from a whole one."""
    with pa.input_stream(str(path), compression="detect") as stream:
        for number, line in enumerate(io.BufferedReader(stream, 2**20), start=1):
            try:
                text = line.decode().rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise InputError(f"{path}:{number}: {_not_utf8(error)}") from error
            if text.strip():
                yield number, text


def _not_utf8(error: UnicodeDecodeError) -> str:
    return f"not UTF-8 at byte {error.start}; convert the file to UTF-8"
