"""Reads and extracts zip archives, and refuses those that are damaged or unpack without end."""

import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

from filelock import FileLock

from lingmix.errors import InputError

MOST_UNPACKED = 30
"""The largest ratio of the unpacked to the packed size: text packs to a third, rarely to a tenth of
its size, an archive made to fill a disk to a thousandth."""

SLACK = 2**20
"""Bytes that any archive may unpack to, whatever its ratio."""


def read_member(archive: Path, member: str) -> bytes:
    """Returns the content of a member; raises InputError where there is none of that name."""
    with _opened(archive) as members:
        if member not in members.namelist():
            raise InputError(f"{archive}: it has no member {member!r}")
        refuse_endless(archive, members.getinfo(member).file_size)
        return members.read(member)


def unzipped(archive: Path) -> Path:
    """Extracts the archive beside it, unless that was done before; returns the folder, which has
    the archive's name without the suffix."""
    folder = archive.with_suffix("")
    with FileLock(f"{archive}.lock"):
        if folder.is_dir():
            return folder
        with (
            _opened(archive) as members,
            TemporaryDirectory(prefix=f"{folder.name}.", dir=folder.parent) as unfinished,
        ):
            refuse_endless(archive, sum(one.file_size for one in members.infolist()))
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


def refuse_endless(archive: Path, size: int) -> None:
    """Raises InputError where the archive says that it unpacks to too large a `size`, in bytes."""
    packed = archive.stat().st_size
    if size > MOST_UNPACKED * packed + SLACK:
        raise InputError(
            f"{archive}: must not unpack to more than {MOST_UNPACKED} times its size ({packed:,} "
            f"bytes), got {size:,} bytes; remove it, or unpack it by hand if it is what you want"
        )


@contextmanager
def _opened(archive: Path) -> Iterator[ZipFile]:
    try:
        with ZipFile(archive) as members:
            yield members
    except (BadZipFile, EOFError, RuntimeError, zlib.error) as error:
        raise InputError(
            f"{archive}: not a whole zip archive ({error}); remove it and run again"
        ) from error
