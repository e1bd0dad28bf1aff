import stat
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from lingmix.data.archive import read_member, unzipped
from lingmix.errors import InputError


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "set.zip"
    with ZipFile(path, "w") as members:
        members.writestr("set/corpus.jsonl", "corpus" * 100)
        members.writestr("set/qrels/test.tsv", "qrels")
    return path


def test_members_are_extracted_beside_the_archive_once(archive: Path) -> None:
    folder = unzipped(archive)
    assert folder == archive.with_suffix("")
    assert (folder / "set/qrels/test.tsv").read_text() == "qrels"
    archive.unlink()
    assert unzipped(archive) == folder


def test_a_member_is_read_by_name(archive: Path) -> None:
    assert read_member(archive, "set/qrels/test.tsv") == b"qrels"
    with pytest.raises(InputError, match=rf"^{archive}: it has no member 'set/dev.tsv'$"):
        read_member(archive, "set/dev.tsv")


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:-30],
        lambda whole: whole[:20],
        lambda whole: whole.replace(b"corpuscorpus", b"corpusCORPUS"),
    ],
)
def test_a_damaged_archive_is_refused_and_nothing_is_left(archive: Path, damage) -> None:
    archive.write_bytes(damage(archive.read_bytes()))
    for read in (unzipped, lambda path: read_member(path, "set/corpus.jsonl")):
        with pytest.raises(InputError, match=rf"^{archive}: not a whole zip archive") as told:
            read(archive)
        assert "\n" not in str(told.value)
    assert {path.name for path in archive.parent.iterdir()} == {"set.zip", "set.zip.lock"}


def link(name: str) -> ZipInfo:
    member = ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


@pytest.mark.parametrize("member", ["/etc/lingmix", "set/../../lingmix", link("set/link")])
def test_a_member_that_leads_outside_is_refused(archive: Path, member: str | ZipInfo) -> None:
    with ZipFile(archive, "a") as members:
        members.writestr(member, "/etc")
    with pytest.raises(InputError, match=r"is a link or leads outside"):
        unzipped(archive)
    assert not archive.with_suffix("").exists()


def test_an_archive_that_expands_without_end_is_refused_and_nothing_is_unpacked(
    tmp_path: Path,
) -> None:
    """50 million zeros pack to a thousandth."""
    archive = tmp_path / "bomb.zip"
    with ZipFile(archive, "w", ZIP_DEFLATED) as members:
        members.writestr("corpus.jsonl", bytes(50_000_000))
    for read in (unzipped, lambda path: read_member(path, "corpus.jsonl")):
        with pytest.raises(InputError, match=r"more than 30 times its .* got 50,000,000") as told:
            read(archive)
        assert "\n" not in str(told.value)
    assert {path.name for path in tmp_path.iterdir()} <= {"bomb.zip", "bomb.zip.lock"}


def test_a_member_that_is_larger_than_it_says_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "liar.zip"
    with ZipFile(archive, "w", ZIP_DEFLATED) as members:
        members.writestr("corpus.jsonl", bytes(50_000_000))
    size, said = (number.to_bytes(4, "little") for number in (50_000_000, 1_000))
    archive.write_bytes(archive.read_bytes().replace(size, said))
    with pytest.raises(InputError, match=r"not a whole zip archive"):
        unzipped(archive)
    assert {path.name for path in tmp_path.iterdir()} == {"liar.zip", "liar.zip.lock"}
