"""Figures of different data, code, libraries or hardware are never averaged, and are said."""

from pathlib import Path

import pytest

from lingmix.analysis.baselines import evaluated, label
from lingmix.analysis.generations import generations
from lingmix.analysis.groups import groups, measured
from lingmix.analysis.page.report import write_report
from lingmix.analysis.results import results_of
from lingmix.analysis.summary import summarise
from lingmix.tracking import contents
from lingmix.tracking.generation import HARDWARE, hardware_kind
from lingmix.tracking.history import replaced_runs, unfinished_runs
from lingmix.tracking.identity import identify
from lingmix.tracking.lifecycle import KIND
from lingmix.tracking.run_table import cell_table, evaluation_table
from tests.analysis.page.test_report import Page
from tests.tracking.conftest import run_of

PAIRS = "lingmix.data.sources.pair_rows.read_pairs"
BEIR = "lingmix.data.sources.beir.read_beir"
CPU, GPU = "2 cores of EPYC, bf16-mixed", "1 x H200, bf16-mixed"


@pytest.fixture
def record(client, experiment, tmp_path):
    """Records a complete training: which alpha, seed, data, code and hardware, what mAP."""
    file = tmp_path / "pairs.jsonl"

    def recorded(value, *, alpha=0.5, seed=0, data="old", code="A", hardware=CPU, torch="2.8.0"):
        file.write_text(data)
        contents._content.cache_clear()
        config = {
            "sampler": {"alpha": alpha},
            "augmentation": {"scale": 0},
            "seed": seed,
            "data": {"train": [{"_target_": PAIRS, "path": str(file)}]},
            "encoder": {"name": "tiny", "scratch": {"dimension": 8}},
            "trainer": {"max_steps": 4},
            "tracking": {"code": code, "versions": {"torch": torch}},
        }
        tags = {**identify(config).tags, HARDWARE: hardware}
        with run_of(client, experiment, params=config, tags=tags) as run_id:
            client.log_metric(run_id, "test/toy/multilingual/map", value)

    return recorded


@pytest.fixture
def summary(client, experiment):
    def rows(*columns):
        runs = measured(cell_table(client, experiment), "toy")
        return summarise(runs).select("seeds", "multilingual", *columns).rows()

    return rows


def test_new_data_under_the_same_name_replaces_the_old_runs(client, experiment, record, summary):
    for seed, value in enumerate((0.1, 0.3)):
        record(value, seed=seed)
    for seed, value in enumerate((0.7, 0.9)):
        record(value, seed=seed, data="new")
    assert summary() == [(2, pytest.approx(0.8))]
    (line,) = replaced_runs(client, experiment)
    assert line.startswith("2 older runs (data.train.0.path ")


@pytest.mark.parametrize(
    "other",
    [{"data": "new"}, {"code": "B"}, {"hardware": GPU}, {"torch": "2.9.0"}],
    ids=["data", "code", "hardware", "libraries"],
)
def test_seeds_of_two_generations_are_told_apart_and_not_averaged(
    client, experiment, record, summary, other
):
    """.2 and .6 were once ".400 ± .283 over 2 seeds"."""
    record(0.2, seed=0)
    record(0.6, seed=1, **other)
    record(0.8, seed=2, **other)
    found = sorted(summary("multilingual_spread"))
    assert found == [(1, 0.2, None), (2, pytest.approx(0.7), pytest.approx(0.02**0.5))]
    assert replaced_runs(client, experiment) == []


@pytest.mark.parametrize(
    "other",
    [{"data": "new"}, {"code": "B"}, {"hardware": GPU}, {"torch": "2.9.0"}],
    ids=["data", "code", "hardware", "libraries"],
)
def test_strategies_of_two_generations_are_not_compared(client, experiment, record, other):
    record(0.2, alpha=1)
    record(0.6, alpha=0.5, **other)
    runs = measured(cell_table(client, experiment), "toy")
    assert len([*groups(runs)]) == 2


def test_a_grid_that_newer_code_ran_in_part_keeps_each_cell_s_newest(
    client, experiment, record, summary
):
    for seed, value in enumerate((0.1, 0.2, 0.3)):
        record(value, seed=seed)
    record(0.9, seed=0, code="B")
    assert summary("param.code") == [(1, 0.9, "B"), (2, pytest.approx(0.25), "A")]
    assert replaced_runs(client, experiment) == ["1 older runs (code A)"]


