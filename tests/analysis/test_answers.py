"""Answers on recorded runs whose truth is known: scores by alpha, and noise of seeds and
questions."""

import json
import shutil
from dataclasses import replace
from html import escape
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from benchmarks.harness.analyse_once import ASKED
from benchmarks.harness.recorded import SET, Cell, rankings, record

from lingmix.analysis.answer import Answer, contests
from lingmix.analysis.answers import answered, frames
from lingmix.analysis.inference.planted import Design, Noise
from lingmix.analysis.page.report import write_report
from lingmix.analysis.planted_design import planted_like, recorded_design
from lingmix.analysis.preference import Preference
from lingmix.analysis.question_scores import question_scores
from lingmix.analysis.results import Results, in_words, results_of
from lingmix.analysis.scored_runs import grid
from lingmix.analysis.table import signed
from lingmix.errors import InputError
from lingmix.tracking.history import experiment_named
from lingmix.tracking.identity import CONTENTS
from lingmix.tracking.per_query import per_query_files
from lingmix.tracking.run_table import cell_table, evaluation_table
from lingmix.tracking.store.client import open_store

DESIGN_KEYS, NOISE_KEYS = (one.__dataclass_fields__ for one in (Design, Noise))
LANGUAGES, QUESTIONS = ("de", "en", "fr"), 60
TRUTH = {
    "monolingual": {0.0: 0.50, 0.5: 0.78, 1.0: 0.80},
    "crosslingual": {0.0: 0.42, 0.5: 0.40, 1.0: 0.10},
    "multilingual": {0.0: 0.30, 0.5: 0.30, 1.0: 0.30},
}
OF = rankings(LANGUAGES, QUESTIONS)
ABILITY_N = np.random.default_rng(0).normal(0, 0.1, QUESTIONS)
CELLS = [Cell(*cell) for cell in product((0.0, 0.5, 1.0), (0, 100), (1, 2, 3))]


def planted(cell: Cell, of: pl.DataFrame) -> np.ndarray:
    """Seeds move a run by .004, which one of them does to all settings."""
    rng = np.random.default_rng([cell.seed, cell.scale, int(cell.alpha * 2)])
    level_N = np.array([TRUTH[setting][cell.alpha] for setting in of["setting"]])
    repeats = of.height // QUESTIONS
    return (
        level_N
        + rng.normal(0, 0.004)
        + np.tile(ABILITY_N, repeats)
        + rng.normal(0, 0.05, of.height)
    )


class Recorded(NamedTuple):
    uri: str
    folder: Path
    name: str

    def add(self, cells: list[Cell], **params: str) -> list[str]:
        named = {"trainer.max_steps": "300"}
        named |= {key.replace("__", "."): value for key, value in params.items()}
        return record(
            self.uri, name=self.name, folder=self.folder, cells=cells, of=OF, scores=planted,
            params=named,
        )  # fmt: skip

    def results(self, asked=ASKED, *, then=lambda: None) -> Results:
        client = open_store(self.uri)
        experiment = experiment_named(client, self.name).experiment_id
        cells = cell_table(client, experiment)
        files = per_query_files(client, cells, self.folder / "downloads")
        then()
        return answered(results_of(cells, evaluation_table(client, experiment)), files, asked)

    def answers(self, *args, **kwargs) -> tuple[Answer, ...]:
        return self.results(*args, **kwargs).sets[0].answers

    def artifacts(self, run_id: str) -> Path:
        return self.folder / "artifacts" / self.name / run_id / "artifacts"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def recorded(store, request) -> Recorded:
    """An experiment without a run."""
    return Recorded(f"sqlite:///{store}/mlflow.db", store, request.node.name)


@pytest.fixture(scope="module")
def full(store) -> Recorded:
    """Three alphas, two scales, three seeds."""
    full = Recorded(f"sqlite:///{store}/mlflow.db", store, "full")
    full.add(CELLS)
    return full


