"""A damaged journal: all that can be read is sent, and what cannot is said."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lingmix.errors import InputError
from lingmix.tracking.history import complete_run
from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import COMPLETE, ERROR, FAILED, STATE
from lingmix.tracking.outbox.journal import (
    JOURNAL,
    SENT,
    Journal,
    final_state,
    find_damage,
    read_records,
)
from lingmix.tracking.outbox.leftovers import send_leftover
from tests.rounds import ROUNDS

METRICS = {f"loss/{n}": [(step, step + n / 8) for step in range(1, 8)] for n in range(8)}
DAMAGES = 200


def left_behind(output_dir: Path, identity: str) -> Path:
    """A complete run of 8 metrics at 7 steps, of which no store has anything."""
    folder = output_dir / "runs" / output_dir.name / identity
    journal = Journal(folder)
    run = {"name": identity, "params": {}, "tags": {HASH: identity}, "parent": None}
    where = {"experiment": output_dir.name, "output_dir": str(output_dir), "uri": "sqlite:///none"}
    journal.append(begin={**where, "run": run})
    for step in range(1, 8):
        journal.append(metrics={name: dict(METRICS[name])[step] for name in METRICS}, step=step)
    (folder / "left").mkdir()
    (folder / "left" / "scores.json").write_text("{}")
    journal.append(files="left")
    journal.append(end={"state": COMPLETE, "error": None})
    journal.close()
    return folder


def truncate(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def flip(data: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1 :]


def insert(data: bytes, draw: random.Random) -> bytes:
    """Bytes anywhere, or a whole line that looks like a record, of a huge number."""
    lines = data.splitlines(keepends=True)
    place = draw.randrange(len(lines) + 1)
    if draw.random() < 0.5:
        return data[: (at := draw.randrange(len(data)))] + draw.randbytes(20) + data[at:]
    made = json.dumps({"at": 1, "metrics": {"loss/0": 1.0}, "step": 10**400}).encode() + b"\n"
    return b"".join([*lines[:place], made, *lines[place:]])


def zero(data: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(data))
    length = min(draw.randrange(1, 300), len(data) - start)
    return data[:start] + bytes(length) + data[start + length :]


def reorder(data: bytes, draw: random.Random) -> bytes:
    """Moves a line, and leaves it where it was every other time."""
    lines = data.splitlines(keepends=True)
    line = lines[place := draw.randrange(len(lines))]
    if draw.random() < 0.5:
        del lines[place]
    lines.insert(draw.randrange(len(lines) + 1), line)
    return b"".join(lines)


KINDS: list[Callable[[bytes, random.Random], bytes]] = [truncate, flip, insert, zero, reorder]


def damaged(data: bytes, number: int) -> bytes:
    return KINDS[number % len(KINDS)](data, random.Random(number))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    return (left_behind(tmp_path_factory.mktemp("whole"), "whole") / JOURNAL).read_bytes()


@pytest.mark.parametrize("number", range(DAMAGES))
def test_what_is_whole_is_read_and_what_is_not_is_known(whole, tmp_path, number):
    (tmp_path / JOURNAL).write_bytes(whole)
    before = [record for record, _ in read_records(tmp_path)]
    (tmp_path / JOURNAL).write_bytes(found := damaged(whole, number))
    after = [record for record, _ in read_records(tmp_path)]
    lines = set(found.splitlines(keepends=True))
    whole_lines = whole.splitlines(keepends=True)
    assert after == [one for one, line in zip(before, whole_lines, strict=True) if line in lines]
    if after != before:
        assert find_damage(tmp_path) or final_state(tmp_path) != COMPLETE


def test_records_from_a_byte_on_are_read_although_lines_before_it_are_gone(whole, tmp_path):
    (tmp_path / JOURNAL).write_bytes(whole)
    places = [(record["from"], end) for record, end in read_records(tmp_path)]
    lines = whole.splitlines(keepends=True)
    (tmp_path / JOURNAL).write_bytes(b"".join([lines[0], *lines[3:]]))
    for n in range(3, len(places)):
        found = [(record["from"], end) for record, end in read_records(tmp_path, places[n][0])]
        assert found == places[n:]
    assert list(read_records(tmp_path, places[-1][1])) == []


def test_a_run_whose_journal_is_damaged_does_not_go_on(whole, tmp_path):
    lines = whole.splitlines(keepends=True)
    (tmp_path / JOURNAL).write_bytes(b"".join([*lines[:3], b"nonsense\n", *lines[4:]]))
    with pytest.raises(InputError, match=r"line 4 cannot be read, \d+ bytes of records are") as one:
        Journal(tmp_path)
    assert "\n" not in str(one.value)
    assert f", {len(lines[3])} bytes" in str(one.value)


@pytest.mark.parametrize(
    "count", [40, pytest.param(min(40 * ROUNDS, DAMAGES), marks=pytest.mark.chaos)]
)
def test_after_a_sync_all_is_there_or_what_is_not_is_said(client, experiment, tmp_path, count):
    said = []
    for number in range(count):
        folder = left_behind(tmp_path, f"run-{number}")
        (folder / JOURNAL).write_bytes(damaged((folder / JOURNAL).read_bytes(), number))
        try:
            send_leftover(folder, uri=client.tracking_uri, wait=5.0)
        except InputError as error:
            assert str(folder) in str(error)
            assert complete_run(client, experiment, f"run-{number}") is None
            said.append(number)
        else:
            assert not folder.exists()
            assert_whole(client, complete_run(client, experiment, f"run-{number}"))
    moved = count // len(KINDS)
    assert set(said) <= {n for n in range(count) if KINDS[n % len(KINDS)] is not reorder}
    assert len(said) > 0.9 * (count - moved)


def assert_whole(client, run):
    for name, values in METRICS.items():
        history = client.get_metric_history(run.info.run_id, name)
        assert [(one.step, one.value) for one in history] == values
    assert [one.path for one in client.list_artifacts(run.info.run_id)] == ["scores.json"]


def test_what_can_be_read_is_sent_as_of_a_failed_run_and_the_run_is_filled_up_again(
    client, experiment, tmp_path
):
    folder = left_behind(tmp_path, "run")
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    lines[4] = bytes(len(lines[4]) - 1) + b"\n"
    (folder / JOURNAL).write_bytes(b"".join(lines))
    for _ in range(2):
        with pytest.raises(InputError, match="line 5 cannot be read") as told:
            send_leftover(folder, uri=client.tracking_uri, wait=5.0)
        assert "\n" not in str(told.value)
        (run,) = client.search_runs([experiment])
        assert run.data.tags[STATE] == FAILED
        assert "line 5 cannot be read" in run.data.tags[ERROR]
        history = client.get_metric_history(run.info.run_id, "loss/0")
        assert [(one.step, one.value) for one in history] == [
            value for value in METRICS["loss/0"] if value[0] != 4
        ]
    shutil.rmtree(folder)
    send_leftover(left_behind(tmp_path, "run"), uri=client.tracking_uri, wait=5.0)
    (run,) = client.search_runs([experiment])
    history = client.get_metric_history(run.info.run_id, "loss/0")
    assert sorted((one.step, one.value) for one in history) == METRICS["loss/0"]


@pytest.mark.parametrize("place", ["elsewhere", "link", "inside"])
def test_a_journal_cannot_have_other_folders_sent(client, experiment, tmp_path, place):
    folder = tmp_path / "runs" / tmp_path.name / "run"
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("secret")
    folder.mkdir(parents=True)
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "inside").mkdir()
    (folder / "inside" / "key").symlink_to(tmp_path / "secret" / "key")
    files = {"elsewhere": str(tmp_path / "secret"), "link": "link", "inside": "inside"}[place]
    journal = Journal(folder)
    run = {"name": "run", "params": {}, "tags": {HASH: "run"}, "parent": None}
    where = {"experiment": tmp_path.name, "output_dir": str(tmp_path), "uri": "sqlite:///none"}
    journal.append(begin={**where, "run": run})
    journal.append(files=files)
    journal.append(end={"state": COMPLETE, "error": None})
    with pytest.raises(InputError, match=r"artifacts must lie in .*, got .*, which lies elsewhere"):
        send_leftover(folder, uri=client.tracking_uri, wait=5.0)
    (run,) = client.search_runs([experiment])
    assert client.list_artifacts(run.info.run_id) == []


@pytest.mark.parametrize("name", [JOURNAL, SENT])
def test_a_link_in_place_of_a_file_is_not_followed(tmp_path, name):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(victim)
    with pytest.raises(InputError, match=rf"{name}: must be a file, got a symbolic link") as told:
        Journal(tmp_path / "run").append(metrics={"loss": 1.0}, step=1)
    assert "\n" not in str(told.value)
    assert victim.read_text() == "precious"