def test_more_cores_of_the_same_processor_are_the_same_hardware(record, summary):
    record(0.2, seed=0, hardware="2 cores of EPYC, bf16-mixed")
    record(0.6, seed=1, hardware="16 cores of EPYC, bf16-mixed")
    assert summary() == [(2, pytest.approx(0.4))]
    assert hardware_kind("2 x H200, 1 x V100, 32-true") == "H200, V100, 32-true"


def test_another_precision_is_other_hardware(record, summary):
    record(0.2, seed=0)
    record(0.6, seed=1, hardware="2 cores of EPYC, 32-true")
    assert sorted(summary()) == [(1, 0.2), (1, 0.6)]


def test_other_files_that_a_sweep_asks_for_are_a_setting_and_no_generation(
    client, experiment, tmp_path, record
):
    for name, content in (("a", "one"), ("b", "two")):
        (tmp_path / name).write_text(content)
        config = {
            "sampler": {"alpha": 1},
            "seed": 0,
            "data": {"train": [{"_target_": PAIRS, "path": str(tmp_path / name)}]},
        }
        tags = identify(config).tags
        with run_of(client, experiment, params=config, tags=tags) as run_id:
            client.log_metric(run_id, "test/toy/multilingual/map", 0.5)
    runs = measured(cell_table(client, experiment), "toy")
    assert [c for c in runs.columns if c.startswith("param.")] == ["param.data.train.0.path"]


def test_the_page_and_the_terminal_say_of_what_the_figures_are(
    client, experiment, record, tmp_path
):
    record(0.1, seed=0, data="older")
    record(0.2, seed=0)
    record(0.6, seed=1, code="B")
    table = cell_table(client, experiment)
    told = dict(generations(table))
    assert told["Code"] == "A; B; runs that differ in it are neither averaged nor compared"
    assert told["Hardware"] == "EPYC, bf16-mixed"
    assert "torch 2.8.0" in told["Libraries"]
    assert told["Data"].endswith(" (data.train.0.path)")
    [path, *_] = write_report(
        results_of(table, evaluation_table(client, experiment)),
        name="x",
        folder=tmp_path / "report",
        left_out=replaced_runs(client, experiment),
    )
    text = Page(Path(path).read_text()).text
    for part in (*told.values(), "1 older runs (data.train.0.path ", "code A", "code B"):
        assert part in text


def test_a_run_that_fails_anew_is_missed_though_older_code_completed_it(client, experiment, record):
    record(0.2)
    assert unfinished_runs(client, experiment) == []
    config = {"sampler": {"alpha": 0.5}, "seed": 7}
    for code, error in (("A", None), ("B", RuntimeError())):
        tags = identify(config | {"tracking": {"code": code}}).tags
        try:
            with run_of(client, experiment, params=config, tags=tags, name=f"of {code}"):
                if error:
                    raise error
        except RuntimeError:
            pass
    assert unfinished_runs(client, experiment) == ["of B (failed)"]


def test_evaluations_say_of_what_they_are_where_they_differ(client, experiment, tmp_path):
    """Words and networks use other libraries, and encoders are other files: no generation."""
    corpus = tmp_path / "beir" / "corpus.jsonl"
    corpus.parent.mkdir()

    def record(name, *, corpus_of, code="A", **encoder):
        corpus.write_text(corpus_of)
        contents._content.cache_clear()
        config = {
            "encoder": {"name": name, **encoder},
            "evaluation": {"toy": {"_target_": BEIR, "folder": str(corpus.parent)}},
            "tracking": {"code": code},
        }
        tags = {**identify(config).tags, KIND: "evaluation", HARDWARE: CPU}
        with run_of(client, experiment, params=config, tags=tags) as run_id:
            client.log_metric(run_id, "test/toy/multilingual/map", 0.5)

    def labels():
        found = evaluated(evaluation_table(client, experiment), "toy")
        return [label(row) for row in found.iter_rows(named=True)]

    for name in ("m", "n"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights").write_text(name)
        record(str(tmp_path / name), corpus_of="one", scratch=None)
    record("bm25", corpus_of="one", lexical="bm25")
    assert labels() == [str(tmp_path / "m"), str(tmp_path / "n"), "bm25"]
    record("bm25", corpus_of="two", lexical="bm25", code="B")
    m, n, bm25 = labels()
    assert m.startswith(f"{tmp_path / 'm'}, code A, evaluation.toy.folder holds ")
    assert n.partition(", ")[2] == m.partition(", ")[2]
    assert bm25.startswith("bm25, code B, evaluation.toy.folder holds ")
    assert bm25.rpartition(" ")[2] != m.rpartition(" ")[2]