@pytest.fixture(scope="module")
def answer(full) -> Answer:
    [answer] = full.answers()
    return answer


def test_the_table_has_a_row_a_ranking_and_translations_share_their_question(full) -> None:
    scores = question_scores("full", uri=full.uri)
    table = scores.collect()
    assert table.height == 18 * (3 + 6 + 3) * QUESTIONS
    assert table["question"].n_unique() == QUESTIONS
    assert set(table["pair"].drop_nulls()) == {f"{q}-{p}" for q in LANGUAGES for p in LANGUAGES}
    pooled = table.filter(setting="multilingual")
    assert pooled["pair"].null_count() == pooled.height


def test_grids_of_the_table_have_the_means_that_the_runs_have_recorded(full) -> None:
    client = open_store(full.uri)
    cells = cell_table(client, experiment_named(client, "full").experiment_id)
    recorded_AC = cells.pivot(
        "scale", index="alpha", values=f"test/{SET}/crosslingual/map", aggregate_function="mean"
    ).sort("alpha")
    found = grid(question_scores("full", uri=full.uri), setting="crosslingual")
    assert found.scores_ACSQ.shape == (3, 2, 3, QUESTIONS)
    assert found.means == pytest.approx(recorded_AC.select("0", "100").to_numpy(), abs=1e-6)


def test_intervals_hold_the_planted_scores_and_the_right_alpha_is_chosen(answer) -> None:
    for row in answer.frontier.iter_rows(named=True):
        for setting, truth in TRUTH.items():
            assert row[f"{setting}_low"] < truth[row["alpha"]] < row[f"{setting}_high"]
    assert (
        "At scale 100, choose alpha 0.5: the mean of monolingual mAP and cross-lingual mAP is"
        in (answer.said[0])
    )
    assert "the highest of 3 alphas (probability above .99)" in answer.said[0]
    largest = answer.frontier.filter(scale=100)
    assert largest["best"].to_list() == pytest.approx([0, 1, 0], abs=0.02)
    assert largest["front"][1] > 0.99


def test_what_a_point_costs_is_told_and_what_may_gain_nothing_has_no_price(answer) -> None:
    """From 1 to .5 the truth is 2 points paid for 30; from .5 to 0, 28 for 2."""
    first, second = answer.exchange.filter(scale=100).iter_rows(named=True)
    assert (first["alpha_from"], first["alpha_to"]) == (1.0, 0.5)
    assert first["rate_low"] < 2 / 30 < first["rate_high"]
    assert first["rate_high"] < 0.2
    assert second["paid_low"] < 0.28 < second["paid_high"]
    assert (second["rate"] is None) == (second["gained_low"] <= 0)


def test_language_pairs_gain_or_lose_by_the_planted_difference(answer) -> None:
    rows = answer.comparisons.filter(scale=100, alpha=0.5, against=1.0)
    crossing = rows.filter(pl.col("pair").str.slice(0, 2) != pl.col("pair").str.slice(3, 2))
    assert crossing["verdict"].to_list() == ["gains"] * 6
    assert crossing["difference"].to_list() == pytest.approx([0.3] * 6, abs=0.05)
    assert (rows["p_max_t"] >= rows["p"]).all()
    assert any("6 gain" in line for line in answer.said)


def test_language_pairs_have_points_of_their_own(answer) -> None:
    assert answer.pairs.height == 2 * 9 * 3
    row = answer.pairs.row(by_predicate=(pl.col("pair") == "de-fr") & (pl.col("alpha") == 0.5)
        & (pl.col("scale") == 0), named=True)  # fmt: skip
    assert row["setting"] == "crosslingual"
    assert row["score_low"] < 0.4 < row["score_high"]


def test_what_makes_no_difference_cannot_be_told_apart(answer) -> None:
    rows = answer.components.filter(setting="multilingual", scale=100).drop_nulls("against")
    assert ((rows["mean_low"] < 0) & (rows["mean_high"] > 0)).all()
    assert any(
        line.startswith("In multilingual mAP, alpha 0.5 and 1 cannot be told apart")
        for line in answer.not_found
    )


