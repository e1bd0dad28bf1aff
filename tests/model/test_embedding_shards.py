"""What was encoded once is not encoded again: within a process, in the next, and in others at work
at the same time."""

import json
import multiprocessing
import os
import signal
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from lingmix.data import file_cache
from lingmix.errors import InputError
from lingmix.model import embedding_shards
from lingmix.model.embed import cached_encoder, encode_texts
from lingmix.model.embedding_shards import ShardedEmbeddings
from lingmix.model.embedding_store import EmbeddingStore, first_of_each, keys_of
from tests.events import until

TEXTS = ["a river", "a lake", "a river", "the sea", "", "a lake and a river"]


def opened(folder, *, fingerprint="f", dimension=3):
    return ShardedEmbeddings(
        folder, name="some/model", fingerprint=fingerprint, dimension=dimension
    )


def absent(store, texts):
    return [texts[n] for part in store.missing(keys_of(texts)) for n in part]


def made(texts, dimension=3):
    return np.array([[len(text), n, 1] for n, text in enumerate(texts)], dtype=np.float32)


def test_keys_tell_texts_apart_and_the_first_of_each_is_found():
    keys = keys_of(TEXTS)
    assert (keys[0] == keys[2]).all()
    assert first_of_each(keys).tolist() == [0, 1, 3, 4, 5]
    assert first_of_each(keys_of([])).tolist() == []


@pytest.mark.parametrize("kept", [True, False])
def test_a_store_gives_back_what_was_added_in_any_order(tmp_path, kept):
    store = opened(tmp_path / "s") if kept else EmbeddingStore(3)
    (missing,) = store.missing(keys_of(["x", "y"]))
    assert missing.tolist() == [0, 1]
    store.add(keys_of(["x", "y"]), made(["x", "y"]))
    store.add(keys_of(["z"]), made(["z"]))
    (missing,) = store.missing(keys_of(["y", "w", "z"]))
    assert missing.tolist() == [1]
    vectors = store.vectors(keys_of(["z", "x", "z", "y"]))
    assert vectors[np.arange(4)].tolist() == [[1, 0, 1], [1, 0, 1], [1, 0, 1], [1, 1, 1]]
    assert vectors[np.array([[3], [0]])].tolist() == [[[1, 1, 1]], [[1, 0, 1]]]
    assert vectors.shape == (4, 3)


def test_two_that_add_at_once_lose_nothing(tmp_path):
    one, other = opened(tmp_path), opened(tmp_path)
    one.add(keys_of(["x"]), made(["x"]))
    other.add(keys_of(["yy"]), made(["yy"]))
    assert absent(one, ["x", "yy", "z"]) == ["z"]
    again = opened(tmp_path)
    assert again.vectors(keys_of(["x", "yy"]))[:].tolist() == [[1, 0, 1], [2, 0, 1]]


def test_what_a_kill_left_half_written_is_not_read(tmp_path):
    opened(tmp_path).add(keys_of(["x"]), made(["x"]))
    (tmp_path / "shards" / "0123.unfinished").write_bytes(b"half")
    assert absent(opened(tmp_path), ["x", "yy"]) == ["yy"]


@pytest.mark.parametrize("damage", ["deleted", "flipped", "cut", "emptied", "grown"])
def test_a_shard_that_was_deleted_or_changed_is_noticed_and_its_texts_are_missing(
    tmp_path, damage, caplog
):
    opened(tmp_path).add(keys_of(["x", "y"]), made(["x", "y"]))
    (path,) = (tmp_path / "shards").iterdir()
    contents = path.read_bytes()
    opened(tmp_path).add(keys_of(["z"]), made(["z"]))
    flipped = contents[:-1] + bytes([contents[-1] ^ 1])
    if damage == "deleted":
        path.unlink()
    else:
        cut, grown = contents[:-12], contents + contents[:28]
        path.write_bytes({"flipped": flipped, "cut": cut, "emptied": b"", "grown": grown}[damage])
    again = opened(tmp_path)
    assert absent(again, ["x", "y", "z"]) == ["x", "y"]
    again.add(keys_of(["x", "y"]), made(["x", "y"]))
    assert path.read_bytes() == contents
    assert absent(opened(tmp_path), ["x", "y", "z"]) == []
    assert caplog.text.count("was changed: its texts are encoded again") == (damage != "deleted")


def test_a_shard_that_goes_while_it_is_read_is_named(tmp_path):
    store = opened(tmp_path)
    store.add(keys_of(["x"]), made(["x"]))
    assert absent(store, ["x"]) == []
    (path,) = (tmp_path / "shards").iterdir()
    path.unlink()
    with pytest.raises(InputError, match=rf"{path}: was deleted or cut while it was in use"):
        store.vectors(keys_of(["x"]))[0]


def test_vectors_that_the_disk_has_no_room_for_are_refused_with_the_arithmetic(
    tmp_path, monkeypatch
):
    store = opened(tmp_path, dimension=384)
    store.add(keys_of(["x"]), np.zeros((1, 384), np.float32))
    assert absent(store, ["x"]) == []
    keys = keys_of(["x", *map(str, range(1000))])
    store.require_space(keys)
    disk = type("Disk", (), {"free": 1000 * (4 * 384 + 16) - 1})
    monkeypatch.setattr(file_cache.shutil, "disk_usage", lambda _: disk)
    says = r"^embeddings: .* has 0\.0 GiB free, and 1,000 vectors of 4 x 384 \+ 16 bytes need 0\.0"
    with pytest.raises(InputError, match=says):
        store.require_space(keys)
    disk.free += 1
    store.require_space(keys)


