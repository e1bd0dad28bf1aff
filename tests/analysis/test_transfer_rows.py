"""The transfer matrix of runs whose truth is known: a pair that is trained on gains .1."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from benchmarks.harness.analyse_once import ASKED
from benchmarks.harness.recorded import Cell, rankings, record

from lingmix.analysis.answers import answered, frames
from lingmix.analysis.page.report import write_report
from lingmix.analysis.results import Results, in_words, results_of
from lingmix.tracking.history import experiment_named
from lingmix.tracking.per_query import per_query_files
from lingmix.tracking.run_table import cell_table, evaluation_table
from lingmix.tracking.store.client import open_store

OF = rankings(("de", "en"), 40)
CELLS = [Cell(*cell) for cell in product((0.5, 1.0), (0,), (1, 2, 3))]
ABILITY_N = np.random.default_rng(0).normal(0, 0.1, 40)


def analysed(folder: Path, choices: Sequence[Sequence[str]]) -> Results:
    uri = f"sqlite:///{folder}/mlflow.db"
    for choice in choices:

        def scores(cell: Cell, of: pl.DataFrame, choice: Sequence[str] = choice) -> np.ndarray:
            rng = np.random.default_rng([cell.seed, int(cell.alpha * 2), len(choice)])
            pair = (of["query_language"] + "-" + of["passage_language"]).is_in(choice)
            noise_N = rng.normal(0, 0.002) + rng.normal(0, 0.02, of.height)
            return 0.4 + 0.1 * pair.fill_null(False).to_numpy() + np.tile(ABILITY_N, 6) + noise_N

        record(
            uri, name="t", folder=folder, cells=CELLS, of=OF.head(6 * 40), scores=scores,
            params={"trainer.max_steps": "300", "pairs": str([*choice]), "note": str(len(choice))},
        )  # fmt: skip
    client = open_store(uri)
    experiment = experiment_named(client, "t").experiment_id
    cells = cell_table(client, experiment).drop("param.note", strict=False)
    files = per_query_files(client, cells, folder)
    return answered(results_of(cells, evaluation_table(client, experiment)), files, ASKED)


def matrix(results: Results) -> dict[tuple[str, str], tuple[float, str]]:
    rows = results.sets[0].transfer
    return {
        (row["trained"], row["pair"]): (row["difference"], row["verdict"])
        for row in rows.iter_rows(named=True)
    }


def test_a_pair_gains_where_it_is_trained_and_no_other_does(tmp_path):
    """Of two choices each is compared with the other; de-de is in both."""
    results = analysed(tmp_path, [["de-de", "en-de"], ["de-de", "de-en"]])
    found = matrix(results)
    assert {trained for trained, _ in found} == {"en-de", "de-en"}
    for trained, other in (("en-de", "de-en"), ("de-en", "en-de")):
        assert found[trained, trained] == (pytest.approx(0.1, abs=0.02), "gains")
        assert found[trained, other] == (pytest.approx(-0.1, abs=0.02), "loses")
        assert found[trained, "de-de"][1] == found[trained, "en-en"][1] == "cannot be told apart"
    told = in_words(results)
    assert (
        "Training on en-de instead of the other choices: of 4 language pairs 1 gain "
        "(most en-de +.1" in told
    )
    assert frames(results)["transfer"].height == 8
    page, *_ = write_report(results, name="t", folder=tmp_path / "report")
    assert "trained on en-de instead of the other choices" in page.read_text("utf-8")
    assert (tmp_path / "report" / "tables" / "planted-transfer.csv").exists()


def test_a_choice_that_all_others_contain_is_what_they_are_compared_with(tmp_path):
    found = analysed(tmp_path, [["de-de"], ["de-de", "en-de"], ["de-de", "en-de", "de-en"]])
    rows = found.sets[0].transfer
    assert {*rows["against"]} == {"de-de"}
    assert matrix(found)["de-en, en-de", "en-de"] == (pytest.approx(0.1, abs=0.02), "gains")
    assert matrix(found)["en-de", "de-en"][1] == "cannot be told apart"


def test_one_choice_has_no_matrix(tmp_path):
    results = analysed(tmp_path, [["de-de"]])
    assert results.sets[0].transfer.is_empty()
    assert frames(results)["transfer"].is_empty()
