"""Other code or other data is another run, and is said."""

import os
import subprocess
from importlib.metadata import version

import pytest

from lingmix.tracking import code, contents, versions
from lingmix.tracking.history import changes, changes_since, complete_run, unfinished_runs
from lingmix.tracking.identity import (
    ASKED,
    CODE,
    DATA,
    HASH,
    RAN,
    config_hash,
    identify,
    provenance,
)
from lingmix.tracking.run_table import cell_table
from tests.tracking.conftest import run_of

PAIRS = "lingmix.data.sources.pair_rows.read_pairs"


def config(**others):
    return {
        "sampler": {"alpha": 0.5},
        "augmentation": {"scale": 0},
        "seed": 0,
        "data": {"train": [{"_target_": PAIRS, "path": "none.jsonl"}]},
        "tracking": {"uri": "sqlite:///x", "code": None, "parent": None},
    } | others


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A package of two files, one of which decides."""
    for name in ("model/net.py", "analysis/report.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("one")
    monkeypatch.setattr(code, "PACKAGE", tmp_path)
    code.code_version.cache_clear()
    code.git_tags.cache_clear()
    yield tmp_path
    code.code_version.cache_clear()
    code.git_tags.cache_clear()


def edit(file):
    file.write_text("two")
    code.code_version.cache_clear()


def record(client, experiment, values):
    with run_of(client, experiment, params=values, tags=identify(values).tags) as run_id:
        return run_id


def test_an_edited_source_is_other_code_and_another_hash(sources):
    before, hashed = code.code_version(), config_hash(config())
    assert before.startswith(f"{version('lingmix')}-")
    edit(sources / "model" / "net.py")
    assert code.code_version() != before
    assert config_hash(config()) != hashed


def test_the_texts_of_the_embedded_data_are_code(sources):
    before = code.code_version()
    (sources / "model" / "phrases.toml").write_text("one")
    code.code_version.cache_clear()
    assert code.code_version() != before


def test_a_word_is_no_folder_that_happens_to_be_called_so(tmp_path, monkeypatch):
    words = config(
        evaluation={
            "cldr": {
                "_target_": "lingmix.data.sources.cldr.read_cldr",
                "split": "test",
                "languages": ["en", "de"],
            }
        },
        encoder={"name": "tiny", "scratch": {"dimension": 8}},
    )
    monkeypatch.chdir(tmp_path)
    before = config_hash(words)
    for word in ("test", "en", "tiny"):
        (tmp_path / word).mkdir()
        (tmp_path / word / "file").write_text(word)
    assert config_hash(words) == before


def test_an_encoder_s_folder_counts_by_what_it_holds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = config(encoder={"name": "mine", "scratch": None})
    (tmp_path / "mine").mkdir()
    before = config_hash(asked)
    (tmp_path / "mine" / "weights").write_text("other")
    contents._content.cache_clear()
    assert config_hash(asked) != before


def test_what_only_records_and_reports_is_not_the_code_of_a_result(sources):
    before = code.code_version()
    edit(sources / "analysis" / "report.py")
    assert code.code_version() == before


def test_a_run_may_count_as_of_older_code_and_its_tags_say_what_ran_it(sources):
    older, hashed = code.code_version(), config_hash(config())
    edit(sources / "model" / "net.py")
    kept = config(tracking={"code": older})
    assert config_hash(kept) == hashed
    assert identify(kept).tags[CODE] == older
    assert provenance()[RAN] == code.code_version() != older


def test_data_that_changes_is_other_data_asked_for_in_the_same_words(tmp_path):
    file = tmp_path / "pairs.jsonl"
    values = config(data={"train": [{"path": str(file)}]})
    file.write_text("one")
    before = identify(values).tags
    file.write_text("more")
    contents._content.cache_clear()
    after = identify(values).tags
    assert after[ASKED] == before[ASKED]
    assert after[CODE] == before[CODE]
    assert after[DATA] != before[DATA]
    assert after[HASH] != before[HASH]


def test_embedded_data_counts_by_the_version_of_the_package_it_comes_with(monkeypatch):
    embedded = config(data={"train": [{"_target_": "lingmix.data.sources.cldr.read_cldr"}]})
    before, other = identify(embedded).tags, identify(config()).tags
    monkeypatch.setattr(versions, "version", lambda package: f"another {package}")
    versions.installed.cache_clear()
    assert identify(embedded).tags[DATA] != before[DATA]
    assert identify(config()).tags == other
    versions.installed.cache_clear()


def test_a_run_complete_with_other_code_is_said_once_and_reported_as_the_newest(
    client, experiment, sources
):
    older = code.code_version()
    first = record(client, experiment, config())
    assert changes_since(client, experiment, identify(config(seed=1)).tags) == []
    edit(sources / "model" / "net.py")
    tags = identify(config()).tags
    assert complete_run(client, experiment, tags[HASH]) is None
    (line,) = changes_since(client, experiment, tags)
    assert line == (
        f"complete with other code (then {older}, now {code.code_version()}): 1, to run again; "
        f"tracking.code={older} keeps what is there"
    )
    kept = identify(config(tracking={"code": older})).tags
    assert complete_run(client, experiment, kept[HASH]).info.run_id == first
    second = record(client, experiment, config())
    assert cell_table(client, experiment)["run_id"].to_list() == [second]


def test_a_run_that_newer_code_completed_is_not_missed_any_more(client, experiment, sources):
    with (
        pytest.raises(RuntimeError),
        run_of(client, experiment, params=config(), tags=identify(config()).tags),
    ):
        raise RuntimeError
    assert unfinished_runs(client, experiment) == ["run (failed)"]
    edit(sources / "model" / "net.py")
    record(client, experiment, config())
    assert unfinished_runs(client, experiment) == []


def test_changes_count_the_cells_that_other_data_made(client, experiment, tmp_path):
    file = tmp_path / "pairs.jsonl"
    file.write_text("one")
    asked = [config(data={"train": [{"path": str(file)}]}, seed=seed) for seed in range(3)]
    runs = [client.get_run(record(client, experiment, values)) for values in asked[:2]]
    file.write_text("more")
    contents._content.cache_clear()
    tags = [identify(values).tags for values in asked]
    assert changes(runs, tags) == ["complete with other data than there is now: 2, to run again"]


def test_a_checkout_is_named_by_its_commit_and_whether_it_was_edited(tmp_path, monkeypatch):
    package = tmp_path / "src" / "lingmix"
    package.mkdir(parents=True)
    (package / "a.py").write_text("one")
    monkeypatch.setattr(code, "PACKAGE", package)
    code.git_tags.cache_clear()
    assert code.git_tags() == {}
    for arguments in (
        ["init", "-q", "-b", "trunk"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "first"],
    ):
        subprocess.run(["git", "-C", tmp_path, *arguments], check=True)
    code.git_tags.cache_clear()
    clean = code.git_tags()
    assert clean["mlflow.source.git.branch"] == "trunk"
    assert clean["mlflow.source.git.dirty"] == "false"
    assert len(clean["mlflow.source.git.commit"]) == 40
    (package / "a.py").write_text("two")
    code.git_tags.cache_clear()
    assert code.git_tags() == clean | {"mlflow.source.git.dirty": "true"}
    code.git_tags.cache_clear()


def test_a_large_file_is_read_once_while_it_stays_as_it_is(tmp_path, monkeypatch):
    """That it is not read again shows where its time of change is put back, and not otherwise."""
    monkeypatch.setattr(contents, "LARGE", 4)
    file, notes = tmp_path / "pairs.jsonl", tmp_path / "digests"

    def digest():
        contents._content.cache_clear()
        return contents.content_digest(file, notes=notes)

    file.write_text("before")
    first, written = digest(), file.stat().st_mtime_ns
    file.write_text("behind")
    os.utime(file, ns=(written, written))
    assert digest() == first
    os.utime(file, ns=(written, written + 1))
    assert digest() != first
    contents._content.cache_clear()
    assert contents.content_digest(file, notes=None) == digest()
