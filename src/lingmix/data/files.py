"""Rows of a file, each with its place: JSON lines or TSV, plain, gzip or zstd, or Parquet."""

import json
import re
import reprlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from lingmix.data.languages import require_language
from lingmix.data.text_lines import (
    PARQUET,
    first_bytes,
    lines,
    not_utf8,
    require_file,
    require_folder,
)
from lingmix.errors import InputError

UNREADABLE = (ValueError, KeyError, OverflowError)
"""What pyarrow raises for a text that is not UTF-8, a map that has a key twice, a date before 1."""

ENDINGS = (
    *(kind + packing for kind in (".jsonl", ".tsv") for packing in ("", ".gz", ".zst")),
    ".parquet",
)
_WHOLE = re.compile(r"[+-]?[0-9]+(\.0*)?")


Paths = str | Path | Sequence[str | Path]
"""A file, or several that are read as one."""


class Row(NamedTuple):
    """One row's values; `place` is `file:line` (`file:row` in Parquet). Null counts as missing.

    `others` names the fields of the row that were not read.
    """

    place: str
    values: Mapping[str, Any]
    others: tuple[str, ...] = ()

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
        whole = not isinstance(value, str) or _WHOLE.fullmatch(value.strip())
        try:
            grade = float(value) if whole and not isinstance(value, bool) else float("nan")
        except (TypeError, ValueError, OverflowError):
            grade = float("nan")
        if not (grade.is_integer() and abs(grade) < 2**31):
            raise self._wrong(field, "must be a whole number", value)
        return int(grade)

    def _value(self, field: str) -> Any:
        value = self.values.get(field)
        if value is None:
            fields = ", ".join([*self.values, *self.others]) or "none"
            raise InputError(f"{self.place}: field {field!r} is missing (fields found: {fields})")
        return value

    def _language(self, field: str, value: object) -> str:
        return require_language(f"{self.place}: field {field!r}", value)

    def _texts(self, field: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise self._wrong(field, "must be a list of texts", value)
        for text in value:
            if not isinstance(text, str) or not text.strip():
                raise self._wrong(field, "must hold non-empty texts alone", text)
        return tuple(value)

    def _wrong(self, field: str, rule: str, value: object) -> InputError:
        return InputError(f"{self.place}: field {field!r} {rule}, got {reprlib.repr(value)}")


def read_rows(*, path: Paths, fields: Sequence[str], form: str) -> Iterator[Row]:
    """Of Parquet, of JSON lines, or of TSV where the name says so; `form` says what is expected.

    A Parquet file may have columns that no Python value can hold: only `fields` are read.
    """
    if isinstance(path, Sequence) and not isinstance(path, str) and path:
        for one in path:
            yield from read_rows(path=one, fields=fields, form=form)
        return
    path = require_file(path, form=form)
    if path.suffix == ".parquet" or first_bytes(path).startswith(PARQUET):
        yield from _parquet_rows(path, fields, form)
    elif ".tsv" in path.suffixes[-2:]:
        yield from _tsv_rows(path, fields, form)
    else:
        yield from _json_rows(path, form)


def find_file(*, folder: str | Path, stem: str, form: str) -> Path:
    """The one file `stem` with an ending that can be read."""
    folder = require_folder(folder, form=form)
    found = [path for ending in ENDINGS if (path := folder / f"{stem}{ending}").is_file()]
    if not found:
        endings = " ".join(ENDINGS)
        raise InputError(f"{folder / stem}: no such file with one of {endings}; expected {form}")
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise InputError(f"{folder}: it holds {names}, which might differ; keep one of them")
    return found[0]


def _parquet_rows(path: Path, fields: Sequence[str], form: str) -> Iterator[Row]:
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            columns = [name for name in names if name in fields]
            others = tuple(name for name in names if name not in fields)
            for batch in file.iter_batches(columns=columns):
                for row in _dicts(batch):
                    number += 1
                    yield Row(f"{path}:{number}", row, others)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}:{number + 1}: {not_utf8(error)}") from error
    except (OSError, pa.ArrowException, *UNREADABLE) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read past line {number}: {reason}") from error
    if not number:
        raise InputError(f"{path}: it is empty; expected {form}")


def _dicts(batch: pa.RecordBatch) -> Iterable[dict[str, Any]]:
    """One by one if a value cannot be read, so that the rows before it are counted."""
    try:
        return batch.to_pylist(maps_as_pydicts="strict")
    except UNREADABLE:
        if len(batch) == 1:
            raise
        return chain.from_iterable(_dicts(batch.slice(n, 1)) for n in range(len(batch)))


def _json_rows(path: Path, form: str) -> Iterator[Row]:
    for number, line in lines(path, form=form):
        row = _json(line, f"{path}:{number}")
        if not isinstance(row, dict):
            raise InputError(
                f"{path}:{number}: a line must be a JSON object, got {reprlib.repr(row)}"
            )
        yield Row(f"{path}:{number}", row)


def _json(line: str, place: str) -> Any:
    try:
        row = json.loads(line, object_pairs_hook=distinct)
        if "\\u" in line:
            json.dumps(row, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise InputError(f"{place}: not JSON: {error.msg} at {error.pos}") from error
    except UnicodeEncodeError as error:
        raise InputError(
            f"{place}: it holds half of an escaped character "
            f"({error.object[error.start]!a}); write the file as UTF-8"
        ) from error
    except RecursionError as error:
        raise InputError(f"{place}: its JSON is nested too deeply") from error
    except ValueError as error:  # a number of thousands of digits
        raise InputError(f"{place}: not JSON that can be read: {error}") from error
    return row


def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Python itself would keep the last of equal names, and say nothing."""
    values = dict(pairs)
    if len(values) < len(pairs):
        (name, count), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"it has {name!r} {count} times; keep one of them")
    return values


def _tsv_rows(path: Path, fields: Sequence[str], form: str) -> Iterator[Row]:
    numbered = lines(path, form=form)
    first, line = next(numbered)
    header = line.split("\t")
    if not set(fields) & set(header):
        raise InputError(
            f"{path}:{first}: the first line must be a header, got {line!r:.60}; expected {form}"
        )
    number = first
    for number, line in numbered:
        cells = line.split("\t")
        if len(cells) != len(header):
            raise InputError(
                f"{path}:{number}: {len(cells)} tab-separated cells, "
                f"the header has {len(header)} ({', '.join(header)})"
            )
        yield Row(f"{path}:{number}", dict(zip(header, cells, strict=True)))
    if number == first:
        raise InputError(f"{path}: it has a header alone; expected {form}")
