"""Files are whole or not there, and nobody's link leads a write elsewhere."""

from pathlib import Path

import pytest

from lingmix.atomic import atomic_file, open_no_symlink
from lingmix.errors import InputError
from lingmix.tracking.run_folder import claim_folder, empty_folder, run_folder


def test_a_file_has_its_name_when_it_is_whole_and_nothing_is_left_of_one_that_is_not(tmp_path):
    path = tmp_path / "one"
    with atomic_file(path, durable=True) as file:
        file.write(b"whole")
        assert not path.exists()
    with pytest.raises(RuntimeError), atomic_file(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert [(one, one.read_bytes()) for one in tmp_path.iterdir()] == [(path, b"whole")]


def test_no_two_writers_share_an_unfinished_name(tmp_path):
    with atomic_file(tmp_path / "one") as first, atomic_file(tmp_path / "one") as second:
        assert first.name != second.name


@pytest.fixture
def victim(tmp_path) -> Path:
    path = tmp_path / "victim"
    path.write_text("precious")
    return path


def test_a_link_in_the_place_of_a_file_is_replaced_and_its_target_left(tmp_path, victim):
    link = tmp_path / "link"
    link.symlink_to(victim)
    with atomic_file(link) as file:
        file.write(b"new")
    assert (link.read_bytes(), link.is_symlink()) == (b"new", False)
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("mode", ["rb", "wb", "ab"])
def test_a_link_is_not_opened(tmp_path, victim, mode):
    link = tmp_path / "link"
    link.symlink_to(victim)
    with pytest.raises(InputError, match=r"link: must be a file, got a symbolic link") as told:
        open_no_symlink(link, mode)
    assert "\n" not in str(told.value)
    assert victim.read_text() == "precious"


def test_a_run_s_own_files_and_folders_may_be_no_links(tmp_path, victim):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    runs = tmp_path / "runs" / "name"
    runs.mkdir(parents=True)
    (runs / "hash").symlink_to(elsewhere)
    config = {"output_dir": str(tmp_path), "name": "name", "tracking": {"parent": None}}
    with pytest.raises(InputError, match="symbolic link"), run_folder(config, "hash"):
        raise AssertionError
    (runs / "left").symlink_to(elsewhere)
    with pytest.raises(InputError, match="symbolic link"):
        empty_folder(runs / "left")
    (runs / "config.yaml").symlink_to(victim)
    with pytest.raises(InputError, match="symbolic link"):
        claim_folder(runs, {})
    assert (elsewhere / "precious").exists()
    assert victim.read_text() == "precious"
