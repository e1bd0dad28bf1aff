"""Few scores of language pairs are metrics; the others are read from a run's artifact."""

import json

import pytest

from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import KIND
from lingmix.tracking.pair_scores import SCORES
from lingmix.tracking.results import as_metrics
from lingmix.tracking.run_table import cell_table, evaluation_table
from tests.tracking.conftest import run_of

SET = "test/set"
SCORED = {
    f"{SET}/multilingual/map": 0.5,
    f"{SET}/multilingual/share_gap": 0.25,
    f"{SET}/multilingual/excess_share/de": 0.125,
    f"{SET}/multilingual/max_rank": 12.5,
    f"{SET}/contrastive_entropy": 2.0,
    f"{SET}/multilingual/contrastive_entropy": 2.0,
    f"{SET}/pair/en-de/map": 0.75,
    f"{SET}/pair/en-de/excess_share": -0.5,
    f"{SET}/pair/en-de/map_answerable": 1.0,
    "val/development/pair/de-en/recall_at_1": 0.5,
    "train/pair/en-de/noise_scale": 3.0,
}


def test_of_language_pairs_map_alone_is_a_metric_and_of_a_set_one_entropy() -> None:
    left_out = SCORED.keys() - as_metrics(SCORED, {"test": ["map"], "val": []}).keys()
    assert left_out == {
        f"{SET}/multilingual/contrastive_entropy",
        f"{SET}/multilingual/excess_share/de",
        f"{SET}/pair/en-de/excess_share",
        f"{SET}/pair/en-de/map_answerable",
        "val/development/pair/de-en/recall_at_1",
    }


def test_what_is_asked_for_is_a_metric_too_and_all_is_all() -> None:
    asked = as_metrics(SCORED, {"test": ["excess_share"], "val": ["recall_at_1"]})
    assert f"{SET}/pair/en-de/excess_share" in asked
    assert f"{SET}/multilingual/excess_share/de" in asked
    assert f"{SET}/pair/en-de/map" not in asked
    assert "val/development/pair/de-en/recall_at_1" in asked
    left_out = SCORED.keys() - as_metrics(SCORED, {"test": "all", "val": "all"}).keys()
    assert left_out == {f"{SET}/multilingual/contrastive_entropy"}


def test_eleven_languages_have_at_most_150_metrics() -> None:
    """As many scores as XQuAD-R has: of each pair 8, of each setting 7, 5 of bias, 4 of
    parallel passages that are no details, 12 besides."""
    languages = [f"l{n}" for n in range(11)]
    metrics = ["map", "ndcg", "r1", "r10", "r100", "mrr", "contrastive_entropy"]
    scores = [f"pair/{q}-{p}/{m}" for q in languages for p in languages for m in metrics]
    scores += [f"pair/{q}-{p}/excess_share" for q in languages for p in languages]
    scores += [f"{s}/{m}" for s in ("monolingual", "crosslingual", "multilingual") for m in metrics]
    scores += [f"multilingual/bias{n}" for n in range(5)]
    scores += [f"multilingual/parallel{n}" for n in range(4)]
    scores += [*(f"multilingual/excess_share/{one}" for one in languages), "contrastive_entropy"]
    recorded = as_metrics({f"{SET}/{name}": 0.0 for name in scores}, {"test": ["map"]})
    assert len(scores) == 1010
    assert len(recorded) == 121 + 3 * 6 + 5 + 4 + 1


def test_details_and_of_centered_vectors_all_but_the_settings_map_are_in_files_alone() -> None:
    details = [f"{SET}/multilingual/lang_ndcg_at_10", f"{SET}/alignment", f"{SET}/uniformity"]
    centered = [name.replace(SET, f"{SET}-centered") for name in SCORED if name.startswith(SET)]
    scored = dict.fromkeys([*details, *centered], 0.5)
    recorded = as_metrics(scored, {"test": "all", "val": "all"})
    assert [*recorded] == [f"{SET}-centered/multilingual/map"]


@pytest.fixture
def recorded(client, experiment, tmp_path):
    """Records a run, with its scores as metrics and as an artifact."""
    count = 0

    def record(metrics, artifact, *, kind="training", **params):
        nonlocal count
        count += 1
        folder = tmp_path / f"files-{count}"
        folder.mkdir()
        if artifact is not None:
            (folder / SCORES).write_text(json.dumps(artifact))
        tags = {HASH: f"{experiment}{count}", KIND: kind}
        with run_of(client, experiment, params=params, tags=tags) as run_id:
            for name, value in metrics.items():
                client.log_metric(run_id, name, value)
            client.log_artifacts(run_id, str(folder))
        return run_id

    return record


def params(scale, alpha=0.5):
    return {"sampler": {"alpha": alpha}, "augmentation": {"scale": scale}, "seed": 0}


PAIR = f"{SET}/pair/en-de/excess_share"


def test_pair_scores_are_read_of_the_largest_scale_and_of_evaluations(client, experiment, recorded):
    recorded({f"{SET}/multilingual/map": 0.1}, {PAIR: 0.1}, **params(0))
    recorded({f"{SET}/multilingual/map": 0.2}, {PAIR: 0.2, f"{SET}/pair/en-de/map": 9}, **params(9))
    encoder = {"encoder": {"name": "bm25"}}
    recorded({f"{SET}/multilingual/map": 0.3}, {PAIR: 0.3}, kind="evaluation", **encoder)
    found = cell_table(client, experiment, ["excess_share"]).sort("scale")
    assert found[PAIR].to_list() == [None, 0.2]
    assert f"{SET}/pair/en-de/map" not in found.columns
    assert evaluation_table(client, experiment, ["excess_share"])[PAIR].to_list() == [0.3]
    assert PAIR not in cell_table(client, experiment).columns


def test_an_older_run_that_has_them_as_metrics_needs_no_artifact(client, experiment, recorded):
    recorded({PAIR: 0.4}, {PAIR: 0.9}, **params(0))
    assert cell_table(client, experiment, ["excess_share"])[PAIR].to_list() == [0.4]


def test_a_run_without_the_artifact_is_left_out_and_said(client, experiment, recorded, caplog):
    recorded({f"{SET}/multilingual/map": 0.1}, None, **params(0))
    recorded({f"{SET}/multilingual/map": 0.2}, {PAIR: 0.2}, **params(0, alpha=1.0))
    found = cell_table(client, experiment, ["excess_share"]).sort("alpha")
    assert found[PAIR].to_list() == [None, 0.2]
    assert "1 runs have no readable scores.json" in caplog.text
