"""A small sweep end to end, through the command, and its report."""

import json
import os
import signal
import subprocess
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest
from filelock import FileLock
from mlflow import MlflowClient

from lingmix.commands.sweeps import sweeps
from lingmix.errors import InputError
from lingmix.tracking.history import complete_runs, runs
from lingmix.tracking.identity import ASKED, CODE, DATA, RAN
from lingmix.tracking.lifecycle import ERROR, KIND, STATE
from tests.commands import command
from tests.conftest import FAILING, FAILURE
from tests.conftest import QUICK as OF_ALL
from tests.events import HANGS, until

QUICK = [*(line for line in OF_ALL if "batch_size" not in line), "sampler.batch_size=1000"]
"""Batches larger than a language pair, which every cell notes."""

CODE_VERSION = "tracking.code=tested"
"""Keeps what a sweep has completed while the sources are edited."""

GRID = [CODE_VERSION, "sampler.alpha=1,0", "augmentation.scale=0,20"]


def script(name: str) -> Path:
    return Path(__import__("sys").executable).parent / f"lingmix-{name}"


@pytest.fixture(scope="module")
def study(output_dir):
    here = [f"output_dir={output_dir}", "name=study"]
    return here, command("train", "-m", *here, *QUICK, *GRID)


def recorded(here, name="study"):
    client = MlflowClient(f"sqlite:///{here[0].partition('=')[2]}/mlflow.db")
    experiment = client.get_experiment_by_name(name).experiment_id
    return client, experiment


def test_a_sweep_is_one_parent_and_a_complete_child_a_cell(study):
    here, ended = study
    assert ended.returncode == 0, ended.stderr
    client, experiment = recorded(here)
    (parent,) = runs(client, experiment, f"tags.`{KIND}` = 'sweep'")
    children = complete_runs(client, experiment).values()
    assert {run.info.run_name for run in children} == {
        f"alpha={alpha} scale={scale} seed=0" for alpha in (0, 1) for scale in (0, 20)
    }
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert parent.data.tags[STATE] == "complete"
    assert parent.info.status == "FINISHED"


def test_what_its_cells_note_alike_is_said_once(study):
    notes = [line for line in study[1].stdout.splitlines() if "language pairs are small" in line]
    assert len(notes) == len(set(notes)) > 0
    assert "language pairs are small" not in study[1].stderr


def test_the_same_sweep_again_runs_nothing_and_a_wider_one_only_what_is_new(study):
    here, _ = study
    client, experiment = recorded(here)
    before = {run.info.run_id for run in complete_runs(client, experiment).values()}
    again = command("train", "-m", *here, *QUICK, *GRID)
    assert "4 cells, 4 complete, 0 to run" in again.stdout, again.stderr
    wider = command("train", "-m", *here, *QUICK, CODE_VERSION, "sampler.alpha=1,0,0.5", GRID[2])
    assert "6 cells, 4 complete, 2 to run" in wider.stdout, wider.stderr
    after = {run.info.run_id for run in complete_runs(client, experiment).values()}
    assert before < after
    assert len(after) == 6, wider.stdout
    assert len(list(runs(client, experiment, f"tags.`{KIND}` = 'sweep'"))) == 1


def test_a_cell_says_of_what_code_and_data_it_is(study):
    client, experiment = recorded(study[0])
    for run in complete_runs(client, experiment).values():
        tags = run.data.tags
        assert tags[CODE] == run.data.params["tracking.code"] == "tested"
        assert tags[RAN].startswith(f"{version('lingmix')}-")
        assert tags[ASKED]
        assert tags[DATA]


def test_cells_that_other_code_completed_are_said_and_run_again_or_kept(study):
    here, _ = study
    asked = [*here, *QUICK, "sampler.alpha=1", "augmentation.scale=0", "seed=0"]
    other = command("train", "-m", *asked, "tracking.code=other")
    assert "1 cells, 0 complete, 1 to run" in other.stdout, other.stderr
    assert "complete with other code (then tested, now other): 1, to run again" in other.stdout
    kept = command("train", "-m", *asked, "tracking.code=other")
    assert "1 cells, 1 complete, 0 to run" in kept.stdout, kept.stderr


