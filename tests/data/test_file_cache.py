"""A cache is ours to make anew, and never half of one."""

import errno
import logging
import os
from pathlib import Path

import pytest

from lingmix.data.file_cache import keep

WHOLE = b"0123456789"


def read(path: Path) -> bytes:
    content = path.read_bytes()
    if content != WHOLE:
        raise ValueError(f"holds {len(content)} bytes\nof 10")
    return content


def write(file) -> None:
    file.write(WHOLE)


def unwanted(file) -> None:
    raise AssertionError("written again")


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.suffix != ".lock"]


def test_a_file_is_written_once_and_read_from_then_on(tmp_path, caplog):
    path = tmp_path / "cache" / "one.bin"
    assert keep(path, read=read, write=write) == WHOLE
    assert keep(path, read=read, write=unwanted) == WHOLE
    assert files(path.parent) == ["one.bin"]
    assert not caplog.records


@pytest.mark.parametrize("size", [0, 5])
def test_a_file_that_was_cut_is_made_anew_with_one_warning(tmp_path, caplog, size):
    path = tmp_path / "one.bin"
    keep(path, read=read, write=write)
    os.truncate(path, size)
    assert keep(path, read=read, write=write) == WHOLE
    assert path.read_bytes() == WHOLE
    (record,) = (one for one in caplog.records if one.levelno == logging.WARNING)
    assert record.getMessage() == (
        f"{path} cannot be read (holds {size} bytes of 10): it is made anew"
    )


def test_a_full_disk_is_told_with_the_file_and_leaves_none(tmp_path):
    def full(file) -> None:
        file.write(WHOLE[:5])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "one.bin"
    with pytest.raises(OSError, match="No space left") as refused:
        keep(path, read=read, write=full)
    assert (refused.value.errno, refused.value.filename) == (errno.ENOSPC, str(path))
    assert files(tmp_path) == []
    assert keep(path, read=read, write=write) == WHOLE


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_after(tmp_path, monkeypatch):
    """What the disk had been told to hold at each sync."""
    path, synced, sync = tmp_path / "one.bin", [], os.fsync

    def seen(number: int) -> None:
        sync(number)
        of = Path(f"/proc/self/fd/{number}").readlink()
        whole = of.is_dir() or of.read_bytes() == WHOLE
        synced.append((of.name.split(".")[0], path.exists(), whole))

    monkeypatch.setattr(os, "fsync", seen)
    keep(path, read=read, write=write)
    assert synced == [("one", False, True), (tmp_path.name, True, True)]
