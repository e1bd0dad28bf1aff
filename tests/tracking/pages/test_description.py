"""What a run's page in MLflow says: what makes it again, and what came of a sweep."""

import json
import shlex
import subprocess

import pytest

from lingmix.evaluation.metric_names import BEST_SCORE
from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import KIND, NOTE
from lingmix.tracking.pages.description import run_note
from lingmix.tracking.pages.report_run import log_report
from lingmix.tracking.pages.saved_view import VIEW
from lingmix.tracking.pages.sweep_run import (
    BEST_RUN,
    COMMAND,
    add_cells,
    begin_sweep,
    describe_sweep,
    record_front,
)
from tests.tracking.conftest import run_of

TESTED = "test/set/multilingual/map"


@pytest.fixture
def sweep(client, experiment):
    return begin_sweep(
        client, experiment, identity="id", name="sweep", command="lingmix-train -m seed=0,1"
    )


def cell(client, experiment, sweep, name, *, metrics, params=None, kind=None):
    params = params or {"seed": name}
    tags = {HASH: f"{experiment}{name}"} | ({KIND: kind} if kind else {})
    with run_of(client, experiment, name=name, params=params, tags=tags) as run_id:
        for metric, value in metrics.items():
            client.log_metric(run_id, metric, value)
    add_cells(client, sweep, [tags[HASH]])
    return run_id


def note(client, sweep):
    return client.get_run(sweep).data.tags[NOTE]


def test_the_command_of_a_run_is_whole_in_lines_that_a_shell_takes():
    words = ["lingmix-train", *(f"key{n}={n}" for n in range(40)), "name=it's two words"]
    command = shlex.join(words)
    told = run_note(command, {})
    block = told.split("```")[1].removeprefix("sh\n")
    block = block.replace("lingmix-train", r"printf '%s\n' lingmix-train", 1)
    said = subprocess.run(["bash", "-c", block], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == words
    assert max(map(len, block.splitlines())) < 110


def test_a_command_that_is_too_long_is_cut_with_a_mark():
    assert "[...]\n```" in run_note(f"lingmix-train name={'x' * 9000}", {})


def test_a_run_says_of_which_code_it_is_and_that_it_was_edited():
    tags = {"mlflow.source.git.commit": "0123456789abcdef", "mlflow.source.git.dirty": "true"}
    assert "commit `0123456789`, edited since" in run_note("lingmix-train", tags)
    clean = tags | {"mlflow.source.git.dirty": "false"}
    assert "edited" not in run_note("lingmix-train", clean)


def test_a_sweep_s_best_run_is_that_of_the_best_development_score(client, experiment, sweep):
    cell(client, experiment, sweep, "0", metrics={BEST_SCORE: 0.25, TESTED: 0.75})
    best = cell(client, experiment, sweep, "1", metrics={BEST_SCORE: 0.5, TESTED: 0.5})
    cell(client, experiment, sweep, "2", metrics={BEST_SCORE: float("nan"), TESTED: 0.9})
    describe_sweep(client, sweep)
    told = note(client, sweep)
    assert client.get_run(sweep).data.tags[BEST_RUN] == best
    assert f"[1](#/experiments/{experiment}/runs/{best})" in told
    assert f"runs/{best}/artifacts/model" in told
    assert f"lingmix-evaluate encoder.name=runs:/{best}" in told
    assert "Varied: `seed` 0, 1, 2." in told
    assert "lingmix-train -m seed=0,1" in told
    assert told.index("| 0.5000 | 0.5000 |") < told.index("| 0.2500 | 0.7500 |")


def test_without_a_development_set_a_sweep_says_which_score_chose(client, experiment, sweep):
    best = cell(client, experiment, sweep, "0", metrics={TESTED: 0.75})
    cell(client, experiment, sweep, "1", metrics={TESTED: 0.5})
    describe_sweep(client, sweep)
    assert client.get_run(sweep).data.tags[BEST_RUN] == best
    assert f"by {TESTED}, for want of a development set" in note(client, sweep)


def test_a_sweep_of_evaluations_names_no_model(client, experiment, sweep):
    cell(client, experiment, sweep, "0", metrics={TESTED: 0.75}, kind="evaluation")
    describe_sweep(client, sweep)
    assert "model" not in note(client, sweep)


def test_runs_of_another_sweep_are_not_among_its_best(client, experiment, sweep):
    other = begin_sweep(client, experiment, identity="b", name="b", command="lingmix-train -m")
    cell(client, experiment, other, "0", metrics={BEST_SCORE: 0.9})
    mine = cell(client, experiment, sweep, "1", metrics={BEST_SCORE: 0.1})
    describe_sweep(client, sweep)
    assert client.get_run(sweep).data.tags[BEST_RUN] == mine


def test_a_sweep_without_a_complete_run_says_its_command_alone(client, sweep):
    describe_sweep(client, sweep)
    tags = client.get_run(sweep).data.tags
    assert "lingmix-train -m seed=0,1" in tags[NOTE]
    assert "Best" not in tags[NOTE]
    assert BEST_RUN not in tags


def test_a_front_s_table_stays_in_what_a_sweep_says(client, sweep):
    record_front(client, sweep, ["a"], table="trial  score")
    describe_sweep(client, sweep)
    assert "trial  score" in note(client, sweep)


def test_a_sweep_s_view_shows_what_differs_and_its_scores(client, experiment, sweep):
    for n in "01":
        cell(client, experiment, sweep, n, metrics={BEST_SCORE: 0.1, TESTED: 0.2, "x": 1.0},
             params={"seed": n, "same": 1, "output_dir": n})  # fmt: skip
    describe_sweep(client, sweep)
    tags = client.get_experiment(experiment).tags
    (view,) = [name for name in tags if name.startswith(VIEW)]
    state = json.loads(json.loads(tags[view])["state"])
    columns = ["params.`seed`", f"metrics.`{BEST_SCORE}`", f"metrics.`{TESTED}`"]
    assert state["selectedColumns"] == columns
    assert [chart["metricKey"] for chart in state["compareRunCharts"]] == [BEST_SCORE, TESTED]
    titles = [chart["displayName"] for chart in state["compareRunCharts"]]
    assert titles == [BEST_SCORE, "multilingual mAP, set"]
    sections = {chart["metricSectionId"] for chart in state["compareRunCharts"]}
    assert sections == {section["uuid"] for section in state["compareRunSections"]}
    assert f"viewStateShareKey={view.removeprefix(VIEW)}" in note(client, sweep)
    shown = client.search_runs([experiment], filter_string=state["searchFilter"])
    assert shown == []  # these runs were made without a parent; MLflow takes the query


def test_a_report_is_linked_from_the_sweep_that_holds_it(client, experiment, sweep, tmp_path):
    folder = tmp_path / "report"
    folder.mkdir()
    for name in ("report.html", "figure.png"):
        (folder / name).write_text("made")
    cell(client, experiment, sweep, "0", metrics={BEST_SCORE: 0.1})
    log_report(client, experiment, folder=folder)
    assert f"runs/{sweep}/artifacts/report/report.html" in note(client, sweep)
    held = {one.path for one in client.list_artifacts(sweep, "report")}
    assert held == {"report/report.html", "report/figure.png"}


def test_a_sweep_shows_who_began_it_with_which_command(client, sweep):
    tags = client.get_run(sweep).data.tags
    assert tags["mlflow.source.name"] == "lingmix-train"
    assert tags["mlflow.user"]
    assert tags[COMMAND] == "lingmix-train -m seed=0,1"
