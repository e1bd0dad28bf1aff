"""Paths that a user names, and the lines of text files: plain, gzip or zstd, told by their first
bytes."""

import codecs
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from lingmix.errors import InputError

PARQUET = b"PAR1"
_PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_UNREADABLE = {
    PARQUET: "a Parquet file",
    b"PK\x03\x04": "a zip archive",
    b"\xfd7zXZ\x00": "packed by xz",
    b"BZh91AY": "packed by bzip2",
}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def require_file(path: object, *, form: str) -> Path:
    """Returns the path; raises InputError where it is no file. `form` says what is expected in
    it."""
    place = _named(path, "path: must name a file", form)
    mode = _mode(place, f"no such file; expected {form}")
    if stat.S_ISDIR(mode):
        raise InputError(f"{place}: is a folder, not a file; expected {form}")
    if not stat.S_ISREG(mode):
        raise InputError(f"{place}: is a pipe or a device; write it to a file; expected {form}")
    return place


def require_folder(path: object, *, form: str) -> Path:
    """Returns the path; raises InputError where it is no folder."""
    place = _named(path, "folder: must name a folder", form)
    if not stat.S_ISDIR(_mode(place, f"no such folder; expected {form}")):
        raise InputError(f"{place}: is a file, not a folder; expected {form}")
    return place


def first_bytes(path: Path) -> bytes:
    """Returns the bytes that tell what kind of file it is."""
    try:
        with path.open("rb") as file:
            return file.read(8)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def lines(path: Path, *, form: str) -> Iterator[tuple[int, str]]:
    """Yields number, from 1, and text of each line that is not blank.

    Raises InputError where the file is empty, damaged (Arrow notices a truncated one) or not UTF-8.
    """
    start = first_bytes(path)
    for magic, kind in _UNREADABLE.items():
        if start.startswith(magic):
            raise InputError(f"{path}: is {kind}; expected {form}, plain, gzip or zstd")
    packing = next((_PACKED[magic] for magic in _PACKED if start.startswith(magic)), None)
    number = found = 0
    try:
        with pa.input_stream(str(path), compression=packing) as stream:
            for number, line in enumerate(io.BufferedReader(stream, 2**20), start=1):
                text = _text(line, number, path)
                if text.strip():
                    found += 1
                    yield number, text
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read past line {number}: {reason}") from error
    if not found:
        raise InputError(f"{path}: it is empty; expected {form}")


def not_utf8(error: UnicodeDecodeError) -> str:
    return f"not UTF-8 at byte {error.start}; convert the file to UTF-8"


def _text(line: bytes, number: int, path: Path) -> str:
    if number == 1 and line.startswith(_UTF16):
        raise InputError(f"{path}: is UTF-16; convert the file to UTF-8")
    if number == 1:
        line = line.removeprefix(codecs.BOM_UTF8)
    if b"\0" in line:
        raise InputError(f"{path}:{number}: holds a NUL byte: it is damaged, or not UTF-8 text")
    try:
        return line.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}:{number}: {not_utf8(error)}") from error


def _named(path: object, rule: str, form: str) -> Path:
    if not isinstance(path, str | os.PathLike) or not str(path) or "\0" in str(path):
        raise InputError(f"{rule}, got {path!r}; expected {form}")
    return Path(os.path.expanduser(path))  # noqa: PTH111 - raises nothing where there is no home


def _mode(path: Path, missing: str) -> int:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        raise InputError(f"{path}: {missing}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
