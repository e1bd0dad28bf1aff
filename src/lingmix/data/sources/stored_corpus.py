"""Corpora too large for memory: each language's passages in an Arrow file, written once."""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from filelock import FileLock
from rich.progress import TextColumn as Shown
from rich.progress import TimeElapsedColumn

from lingmix.data.files import Row
from lingmix.data.sources.judgements import Passages
from lingmix.data.text_column import Repeated, TextColumn, mapped
from lingmix.errors import InputError
from lingmix.progress import with_progress

SCHEMA = pa.schema({"id": pa.large_string(), "text": pa.large_string()})
BATCH = 2**16
COLUMNS = (Shown("{task.description}: {task.completed:,.0f} passages"), TimeElapsedColumn())

Rows = Iterable[tuple[str, str]]
"""Id and text of each passage of a corpus."""


def stored_passages(corpora: Mapping[Path, tuple[str, Callable[[], Rows]]]) -> Passages:
    """Maps the corpora's Arrow files into memory; writes those that do not exist first.

    A file has the corpus of one language, which is read by the function beside it.
    """
    languages = [language for language, _ in corpora.values()]
    tables = [_stored(path, language, rows) for path, (language, rows) in corpora.items()]
    table = pa.concat_tables(tables)
    return Passages(
        ids=TextColumn(table["id"]),
        texts=TextColumn(table["text"]),
        languages=Repeated(languages, [one.num_rows for one in tables]),
    )


def titled_text(row: Row) -> str:
    return f"{row.optional_text('title')} {row.text('text', may_be_empty=True)}".strip()


def _stored(path: Path, language: str, rows: Callable[[], Rows]) -> pa.Table:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.is_file():
                with TemporaryDirectory(prefix=f"{path.name}.", dir=path.parent) as unfinished:
                    part = Path(unfinished, path.name)
                    _write(part, rows(), f"Storing {path.parent.name} {language}")
                    _refuse_repeated(part, path)
                    part.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error}") from error
    return mapped(path)


def _write(path: Path, rows: Rows, what: str) -> None:
    remaining = iter(rows)
    batches = iter(lambda: list(islice(remaining, BATCH)), [])
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, SCHEMA) as writer:
        for batch in with_progress(batches, what, total=None, size=len, columns=COLUMNS):
            columns = [pa.array(column, pa.large_string()) for column in zip(*batch, strict=True)]
            writer.write_batch(pa.record_batch(columns, schema=SCHEMA))


def _refuse_repeated(part: Path, path: Path) -> None:
    repeated = TextColumn(mapped(part)["id"]).repeated()
    if repeated is not None:
        part.unlink()
        raise InputError(f"{path}: passage id {repeated!r} occurs twice in the corpus; remove one")
