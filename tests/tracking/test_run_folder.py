"""What is left of the folder of a run that is recorded."""

import pytest

from lingmix.tracking.outbox.journal import JOURNAL, Journal
from lingmix.tracking.run_folder import lock_folder, remove_recorded


@pytest.fixture
def config(tmp_path):
    return {"output_dir": str(tmp_path), "name": "study", "tracking": {"parent": None}}


@pytest.fixture
def folder(tmp_path):
    """As a kill leaves it that comes in the middle of its removal."""
    folder = tmp_path / "runs" / "study" / "hash"
    (folder / "left").mkdir(parents=True)
    (folder / "state-000000002.ckpt").write_bytes(b"weights")
    return folder


def test_it_is_removed_with_its_lock(config, folder):
    remove_recorded(config, "hash")
    assert [*folder.parent.iterdir()] == []


def test_one_that_was_removed_leaves_nothing(config, tmp_path):
    remove_recorded(config, "hash")
    assert [*tmp_path.iterdir()] == []


def test_it_stays_where_another_process_is_at_work(config, folder):
    with lock_folder(folder):
        remove_recorded(config, "hash")
        assert folder.exists()


def test_it_stays_with_records_that_no_store_has(config, folder):
    Journal(folder).append(metrics={"loss": 1.0}, step=1)
    remove_recorded(config, "hash")
    assert (folder / JOURNAL).exists()
