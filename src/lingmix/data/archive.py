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

MOST_UNPACKED = 30
"""Times the size of the archive: text packs to a third, seldom to a tenth of its size, and what
expands without end packs to a thousandth."""

SLACK = 2**20
"""Bytes that any archive may unpack to."""


def read_member(archive: Path, member: str) -> bytes:
    with _opened(archive) as members:
        if member not in members.namelist():
            raise InputError(f"{archive}: it has no member {member!r}")
        refuse_endless(archive, members.getinfo(member).file_size)
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
    """`size` is what its members say, beyond which none of them is read."""
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