def test_a_store_of_another_model_is_refused_and_both_are_named(tmp_path):
    opened(tmp_path, fingerprint="theirs")
    says = r"made by another model, some/model \(theirs\), not by some/model \(f\); delete"
    with pytest.raises(InputError, match=says):
        opened(tmp_path)
    with pytest.raises(InputError, match="made by another model"):
        opened(tmp_path, fingerprint="theirs", dimension=4)


def test_a_store_whose_description_is_garbled_is_refused(tmp_path):
    opened(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(InputError, match=r"model\.json: cannot be read"):
        opened(tmp_path)


def test_a_second_process_encodes_nothing(load, tmp_path):
    encoder = load("tiny")
    first = cached_encoder(encoder, name="tiny", precision="32-true", folder=tmp_path)
    vectors = first(TEXTS, "passage")
    assert (first.encoded, first.cached) == (5, 0)
    second = cached_encoder(encoder, name="tiny", precision="32-true", folder=tmp_path)
    assert np.array_equal(second(TEXTS, "passage")[:], vectors[:])
    assert (second.encoded, second.cached) == (0, 5)
    plain = encode_texts(encoder, TEXTS, "passage", batch_tokens=999, precision="32-true")
    assert vectors[:] == pytest.approx(plain, abs=1e-6)
    (folder,) = tmp_path.iterdir()
    assert json.loads((folder / "model.json").read_text())["name"] == "tiny"


def test_a_text_is_encoded_anew_under_another_prompt_or_precision_and_with_other_weights(
    load, tmp_path
):
    def encoded(precision="32-true", role="query", **settings):
        encode = cached_encoder(
            load("tiny", **settings), name="tiny", precision=precision, folder=tmp_path
        )
        encode(["a river"], role)
        return encode.encoded

    assert encoded() == 1
    assert encoded() == 0
    assert encoded(role="passage") == 0
    prompts = {"query": "q: ", "passage": "p: "}
    assert encoded(prompts=prompts) == 1
    assert encoded(prompts=prompts, role="passage") == 1
    assert encoded(prompts=prompts) == 0
    assert encoded(precision="bf16-mixed") == 1
    assert encoded(seed=4) == 1
    assert encoded() == 0


def test_a_store_that_lost_its_name_is_refused(tmp_path):
    opened(tmp_path).add(keys_of(["x"]), made(["x"]))
    (tmp_path / "model.json").unlink()
    with pytest.raises(InputError, match=r"its model\.json is missing; delete the folder"):
        opened(tmp_path, fingerprint="another")


def test_vectors_that_are_not_finite_are_never_kept(load, tmp_path):
    encoder = load("static")
    with torch.no_grad():
        encoder.embedder.embedding.weight.fill_(float("nan"))
    encode = cached_encoder(encoder, name="lost", precision="32-true", folder=tmp_path)
    with pytest.raises(InputError, match="encoder lost: the vector of query 'a river' is not"):
        encode(["a river"], "query")
    (folder,) = tmp_path.iterdir()
    assert not [*(folder / "shards").iterdir()]


NUMBERS = [str(number) for number in range(40)]


def encode_some(folder, made, name, stop_at=None, processes=1):
    """Encodes `NUMBERS` in shards of 4, and writes which into the folder `made`; stores none before
    all `processes` have one in hand, and stops for ever before that of `stop_at`."""
    embedding_shards.SHARD = 4
    store = opened(folder)
    keys = keys_of(NUMBERS)
    for part in store.missing(keys):
        for number in part.tolist():
            (made / f"{number} {name}").touch()
        if stop_at in part:
            (made / "stopped").touch()
            signal.pause()
        until(lambda: len({path.name.split()[-1] for path in made.iterdir()}) >= processes)
        store.add(keys[part], np.array([[number, 0, 1] for number in part], np.float32))


def started(*arguments):
    process = multiprocessing.get_context("fork").Process(target=encode_some, args=arguments)
    process.start()
    return process


def times_encoded(made: Path) -> Counter[int]:
    return Counter(int(path.name.split()[0]) for path in made.iterdir() if path.name != "stopped")


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_the_shards_and_encode_each_text_once(tmp_path, processes):
    (made := tmp_path / "made").mkdir()
    at_work = [
        started(tmp_path / "store", made, name, None, processes) for name in range(processes)
    ]
    for process in at_work:
        process.join()
        assert process.exitcode == 0
    assert times_encoded(made) == Counter(range(40))
    vectors = opened(tmp_path / "store").vectors(keys_of(NUMBERS))
    assert vectors[np.arange(40)][:, 0].tolist() == list(range(40))
    assert not [*(tmp_path / "store" / "locks").iterdir()]


@pytest.mark.parametrize("place", range(0, 40, 4))
def test_a_kill_at_any_shard_loses_that_shard_alone(tmp_path, place):
    """One that waits for the killed process's shard takes it over; one that starts later has
    nothing to do."""
    (made := tmp_path / "made").mkdir()
    killed = started(tmp_path / "store", made, "killed", place)
    until((made / "stopped").exists)
    other = started(tmp_path / "store", made, "other")
    until(lambda: len(times_encoded(made)) == 40)
    os.kill(killed.pid, signal.SIGKILL)
    killed.join()
    other.join()
    assert other.exitcode == 0
    twice = [number for number, times in times_encoded(made).items() if times > 1]
    assert sorted(twice) == list(range(place, place + 4))
    assert absent(opened(tmp_path / "store"), NUMBERS) == []