def test_components_find_the_planted_spreads(answer) -> None:
    """Questions .1, the same in all languages; the rest .05 / sqrt(3 languages)."""
    row = answer.components.filter(
        pl.col("against").is_null(), setting="monolingual", alpha=0.5, scale=0
    ).row(0, named=True)
    assert row["question_low"] < ABILITY_N.std(ddof=1) < row["question_high"]
    assert row["rest_low"] < 0.05 / np.sqrt(3) < row["rest_high"]


def test_region_and_hypervolume_enclose_those_of_the_planted_points(answer) -> None:
    """Of (.8, .1), (.78, .4), (.5, .42): .8 x .1 + .78 x .3 + .5 x .02."""
    volume = answer.hypervolume.row(0, named=True)
    assert volume["hypervolume_low"] < 0.324 < volume["hypervolume_high"]
    reached = answer.region.filter(pl.col("monolingual").is_between(0.55, 0.7), scale=100)
    assert ((reached["crosslingual_low"] < 0.4) & (reached["crosslingual_high"] > 0.4)).all()


def test_a_floor_and_other_weights_choose_another_alpha(full) -> None:
    def chosen(**preference) -> str:
        asked = replace(ASKED, preference=replace(ASKED.preference, **preference))
        return full.answers(asked)[0].said[0]

    assert "choose alpha 0.5" in chosen(floor=6.0)
    assert "choose alpha 1: " in chosen(floor=0.0)
    assert "with at most 0 monolingual points lost" in chosen(floor=0.0)
    assert "choose alpha 0: " in chosen(monolingual=0.0)


def test_language_preference_may_be_wanted_or_not(recorded) -> None:
    """It is 1 - alpha here."""
    cells = [cell for cell in CELLS if cell.scale == 0]
    for run_id, cell in zip(recorded.add(cells), cells, strict=True):
        file = recorded.artifacts(run_id) / "per_query.parquet"
        preferred = pl.when(setting="multilingual").then(1 - cell.alpha)
        table = pl.read_parquet(file).with_columns(language_preference=preferred)
        table.write_parquet(file)
    for weight, alpha in ((1.0, "0"), (-1.0, "1")):
        preference = replace(
            ASKED.preference, monolingual=0, crosslingual=0, language_preference=weight
        )
        [found] = recorded.answers(replace(ASKED, preference=preference))
        assert found.said[0].startswith(f"Choose alpha {alpha}: ")


def test_contrastive_entropies_have_laws_where_they_were_measured(recorded) -> None:
    for run_id in recorded.add(CELLS):
        file = recorded.artifacts(run_id) / "per_query.parquet"
        table = pl.read_parquet(file)
        table.with_columns(contrastive_entropy=2 - pl.col("map")).write_parquet(file)
    [found] = recorded.answers()
    settings = found.laws["setting"].unique(maintain_order=True).to_list()
    assert settings == [*TRUTH, "utility", *(f"{setting}_contrastive_entropy" for setting in TRUTH)]
    both = found.law_curves.filter(measured=1, scale=100, alpha=0.5).sort("setting")["score"]
    of_entropy, of_score = both[3], both[2]  # those of the monolingual setting
    assert of_entropy == pytest.approx(2 - of_score, abs=1e-6)