def test_a_sweep_that_another_process_is_at_work_on_is_refused_in_one_line(study, output_dir):
    here, _ = study
    locks = [*(output_dir / "runs" / "study").glob("sweep-*.lock")]
    held = [FileLock(path) for path in locks]
    for lock in held:
        lock.acquire()
    refused = command("train", "-m", *here, *QUICK, *GRID)
    for lock in held:
        lock.release()
    assert refused.returncode == 1
    assert refused.stderr.strip() == (
        "lingmix-train: name: another process is at work on this sweep of 'study'; wait for it, "
        "or stop it"
    )


def test_ctrl_c_stops_a_sweep_and_says_how_it_goes_on(output_dir, configure):
    here = [f"output_dir={output_dir}", "name=stopped"]
    process = subprocess.Popen(
        [script("train"), "-m", *here, *QUICK, "trainer.max_steps=5000", "seed=0,1,2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until(lambda: [*output_dir.glob("runs/stopped/*/encoder")], process=process)
    os.killpg(process.pid, signal.SIGINT)
    told, wrong = process.communicate(timeout=HANGS)
    assert process.returncode == 128 + signal.SIGINT, wrong
    assert "lingmix-train: stopped; run the same command to run the missing cells" in told
    assert "Traceback" not in wrong
    client, experiment = recorded(here, "stopped")
    (parent,) = runs(client, experiment, f"tags.`{KIND}` = 'sweep'")
    assert parent.data.tags[STATE] == "interrupted"
    assert parent.info.status == "KILLED"
    shown = sweeps(configure("sweeps", "name=stopped"))
    row = shown.splitlines()[1].split()
    assert row[:4] == ["stopped", "sweep", "over", "seed"]
    assert sum(map(int, row[4:])) == 3
    assert "to resume: lingmix-train -m " in shown


def has_forkserver(sweep: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return any("forkserver" in "".join(child.cmdline()) for child in sweep.children())
    return False


@pytest.mark.chaos
def test_ctrl_c_while_a_sweep_starts_its_processes_leaves_none_behind(output_dir):
    process = subprocess.Popen(
        [script("train"), "-m", f"output_dir={output_dir}", "name=early", *QUICK, "seed=0,1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until(partial(has_forkserver, psutil.Process(process.pid)), process=process)
    os.killpg(process.pid, signal.SIGINT)
    _, wrong = process.communicate(timeout=HANGS)  # ends when no process has its streams
    assert (process.returncode, wrong) == (128 + signal.SIGINT, "")


def test_a_failing_cell_is_named_and_the_others_go_on(output_dir, configure):
    here = [f"output_dir={output_dir}", "name=failing"]
    ended = command("train", "-m", *here, *QUICK, FAILING)
    assert ended.returncode == 1
    assert "1 of 3 cells failed" in ended.stderr
    assert FAILURE in ended.stderr
    client = MlflowClient(f"sqlite:///{output_dir}/mlflow.db")
    experiment = client.get_experiment_by_name("failing").experiment_id
    assert len(complete_runs(client, experiment)) == 2
    shown = sweeps(configure("sweeps", "name=failing"))
    assert shown.splitlines()[0].split()[2:5] == ["complete", "pruned", "failed"]
    row = next(line for line in shown.splitlines() if line.startswith("failing"))
    assert row.split()[-2:] == ["2", "1"]
    (failed,) = runs(client, experiment, f"tags.`{STATE}` = 'failed' and tags.`{ERROR}` != ''")
    assert FAILURE in failed.data.tags[ERROR]
    assert failed.info.status == "FAILED"


def test_the_report_is_written_and_logged_to_the_sweep(study):
    here, _ = study
    ended = command("analyze", *here)
    assert ended.returncode == 0, ended.stderr
    report = Path(here[0].partition("=")[2]) / "reports" / "study" / "report.html"
    assert "cldr_currency" in report.read_text()
    client, experiment = recorded(here)
    parents = runs(client, experiment, f"tags.`{KIND}` = 'sweep'")
    logged = {
        file.path
        for parent in parents
        for file in client.list_artifacts(parent.info.run_id, "report")
    }
    assert "report/report.html" in logged


def test_an_experiment_that_is_not_there_is_named(output_dir, study):
    ended = command("analyze", f"output_dir={output_dir}", "name=nothing")
    assert ended.returncode == 1
    assert "no experiment 'nothing' is recorded; there are:" in ended.stderr


def test_sweeps_are_listed_with_what_became_of_their_cells(study, configure):
    shown = sweeps(configure("sweeps", "name=study"))
    assert shown.splitlines()[0].split() == [
        "experiment",
        "sweep",
        "complete",
        "pruned",
        "failed",
        "running",
        "interrupted",
        "missing",
    ]
    row = next(line for line in shown.splitlines() if "augmentation.scale, sampler.alpha" in line)
    assert row.split()[-1] == "6"


def test_sweeps_are_listed_for_scripts_too(study, configure):
    """In the order of the table, with the same counts."""
    row, *_ = json.loads(sweeps(configure("sweeps", "name=study", "format=json")))
    line = sweeps(configure("sweeps", "name=study")).splitlines()[1]
    assert row["experiment"] == "study"
    assert row["sweep"] in line
    counts = [str(count) for count in row["cells"].values() if count]
    assert line.split()[-len(counts) :] == counts
    assert row["unfinished"] == (row["cells"]["complete"] < sum(row["cells"].values()))
    assert row["command"].startswith("lingmix-train -m ")


def test_without_a_name_the_sweeps_of_all_experiments_are_listed(study):
    here, _ = study
    listed = command("sweeps", here[0])
    assert listed.returncode == 0, listed.stderr
    assert "study" in listed.stdout


def test_a_sweep_that_is_not_there_is_not_listed(study, configure):
    with pytest.raises(InputError, match="no experiment 'nothing' is recorded; there are:"):
        sweeps(configure("sweeps", "name=nothing"))


def test_a_run_of_the_user_s_own_configuration_says_where_that_lies(output_dir, tmp_path):
    own = tmp_path / "experiment" / "seventh.yaml"
    own.parent.mkdir()
    own.write_text("# @package _global_\nseed: 7\n")
    here = [f"output_dir={output_dir}", "name=own"]
    place = f"--config-dir={tmp_path}"
    ended = command("train", "-m", place, "experiment=seventh", *here, *QUICK, CODE_VERSION)
    assert ended.returncode == 0, ended.stderr
    (run,) = complete_runs(*recorded(here, "own")).values()
    typed = run.data.tags["mlflow.note.content"].replace("\\\n ", "").replace("'", "").split()
    assert run.data.params["seed"] == "7"
    assert {place, "experiment=seventh"} <= {*typed}


def test_a_cell_that_is_killed_is_recorded_as_failed_with_the_status_it_died_of(output_dir):
    here = [f"output_dir={output_dir}", "name=killed"]
    process = subprocess.Popen(
        [script("train"), "-m", *here, *QUICK, "trainer.max_steps=5000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: [*output_dir.glob("runs/killed/*/encoder")], process=process)
    (cell,) = (
        cell for server in psutil.Process(process.pid).children() for cell in server.children()
    )
    cell.kill()
    _, wrong = process.communicate(timeout=HANGS)
    assert process.returncode == 1
    assert "1 of 1 cells failed (first: its process died with status -9)" in wrong
    client, experiment = recorded(here, "killed")
    (parent,) = runs(client, experiment, f"tags.`{KIND}` = 'sweep'")
    (run,) = runs(client, experiment, f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert (run.info.status, run.data.tags[STATE]) == ("FAILED", "failed")
    assert run.data.tags[ERROR] == "its process died with status -9"
    assert run.data.params["trainer.max_steps"] == "5000"
