"""What was encoded once is not encoded again: within a process, and in the next."""

import json

import numpy as np
import pytest
import torch

from lingmix.errors import InputError
from lingmix.model.embed import cached_encoder, encode_texts
from lingmix.model.embedding_store import EmbeddingStore, first_of_each, keys_of

TEXTS = ["a river", "a lake", "a river", "the sea", "", "a lake and a river"]


def opened(folder, *, fingerprint="f", dimension=3):
    return EmbeddingStore(folder, name="some/model", fingerprint=fingerprint, dimension=dimension)


def made(texts, dimension=3):
    return np.array([[len(text), n, 1] for n, text in enumerate(texts)], dtype=np.float32)


def test_keys_tell_texts_apart_and_the_first_of_each_is_found():
    keys = keys_of(TEXTS)
    assert (keys[0] == keys[2]).all()
    assert first_of_each(keys).tolist() == [0, 1, 3, 4, 5]
    assert first_of_each(keys_of([])).tolist() == []


@pytest.mark.parametrize("kept", [True, False])
def test_a_store_gives_back_what_was_added_in_any_order(tmp_path, kept):
    store = opened(tmp_path / "s" if kept else None)
    assert store.rows(keys_of(TEXTS)).tolist() == [-1] * 6
    store.add(keys_of(["x", "y"]), made(["x", "y"]))
    store.add(keys_of(["z"]), made(["z"]))
    vectors = store.vectors(keys_of(["z", "x", "z", "y"]))
    assert vectors[np.arange(4)].tolist() == [[1, 0, 1], [1, 0, 1], [1, 0, 1], [1, 1, 1]]
    assert store.rows(keys_of(["y", "w"])).tolist() == [1, -1]


def test_two_that_add_at_once_lose_nothing(tmp_path):
    one, other = opened(tmp_path), opened(tmp_path)
    one.add(keys_of(["x"]), made(["x"]))
    other.add(keys_of(["yy"]), made(["yy"]))
    again = opened(tmp_path)
    assert again.vectors(keys_of(["x", "yy"]))[:].tolist() == [[1, 0, 1], [2, 0, 1]]


def test_what_a_crash_left_half_written_is_written_over(tmp_path):
    opened(tmp_path).add(keys_of(["x"]), made(["x"]))
    with (tmp_path / "vectors").open("ab") as vectors, (tmp_path / "keys").open("ab") as keys:
        vectors.write(b"\0" * 17)
        keys.write(b"\0" * 9)
    opened(tmp_path).add(keys_of(["yy"]), made(["yy"]))
    assert opened(tmp_path).vectors(keys_of(["x", "yy"]))[:].tolist() == [[1, 0, 1], [2, 0, 1]]


def test_a_store_of_another_model_is_refused_and_both_are_named(tmp_path):
    opened(tmp_path, fingerprint="theirs")
    says = r"made by another model, some/model \(theirs\), not by some/model \(f\); delete"
    with pytest.raises(InputError, match=says):
        opened(tmp_path)
    with pytest.raises(InputError, match="made by another model"):
        opened(tmp_path, fingerprint="theirs", dimension=4)


def test_a_store_that_was_cut_or_garbled_is_refused(tmp_path):
    opened(tmp_path).add(keys_of(["x", "y"]), made(["x", "y"]))
    with (tmp_path / "vectors").open("r+b") as file:
        file.truncate(20)
    with pytest.raises(InputError, match="holds 1 of 2 vectors, the file was cut; delete"):
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


def test_a_text_that_two_add_is_kept_once(tmp_path):
    one, other = opened(tmp_path), opened(tmp_path)
    one.add(keys_of(["x", "y"]), made(["x", "y"]))
    other.add(keys_of(["y", "z"]), made(["y", "z"]))
    assert (tmp_path / "keys").stat().st_size == 3 * 16


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
    assert not (folder / "keys").exists()