def test_studies_are_planted_with_the_design_and_the_noise_of_recorded_runs(full) -> None:
    """Seeds .004 over a run of all settings, questions .1, the rest .05 / sqrt(9) in the mean of 3
    monolingual and 6 cross-lingual corpora."""
    found = recorded_design("full", uri=full.uri, downloads=full.folder, asked=ASKED)
    assert found.about == "the mean of monolingual mAP and cross-lingual mAP on planted"
    empty = {"design": dict.fromkeys(DESIGN_KEYS), "noise": dict.fromkeys(NOISE_KEYS)}
    empty["design"]["seeds"] = 5
    planted = planted_like(empty, found)
    assert planted["design"] == {
        "alphas": [0.0, 0.5, 1.0], "scales": [0.0, 100.0], "unseen": 200.0, "base": 500,
        "seeds": 5, "questions": QUESTIONS,
    }  # fmt: skip
    noise = planted["noise"]
    assert noise["question"] == pytest.approx(ABILITY_N.std(ddof=1), rel=0.1)
    assert np.hypot(noise["seed"], noise["seed_in_cell"]) == pytest.approx(0.004, rel=0.7)
    expected = 0.05 * np.sqrt(1 / 3 + 1 / 6) / 2
    assert noise["rest"] == pytest.approx(expected, rel=0.1)


def test_runs_of_one_scale_tell_no_noise_to_plant(recorded) -> None:
    recorded.add([cell for cell in CELLS if cell.scale == 0])
    with pytest.raises(InputError, match=r"^name: the runs of .* tell no noise to plant"):
        recorded_design(recorded.name, uri=recorded.uri, downloads=recorded.folder, asked=ASKED)


def test_a_preference_is_said_in_words() -> None:
    preference = replace(ASKED.preference, crosslingual=0)
    assert preference.words("mAP") == "monolingual mAP"
    preference = replace(ASKED.preference, language_preference=-0.5)
    assert preference.words("nDCG@10") == (
        "the weighted mean of 1 x monolingual nDCG@10, 1 x cross-lingual nDCG@10, "
        "-0.5 x language preference"
    )


def test_utility_is_the_weighted_mean_and_is_lost_below_the_floor() -> None:
    preference = Preference(
        monolingual=3, crosslingual=1, multilingual=0, language_preference=-1, floor=5
    )
    scores = {
        "monolingual": np.array([0.80, 0.74]),
        "crosslingual": np.array([0.1, 0.4]),
        "language_preference": np.array([0.5, 0.5]),
    }
    assert preference.utility(scores).tolist() == pytest.approx([0.4, -np.inf])


def test_all_frames_name_their_set_and_group(full) -> None:
    found = frames(full.results())
    assert set(found) == {
        "frontier", "pairs", "region", "hypervolume", "exchange", "comparisons", "components",
        "predictors", "laws", "law_curves", "moves", "best_alphas", "transfer",
    }  # fmt: skip
    assert found.pop("transfer").is_empty()  # the runs have one choice of pairs
    assert all(frame.columns[:2] == ["set", "group"] for frame in found.values())


def test_a_frame_of_which_no_answer_has_a_row_is_empty(recorded) -> None:
    recorded.add([cell for cell in CELLS if cell.scale == 0])
    found = frames(recorded.results())
    assert found["frontier"].height == 3
    assert found["laws"].is_empty()


def test_two_scales_tell_no_law_but_test_whether_the_best_alpha_moves(answer) -> None:
    assert set(answer.laws["status"]) == {"not identifiable"}
    assert answer.moves["setting"].to_list() == [*TRUTH, "utility"]
    assert any(
        "the exponent of a power law is not identifiable" in line for line in answer.not_found
    )


def test_an_answer_does_not_hang_on_chance(full, answer) -> None:
    [again] = full.answers()
    assert again.frontier.equals(answer.frontier)
    assert again.comparisons.equals(answer.comparisons)


def test_a_missing_run_costs_its_seed_which_is_named(recorded) -> None:
    recorded.add([cell for cell in CELLS if cell.scale == 0 and cell != Cell(0.5, 0, 2)])
    [found] = recorded.answers()
    assert found.frontier["seeds"].to_list() == [2, 2, 2]
    assert "Left out, as runs are missing from the grid: scale 0: seed 2." in found.not_found


