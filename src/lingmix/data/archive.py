"""Zip archives: read or extracted whole, or refused."""

import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

from filelock import FileLock

from lingmix.errors import InputError


def read_member(archive: Path, member: str) -> bytes:
    with _opened(archive) as members:
        if member not in members.namelist():
            raise InputError(f"{archive}: it has no member {member!r}")
        return members.read(member)


def unzipped(archive: Path) -> Path:
    """The folder beside the archive, of its name without the ending, that holds its members."""
    folder = archive.with_suffix("")
    with FileLock(f"{archive}.lock"):
        if folder.is_dir():
            return folder
        with (
            _opened(archive) as members,
            TemporaryDirectory(prefix=f"{folder.name}.", dir=folder.parent) as unfinished,
        ):
            for member in members.infolist():
                path = Path(member.filename)
                is_link = stat.S_ISLNK(member.external_attr >> 16)
                if path.is_absolute() or ".." in path.parts or is_link:
                    raise InputError(
                        f"{archive}: member {member.filename!r} is a link or leads outside"
                    )
            members.extractall(Path(unfinished) / "whole")
            (Path(unfinished) / "whole").rename(folder)
    return folder


@contextmanager
def _opened(archive: Path) -> Iterator[ZipFile]:
    try:
        with ZipFile(archive) as members:
            yield members
    except (BadZipFile, EOFError, RuntimeError, zlib.error) as error:
        raise InputError(
            f"{archive}: not a whole zip archive ({error}); remove it and run again"
        ) from error
