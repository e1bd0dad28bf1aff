"""Sources of training data as a configuration names them."""

import json
import os
from pathlib import Path

import pytest

from lingmix.assembly.sources import load_columns
from lingmix.cli.config import checked, resolved
from lingmix.data.named_sources import named_sources
from lingmix.errors import InputError
from lingmix.tracking import contents

READER = "lingmix.data.sources.pair_rows.read_pairs"


def write(path: Path, passage: str, language: str = "de") -> str:
    row = {
        "query": "where?",
        "passage": passage,
        "query_lang": "en",
        "passage_lang": language,
        "source_id": "a",
    }
    path.write_text(json.dumps(row), "utf-8")
    return str(path)


def loaded(folder: Path, *paths: str, expand_pairs: bool = False):
    contents._content.cache_clear()
    data = {"train": [{"_target_": READER, "path": [*paths]}], "expand_pairs": expand_pairs}
    return load_columns({"data": data, "output_dir": str(folder / "output")})


def made(folder: Path) -> set[Path]:
    """Shards, each with its time of making."""
    return {
        (path, path.stat().st_mtime_ns)
        for path in folder.glob("output/cache/columns/*/texts.arrow")
    }


def test_a_file_that_is_changed_is_read_again_alone(tmp_path):
    paths = [write(tmp_path / f"{name}.jsonl", name) for name in ("eins", "zwei")]
    assert [*loaded(tmp_path, *paths).texts] == ["where?", "eins", "where?", "zwei"]
    before = made(tmp_path)
    write(tmp_path / "zwei.jsonl", "drei")
    columns = loaded(tmp_path, *paths)
    assert [*columns.texts] == ["where?", "eins", "where?", "drei"]
    assert columns.item_I.tolist() == [0, 0], "files of one source share ids"
    assert len(made(tmp_path) - before) == 1
    assert before < made(tmp_path)


def test_an_item_is_combined_from_all_files_of_a_source(tmp_path):
    """Its query with both of its passages, as either file alone lists it with one."""
    paths = [write(tmp_path / "1.jsonl", "eins"), write(tmp_path / "2.jsonl", "un", "fr")]
    listed, combined = (loaded(tmp_path, *paths, expand_pairs=each) for each in (False, True))
    assert (len(listed.query_N), len(combined.query_N)) == (2, 2)
    assert [*combined.item_ids] == ["a"]
    assert [*listed.item_ids] == ["a", "a"]


def test_a_file_that_is_moved_is_not_read_again(tmp_path):
    first = loaded(tmp_path, write(tmp_path / "eins.jsonl", "eins"))
    (tmp_path / "eins.jsonl").rename(tmp_path / "moved.jsonl")
    second = loaded(tmp_path, str(tmp_path / "moved.jsonl"))
    assert len(made(tmp_path)) == 1
    assert [*first.texts] == [*second.texts]


def test_a_file_that_is_gone_is_one_line(tmp_path):
    paths = [write(tmp_path / f"{name}.jsonl", name) for name in ("eins", "zwei")]
    loaded(tmp_path, *paths)
    Path(paths[1]).unlink()
    with pytest.raises(InputError, match=rf"^{paths[1]}: no such file; expected pairs"):
        loaded(tmp_path, *paths)


def test_a_corpus_larger_than_the_disk_is_refused_with_the_arithmetic(tmp_path, monkeypatch):
    path = tmp_path / "huge.jsonl"
    path.write_bytes(b"")
    monkeypatch.setattr(contents, "_file_digest", lambda file, notes: "00")
    os.truncate(path, 10**13)  # a file of one hole
    with pytest.raises(
        InputError, match=r"huge.jsonl \(9,313.2 GiB of text, twice over\) need 18,6"
    ):
        loaded(tmp_path, str(path))


def test_each_choice_of_data_brings_its_set_and_its_licence(configure):
    data = resolved(configure("train", "data=[mkqa,mintaka]"))["data"]
    assert [*named_sources(data)] == ["data.sets.mkqa", "data.sets.mintaka"]
    assert data["licences"] == {"mkqa": "CC-BY-SA-3.0", "mintaka": "CC-BY-4.0"}


def test_a_list_of_sources_stands_in_place_of_sets(configure):
    listed = f"data.train=[{{_target_: {READER}, path: a}}]"
    data = resolved(configure("train", listed))["data"]
    assert named_sources(data) == {"data.train.0": {"_target_": READER, "path": "a"}}
    with pytest.raises(InputError, match=r"^data.sets: must have a source, got none"):
        checked(configure("train", "~data.sets.cldr"), "train")


def test_a_set_has_ids_of_its_own(configure, tmp_path):
    paths = [write(tmp_path / f"{name}.jsonl", name) for name in ("eins", "zwei")]
    more = f"+data.sets.more={{_target_: {READER}, path: {paths[1]}}}"
    config = configure("train", "data=pairs", f"data.path={paths[0]}", more)
    columns = load_columns(resolved(config) | {"output_dir": str(tmp_path / "output")})
    assert [*columns.item_ids] == ["a", "a"]
    assert columns.item_I.tolist() == [0, 1]
    assert columns.joined.groups().tolist() == [0, 1]