def test_a_run_deleted_while_it_is_read_is_left_out_by_name(recorded, caplog) -> None:
    run_ids = recorded.add([cell for cell in CELLS if cell.scale == 0])
    lost = recorded.artifacts(run_ids[0])
    [found] = recorded.answers(then=lambda: shutil.rmtree(lost))
    assert f"run {run_ids[0]} is left out" in caplog.text
    assert found.frontier["seeds"].to_list() == [2, 2, 2]


def test_a_metric_that_runs_do_not_have_is_refused_with_those_they_have(full) -> None:
    with pytest.raises(InputError, match=r"analysis\.metric: run \w+ has no 'ndcg_at_3'.*has map;"):
        full.answers(replace(ASKED, metric="ndcg_at_3"))


def test_runs_without_the_scores_of_queries_have_no_answer(recorded, caplog) -> None:
    [run_id] = recorded.add(CELLS[:1])
    shutil.rmtree(recorded.artifacts(run_id))
    assert recorded.answers() == ()
    assert "1 runs have no readable per_query.parquet" in caplog.text


def test_one_alpha_and_one_seed_are_said_to_be_so(recorded) -> None:
    recorded.add([Cell(0.5, 0, 1)])
    [found] = recorded.answers()
    assert any("one alpha" in line for line in found.not_found)
    assert any("one seed" in line for line in found.not_found)
    assert found.said[0].startswith("Alpha 0.5 reaches monolingual .")
    assert found.comparisons.is_empty()
    assert found.components["seeds_needed"].to_list() == [None] * 3


def test_one_seed_is_sure_of_nothing(recorded) -> None:
    recorded.add([cell for cell in CELLS if cell.scale == 0 and cell.seed == 1])
    [found] = recorded.answers()
    assert (
        "possibly the highest of 3 alphas (probability above .99 over questions alone)"
        in found.said[0]
    )


def test_step_budgets_are_answered_apart(recorded) -> None:
    recorded.add([cell for cell in CELLS if cell.scale == 0])
    recorded.add([cell for cell in CELLS if cell.scale == 0], trainer__max_steps="600")
    assert sorted(found.group for found in recorded.answers()) == [
        "trainer.max_steps 300",
        "trainer.max_steps 600",
    ]


def test_versions_of_data_are_answered_apart(recorded) -> None:
    cells = [cell for cell in CELLS if cell.scale == 0]
    for version in ("then", "now"):
        for run_id in recorded.add(cells, note=version):
            contents = json.dumps({"data.train.0.path": version})
            open_store(recorded.uri).set_tag(run_id, CONTENTS, contents)
    groups = sorted(found.group for found in recorded.answers())
    assert ["data.train.0.path holds" in group for group in groups] == [True, True]


def test_the_page_recommends_first_and_has_the_differences_with_their_intervals(
    full, answer, tmp_path
) -> None:
    page, *_ = write_report(full.results(), name="full", folder=tmp_path)
    text = page.read_text("utf-8")
    places = [text.index(escape(line)) for line in (*answer.said, *answer.not_found)]
    assert places == sorted(places)
    assert places[-1] < text.index("<h3>Scores</h3>")
    row = contests([answer]).row(0, named=True)
    assert f"{signed(row['crosslingual'])} ({signed(row['crosslingual_low'])} to" in text
    assert (tmp_path / "tables" / f"{SET}-differences.tex").exists()


def test_contests_have_a_row_for_each_scale_and_two_alphas(answer) -> None:
    """.5 and 0 with 1, and .5 with 0."""
    found = contests([answer])
    assert found.select("scale", "alpha", "against").rows() == [
        (scale, *pair) for scale in (0, 100) for pair in ((0.0, 1.0), (0.5, 1.0), (0.5, 0.0))
    ]
    assert found["monolingual"][0] == pytest.approx(-0.3, abs=0.03)
    assert contests([]).is_empty()


def test_the_terminal_has_the_answer_first_and_then_what_was_not_found(full) -> None:
    title, *lines = in_words(full.results()).splitlines()
    assert title == SET
    first = [line.startswith("Not found: ") for line in lines]
    assert first == sorted(first)
    assert any(first)
