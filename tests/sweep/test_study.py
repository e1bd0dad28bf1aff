"""A study: its search space, its trials as cells, its objectives, pruning and resumption."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from benchmarks.harness.server import Server
from filelock import FileLock
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from hydra_plugins.lingmix_optuna import LingmixOptuna
from lingmix.cli.config import CONF
from lingmix.commands.train import train
from lingmix.errors import InputError
from lingmix.sweep.cell import Outcome
from lingmix.sweep.grid import without_hydra
from lingmix.sweep.objectives import (
    check_objectives,
    direction,
    goal,
    metric_history,
    objective_values,
)
from lingmix.sweep.space import corners, search_space
from lingmix.sweep.study import run_study
from lingmix.sweep.study_settings import StudySettings
from lingmix.tracking.history import complete_runs, runs
from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import COMPLETE, ERROR, KIND, STATE, end_run, start_run
from lingmix.tracking.pages.sweep_run import FRONT
from lingmix.tracking.run_table import cell_table
from lingmix.tracking.store.client import experiment_of, open_store
from tests.changes import killing
from tests.conftest import FAILING, FAILURE
from tests.sweep.test_sweep_chaos import CELL as UNDEVELOPED

CELL = [line for line in UNDEVELOPED if line != "data.development=null"]
CELL += ["trainer.val_check_interval=2", "checkpoint.every_steps=null"]
CHOSEN_BY = "val/development/multilingual/map"
MONO, CROSS = "val/development/monolingual/map", "val/development/crosslingual/map"
RANDOM = {"_target_": "optuna.samplers.RandomSampler"}
SETTINGS = StudySettings(
    trials=4, at_once=2, seed=0, objectives=[MONO, CROSS], sampler=RANDOM, pruner=None
)


def parsed(*lines):
    return OverridesParser.create().parse_overrides(list(lines))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("k=interval(0,1)", FloatDistribution(0.0, 1.0)),
        ("k=tag(log,interval(0.01,1))", FloatDistribution(0.01, 1.0, log=True)),
        ("k=int(interval(1,9))", IntDistribution(1, 9)),
        ("k=tag(log,int(interval(1,9)))", IntDistribution(1, 9, log=True)),
        ("k=range(16,65,16)", IntDistribution(16, 64, step=16)),
        ("k=range(64,15,-16)", IntDistribution(16, 64, step=16)),
        ("k=range(0,1.1,0.25)", FloatDistribution(0.0, 1.0, step=0.25)),
        ("k=0,100,null", CategoricalDistribution(["0", "100", "null"])),
        ("k=choice([en-de,de-en],all)", CategoricalDistribution(["[en-de,de-en]", "all"])),
        ("+k=choice(a,b)", CategoricalDistribution(["a", "b"])),
    ],
)
def test_a_space_is_written_as_hydra_writes_sweeps(line, expected):
    shared, space = search_space(parsed("seed=1", line))
    assert shared == ["seed=1"]
    assert space == {line.partition("=")[0]: expected}


def test_what_the_command_fixes_is_not_searched_although_the_file_does():
    shared, space = search_space(parsed("a=interval(0,1)", "b=interval(0,1)", "a=0.5"))
    assert shared == ["a=0.5"]
    assert list(space) == ["b"]


def test_corners_vary_one_key_at_a_time():
    _, space = search_space(parsed("a=interval(0,1)", "b=x,y,z"))
    assert corners(space) == [
        {"a": 0.0, "b": "x"},
        {"a": 1.0, "b": "x"},
        {"a": 0.0, "b": "y"},
        {"a": 0.0, "b": "z"},
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("seed=0", "hydra.sweeper.params: there is nothing to search"),
        ("seed=choice(0)", "hydra.sweeper.params: there is nothing to search"),
        ("seed=range(3,3)", r"seed: cannot be searched \(it is empty\), got seed=range\(3,3\)"),
        (
            "sampler.alpha=interval(1,0)",
            r"sampler.alpha: cannot be searched \(it must not end below its start\), got "
            r"sampler.alpha=interval\(1,0\)",
        ),
        ("loss.temperature=tag(log,interval(0,1))", "loss.temperature: cannot be searched .*low"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused_in_one_line(line, told):
    with pytest.raises(InputError, match=told):
        search_space(parsed(line))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"trials": 0}, "hydra.sweeper.trials: must be at least 1, got 0"),
        ({"at_once": 0}, "hydra.sweeper.at_once: must be at least 1, got 0"),
        ({"objectives": []}, "hydra.sweeper.objectives: must name scores, .* got none"),
        (
            {"objectives": ["test/x/monolingual/map"], "pruner": {}},
            "hydra.sweeper.pruner: needs objectives .* got test/x/monolingual/map",
        ),
    ],
)
def test_settings_that_make_no_study_are_refused_in_one_line(wrong, told):
    with pytest.raises(InputError, match=told):
        SETTINGS._replace(**wrong).refuse_unsupported()


def test_without_optuna_a_study_says_how_it_is_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "lingmix.sweep.study")
    sweeper = LingmixOptuna(params={}, **SETTINGS._asdict())
    sweeper._loader = None
    with pytest.raises(InputError, match=r"run `pip install lingmix\[search\]`"):
        sweeper.sweep([])


@pytest.mark.parametrize("launcher", ["local", "sequential", "slurm", "ray"])
@pytest.mark.parametrize("study", ["optuna", "frontier"])
def test_a_study_is_chosen_with_any_launcher(launcher, study):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        asked = [f"launcher={launcher}", f"sweep={study}"]
        config = compose("train", asked, return_hydra_config=True)
    kind = "local" if launcher == "sequential" else launcher
    assert config.hydra.sweeper._target_.endswith("LingmixOptuna")
    assert config.hydra.launcher._target_.lower().endswith(f"lingmix{kind}")


@pytest.fixture
def searched(output_dir, request):
    """Run a study in this process and return what it leaves; `ran` are its cells."""
    name = "".join(one for one in request.node.name if one.isalnum() or one == "_")
    ran = []

    def run_here(planned, command):
        for cell in planned:
            ran.append(cell.name)
            began = time.monotonic()
            try:
                complete, text = True, train(without_hydra(cell.config))
            except InputError as error:
                complete, text = False, str(error)
            yield Outcome(cell, complete, text, time.monotonic() - began)

    def composed(overrides):
        return compose("train", list(overrides), return_hydra_config=True)

    def study(settings, *space, run_all=run_here):
        lines = [f"output_dir={output_dir}", f"name={name}", *CELL, *space]
        with initialize_config_dir(str(CONF), version_base="1.3"):
            run_study(parsed(*lines), settings, compose=composed, command="train", run_all=run_all)
        client = MlflowClient(f"sqlite:///{output_dir}/mlflow.db")
        experiment = client.get_experiment_by_name(name).experiment_id
        found = list(runs(client, experiment, f"tags.`{HASH}` != ''"))
        return SimpleNamespace(client=client, experiment=experiment, found=found, ran=ran)

    return study


def parent_of(study):
    (parent,) = runs(study.client, study.experiment, f"tags.`{KIND}` = 'sweep'")
    return parent


def test_two_trials_of_one_configuration_are_one_cell_and_a_complete_cell_is_told(searched, capsys):
    first = searched(SETTINGS._replace(trials=5), "sampler.alpha=1,0")
    assert sorted(first.ran) == ["alpha=0", "alpha=1"]
    assert "5 of 5 trials" in capsys.readouterr().out
    second = searched(SETTINGS._replace(objectives=[CROSS]), "sampler.alpha=1,0,0")
    assert len(second.ran) == len(second.found) == 2
    assert "4 of 4 trials, 1 on the Pareto front" in capsys.readouterr().out


def test_a_study_that_another_process_is_at_work_on_is_refused_in_one_line(searched, output_dir):
    searched(SETTINGS, "sampler.alpha=1,0")
    held = [FileLock(path) for path in (output_dir / "runs").glob("*/sweep-*.lock")]
    with ExitStack() as holding:
        for lock in held:
            holding.enter_context(lock)
        with pytest.raises(InputError, match="another process is at work on this sweep of"):
            searched(SETTINGS, "sampler.alpha=1,0")


def test_the_front_is_the_runs_that_no_other_beats(searched, capsys):
    study = searched(
        SETTINGS, "sampler.alpha=interval(0,1)", "optimizer.lr=tag(log,interval(0.001,1))"
    )
    scores = {
        run.info.run_id: objective_values(study.client, run, SETTINGS.objectives)
        for run in study.found
    }
    assert len(scores) == SETTINGS.trials
    unbeaten = {
        run
        for run, own in scores.items()
        if not any(
            all(a >= b for a, b in zip(other, own, strict=True)) and other != own
            for other in scores.values()
        )
    }
    assert sorted(cell_table(study.client, study.experiment)["run_id"]) == sorted(scores)
    parent = parent_of(study)
    assert set(parent.data.tags[FRONT].split()) == unbeaten
    assert parent.data.tags[STATE] == "complete"
    *_, last = capsys.readouterr().out.split("on the Pareto front\n")
    heading, *rows = last.splitlines()
    assert heading.split() == [MONO, CROSS, "sampler.alpha", "optimizer.lr", "run"]
    assert [float(row.split()[0]) for row in rows] == sorted(
        (round(scores[run][0], 4) for run in unbeaten), reverse=True
    )


def test_a_failed_cell_ends_the_study_with_status_1_and_is_tried_again(searched, capsys):
    settings = SETTINGS._replace(trials=4, at_once=4)
    for _ in range(2):
        with pytest.raises(SystemExit, match=FAILURE):
            searched(settings, FAILING)
    told = capsys.readouterr().out
    assert told.count("FAILED") == 2
    assert told.count("s alpha=0.5 ") == 1


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("val/development/monolingual/mop", MONO),
        ("val/developement/monolingual/map", MONO),
        ("test/cldr_geografy/monolingual/map", "test/cldr_geography/monolingual/map"),
        ("test/cldr_geography/pair/en-de/mop", "test/cldr_geography/monolingual/map"),
        ("train/loss", "test/cldr_geography"),
    ],
)
def test_an_objective_that_no_run_can_have_is_refused_before_any_trains(searched, wrong, near):
    told = f"hydra.sweeper.objectives: no run has {wrong!r}; the nearest scores are .*{near}"
    with pytest.raises(InputError, match=told):
        searched(SETTINGS._replace(objectives=[MONO, wrong]), "sampler.alpha=0,1", run_all=None)


def test_an_objective_is_of_a_set_that_some_cell_has():
    tracking = {"pair_metrics": {"test": ["map"], "val": []}}
    cell_table = [
        {"evaluation": {"a": {}}, "data": {"development": None}, "tracking": tracking},
        {"evaluation": {"b": {}}, "tracking": tracking},
    ]
    check_objectives(["test/a/pair/en-de/map", "test/b/multilingual/peer"], cell_table)
    with pytest.raises(InputError, match=f"no run has '{MONO}'; the nearest scores are test/"):
        check_objectives([MONO], cell_table)
    developed = {"evaluation": {}, "data": {"development": {"split": "dev"}}, "tracking": tracking}
    check_objectives([MONO], [developed])


def test_an_objective_of_a_language_pair_is_one_that_runs_record():
    objective = "test/a/pair/en-de/ndcg_at_10"
    recorded = {"evaluation": {"a": {}}, "tracking": {"pair_metrics": {"test": "all", "val": []}}}
    check_objectives([objective], [recorded])
    lacking = {
        "evaluation": {"a": {}},
        "tracking": {"pair_metrics": {"test": ["map"], "val": "all"}},
    }
    with pytest.raises(InputError, match=r"the metrics of tracking\.pair_metrics for each"):
        check_objectives([objective], [lacking])


def test_an_objective_that_a_run_lacks_is_named(searched):
    lacking = SETTINGS._replace(objectives=["val/development/pair/en-fr/map"], trials=1)
    told = "hydra.sweeper.objectives: run .* has no 'val/development/pair/en-fr/map'; it has val/"
    with pytest.raises(InputError, match=told):
        searched(lacking, "sampler.alpha=0,1", "tracking.pair_metrics.val=[map]")


def recording(output_dir, scores):
    """What runs cells that have these scores, step by step, and are no training; `scores` may be
    a function of alpha."""
    client = open_store(f"sqlite:///{output_dir}/mlflow.db")

    def run_all(planned, command):
        for cell in planned:
            experiment = experiment_of(client, cell.values["name"], output_dir=output_dir)
            run_id = start_run(
                client,
                experiment=experiment,
                name=cell.name,
                params={"data": {"development_score": "multilingual/map"}},
                tags={HASH: cell.identity},
            )
            alpha = cell.values["sampler"]["alpha"]
            for metric, values in (scores(alpha) if callable(scores) else scores).items():
                for step, value in enumerate(values):
                    client.log_metric(run_id, metric, value, step=step)
            end_run(client, run_id, state=COMPLETE, error=None)
            yield Outcome(cell, True, "", 0.0)

    return run_all


@pytest.mark.parametrize(
    ("score", "sought", "same_as"),
    [
        ("monolingual/map", "maximize", -0.25),
        ("multilingual/peer", "maximize", -0.25),
        ("multilingual/rank_distance", "minimize", 0.25),
        ("multilingual/max_rank", "minimize", -0.25),
        ("multilingual/same_language_excess", "minimize", 0.25),
        ("pair/en-de/excess_share", "minimize", 0.25),
        ("pair/en-de/contrastive_entropy", "minimize", -0.25),
    ],
)
def test_a_score_is_sought_at_its_best(score, sought, same_as):
    objective = f"val/development/{score}"
    assert direction(objective) == sought
    assert goal(objective, -0.25) == same_as


def test_the_run_of_the_least_rank_distance_is_the_front(searched, output_dir, capsys):
    distance = "val/development/multilingual/rank_distance"
    recorded = recording(output_dir, lambda alpha: {CHOSEN_BY: [0.5], distance: [8.0 + alpha]})
    settings = SETTINGS._replace(objectives=[distance], trials=6)
    study = searched(settings, "sampler.alpha=0,0.5,1", run_all=recorded)
    (best,) = parent_of(study).data.tags[FRONT].split()
    assert {run.info.run_id: run.info.run_name for run in study.found}[best] == "alpha=0"
    assert "8.0000" in capsys.readouterr().out


NAN = float("nan")


def test_a_score_that_is_no_number_is_refused_in_one_line(searched, output_dir):
    recorded = recording(output_dir, {CHOSEN_BY: [0.5, 0.9], MONO: [0.2, NAN]})
    told = f"hydra.sweeper.objectives: '{MONO}' of run 'alpha=.' is NaN; choose another"
    with pytest.raises(InputError, match=told):
        searched(SETTINGS._replace(objectives=[MONO]), "sampler.alpha=0,1", run_all=recorded)


def test_a_step_that_has_no_number_is_left_out_of_what_pruners_compare(searched, output_dir):
    recorded = recording(output_dir, {CHOSEN_BY: [0.5, 0.9, 0.1], MONO: [0.2, 0.3, NAN]})
    settings = SETTINGS._replace(objectives=[MONO], trials=1)
    study = searched(settings, "sampler.alpha=0,1", run_all=recorded)
    (run,) = study.found
    assert objective_values(study.client, run, [MONO]) == [0.3]
    assert metric_history(study.client, run, MONO) == {0: 0.2, 1: 0.3}


def unrecorded(planned, command):
    """Each is complete; its journal waits for the store."""
    yield from (Outcome(cell, True, "9 records are pending", 0.0) for cell in planned)


def test_a_late_record_stops_the_study_which_goes_on_to_all_its_trials(
    searched, output_dir, capsys
):
    settings = SETTINGS._replace(trials=3, at_once=2)
    told = (
        "tracking.uri: the record of 2 cells is not in the store; .* "
        f"run `lingmix-sync output_dir={output_dir}` to send pending records, then the same command"
    )
    with pytest.raises(InputError, match=told):
        searched(settings, "sampler.alpha=interval(0,1)", run_all=unrecorded)
    assert "of 3 trials" not in capsys.readouterr().out
    study = searched(settings, "sampler.alpha=interval(0,1)")
    assert "3 of 3 trials" in capsys.readouterr().out
    assert len(study.ran) == 3
    assert parent_of(study).data.tags[STATE] == "complete"


@pytest.mark.chaos
def test_a_study_whose_server_goes_away_ends_in_one_line(searched, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    server = Server(tmp_path)

    def run_all(planned, command):
        server.kill()
        with pytest.raises(MlflowException):
            MlflowClient(server.uri).get_experiment_by_name("any")
        yield from unrecorded(planned, command)

    server.start()
    told = (
        f"tracking.uri: no MLflow server answers at {server.uri} .*; the study stops here: when "
        "the store is back, run `lingmix-sync output_dir=.*` to send pending records, then the "
        "same command to resume$"
    )
    with pytest.raises(InputError, match=told):
        searched(SETTINGS, "sampler.alpha=0,1", f"tracking.uri='{server.uri}'", run_all=run_all)


def test_a_test_set_is_an_objective_only_when_named_and_that_is_said(searched, capsys):
    searched(SETTINGS._replace(trials=1), "sampler.alpha=0,1")
    assert "chooses by a test set" not in capsys.readouterr().out
    tested = "test/cldr_geography/monolingual/map"
    searched(SETTINGS._replace(trials=1, objectives=[tested]), "sampler.alpha=0,1")
    assert f"{tested}: the study chooses by a test set" in capsys.readouterr().out


def test_an_objective_is_that_of_the_weights_which_the_run_has_kept(output_dir):
    client = open_store(f"sqlite:///{output_dir}/mlflow.db")
    run = client.create_run(experiment_of(client, "kept", output_dir=output_dir))
    client.log_param(run.info.run_id, "data.development_score", "multilingual/map")
    for metric, values in {
        CHOSEN_BY: (0.1, 0.9, 0.5),
        MONO: (0.8, 0.2, 0.7),
    }.items():
        for step, value in enumerate(values):
            client.log_metric(run.info.run_id, metric, value, step=step)
    assert objective_values(client, client.get_run(run.info.run_id), [MONO]) == [0.2]


def steps(study, run):
    return [one.step for one in study.client.get_metric_history(run.info.run_id, MONO)]


def test_a_cell_that_is_clearly_worse_is_pruned_and_is_no_failure(searched, capsys):
    pruner = {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 1}
    settings = SETTINGS._replace(pruner=pruner, at_once=1, trials=3, seed=6)
    study = searched(settings, "optimizer.lr=0.1,1e-9")  # is drawn once, and then twice
    told = capsys.readouterr().out
    assert study.ran == ["lr=0.1", "lr=1e-09"]
    states = {run.data.params["optimizer.lr"]: run for run in study.found}
    whole, pruned = states["0.1"], states["1e-09"]
    assert pruned.data.tags[STATE] == "pruned"
    assert pruned.info.status == "KILLED"
    assert pruned.data.tags[ERROR].startswith("pruned at step 2: ")
    assert f"{pruned.info.run_name}: {pruned.data.tags[ERROR]}" in told
    assert steps(study, pruned) == [1]
    assert "FAILED" not in told
    assert "3 of 3 trials" in told
    parent = parent_of(study)
    assert parent.data.tags[STATE] == "complete"
    assert parent.data.tags[FRONT] == whole.info.run_id


def test_a_pruned_cell_goes_on_from_its_checkpoint_when_a_sweep_wants_it_whole(
    searched, output_dir
):
    threshold = {"_target_": "optuna.pruners.ThresholdPruner", "lower": 2.0}
    settings = SETTINGS._replace(pruner=threshold, trials=1)
    (pruned,) = searched(settings, "sampler.alpha=0.5,0.5").found
    work = Path(output_dir, "runs", pruned.data.params["name"], pruned.data.tags[HASH])
    assert [path.name for path in work.glob("state-*")] == ["state-000000002.ckpt"]
    whole = searched(SETTINGS._replace(trials=1), "sampler.alpha=0.5,0.5,0.5")
    (run,) = whole.found
    assert run.info.run_id == pruned.info.run_id
    assert run.data.tags[STATE] == "complete"
    losses = [one.step for one in whole.client.get_metric_history(run.info.run_id, "train/loss")]
    assert losses == list(range(6))
    assert steps(whole, run) == [1, 3, 5]


def test_a_cell_that_is_good_by_one_objective_is_not_pruned(searched):
    between = {"_target_": "optuna.pruners.ThresholdPruner", "lower": 0.2}
    study = searched(SETTINGS._replace(pruner=between, trials=1), "sampler.alpha=1,1")
    (run,) = study.found
    by_one = [run.data.metrics[one] > between["lower"] for one in SETTINGS.objectives]
    assert sorted(by_one) == [False, True]
    assert run.data.tags[STATE] == "complete"


def study_command(output_dir: Path, log: Path, **environment: str) -> int:
    command = [
        Path(sys.executable).parent / "lingmix-train",
        *["-m", "sweep=optuna", f"output_dir={output_dir}", "name=killed", *CELL],
        *["checkpoint.every_steps=5", "trainer.max_steps=20", "trainer.val_check_interval=10"],
        *["sampler.alpha=interval(0,1)", "hydra.sweeper.trials=4", "hydra.sweeper.at_once=2"],
    ]
    with log.open("ab") as file:
        return subprocess.run(
            command,
            stdout=file,
            stderr=file,
            start_new_session=True,
            env=os.environ | environment,
            check=False,
        ).returncode


@pytest.mark.chaos
def test_a_study_that_was_killed_goes_on_and_runs_no_cell_twice(output_dir, tmp_path):
    """At the second checkpoint of the third and fourth trial, each of which leaves three."""
    log = tmp_path / "log"
    checkpoints = killing(f"replace {output_dir}/.*/state-", at=8, count=tmp_path / "count")
    assert study_command(output_dir, log, **checkpoints) == -signal.SIGKILL, log.read_text()
    assert study_command(output_dir, log) == 0, log.read_text()

    client = MlflowClient(f"sqlite:///{output_dir}/mlflow.db")
    experiment = client.get_experiment_by_name("killed").experiment_id
    found = [run.data.tags[HASH] for run in runs(client, experiment, f"tags.`{HASH}` != ''")]
    assert len(found) == 4
    assert {*found} == {*complete_runs(client, experiment)}
    assert len([*runs(client, experiment, f"tags.`{KIND}` = 'sweep'")]) == 1
    told = log.read_text()
    assert told.count("of 4 trials") == 2
    assert "4 of 4 trials" in told
