"""A study: Optuna proposes cells, a sweep runs them, and its result is their Pareto front."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from typing import Any

import optuna
from hydra.core.override_parser.types import Override
from mlflow.entities import Run
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from lingmix.cli.config import build
from lingmix.errors import InputError
from lingmix.sweep.cell import CellRunner
from lingmix.sweep.grid import Compose, Plan, plan_cells, varied_keys
from lingmix.sweep.objectives import (
    check_objectives,
    direction,
    goal,
    is_validation,
    metric_history,
    objective_values,
)
from lingmix.sweep.pareto_front import front_table
from lingmix.sweep.pruning import pruning_study_name, study_storage, with_pruning
from lingmix.sweep.space import Space, corners, overrides_of, search_space
from lingmix.sweep.study_settings import StudySettings
from lingmix.sweep.sweep import Sweep, exclusive_sweep, open_sweep
from lingmix.terminal import exit_with_error, say
from lingmix.tracking.history import complete_run, runs
from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import PRUNED, STATE
from lingmix.tracking.pages.sweep_run import record_front
from lingmix.tracking.store.bounded import UnavailableError
from lingmix.tracking.store.client import store_errors

CELL, REPEATS = "cell", "again"
"""Attributes of a trial: the hash of its cell, and the number of the trial that it repeats."""

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
UNFINISHED = (TrialState.RUNNING, TrialState.FAIL)


def run_study(
    overrides: Sequence[Override],
    settings: StudySettings,
    *,
    compose: Compose,
    command: str,
    run_all: CellRunner,
) -> None:
    """Run cells until the study has `trials` trials, and record its Pareto front with the sweep.

    Resumes a study of the same space and objectives. Raises InputError for settings that make no
    study and where the store is away; exits with status 1 where a cell failed.
    """
    settings.refuse_unsupported()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    shared, space = search_space(overrides)
    name = _identity(space, settings)
    objectives = settings.validation_objectives
    compose = with_pruning(compose, study=name, objectives=objectives, pruner=settings.pruner)
    proposals = Proposals(shared, compose)
    planned = proposals.plan_cells(corners(space))
    check_objectives(settings.objectives, [plan.values for plan in planned])
    keys, values = varied_keys([plan.values for plan in planned]), planned[0].values
    with (
        exclusive_sweep(values, name, *(plan.identity for plan in planned)),
        open_sweep(
            planned[0], keys, compose=proposals.compose, command=command, run_all=run_all
        ) as sweep,
    ):
        storage = study_storage(values, sweep=sweep.parent)
        study = Study(sweep, settings, proposals, space=space, name=name, storage=storage)
        with _resumable(values["output_dir"]):
            study.resume()
            study.run(values["name"])
            study.record_front_runs()
    if sweep.failed:
        exit_with_error(
            f"lingmix-{command}: {len(sweep.failed)} cells failed (first: {sweep.failed[0].text}); "
            "run the same command to run only those again"
        )


class Proposals:
    """Turns what Optuna proposes into cells."""

    def __init__(self, shared: Sequence[str], compose: Compose) -> None:
        self._shared, self.compose = shared, compose

    def plan_cells(self, proposed: Sequence[Mapping[str, Any]]) -> list[Plan]:
        """Return a plan for each proposal; two of them may be of the same cell."""
        jobs = [[*self._shared, *overrides_of(params)] for params in proposed]
        found = {tuple(plan.overrides): plan for plan in plan_cells(jobs, self.compose)}
        return [found.get(tuple(job)) or plan_cells([job], self.compose)[0] for job in jobs]


class Study:
    """An Optuna study whose trials are cells of a sweep."""

    def __init__(
        self,
        sweep: Sweep,
        settings: StudySettings,
        proposals: Proposals,
        *,
        space: Space,
        name: str,
        storage: JournalStorage,
    ) -> None:
        self._sweep, self._settings, self._proposals = sweep, settings, proposals
        self._space = space
        self._failed = 0
        create = partial(optuna.create_study, storage=storage, load_if_exists=True)
        self._study = create(study_name=name, directions=settings.directions)
        self._pruning_studies = [
            create(study_name=pruning_study_name(name, objective), direction=direction(objective))
            for objective in settings.validation_objectives
        ]

    def resume(self) -> None:
        """Enqueue the trials again that an earlier process left unfinished or that failed."""
        trials = self._study.get_trials()
        repeated = {trial.user_attrs.get(REPEATS) for trial in trials}
        for trial in trials:
            if trial.state is TrialState.RUNNING:
                self._study.tell(trial.number, state=TrialState.FAIL)
            if trial.state in UNFINISHED and trial.number not in repeated:
                self._study.enqueue_trial(trial.params, user_attrs={REPEATS: trial.number})

    def run(self, name: str) -> None:
        for objective in self._settings.objectives:
            if not is_validation(objective):
                say(f"{objective}: the study chooses by a test set, which then tests nothing")
        count = self._settings.trials
        while (left := count - len(self._trials(*FINISHED)) - self._failed) > 0:
            self._batch(min(left, self._settings.at_once), name)
            done, front = len(self._trials(*FINISHED)), len(self._front())
            say(f"study {name}: {done} of {count} trials, {front} on the Pareto front")

    def record_front_runs(self) -> None:
        """Print the Pareto front and record it in the parent run."""
        front = self._front()
        table = front_table(front, objectives=self._settings.objectives, keys=list(self._space))
        say(table)
        ids = [run.info.run_id for _, run in front]
        with store_errors(self._sweep.client):
            record_front(self._sweep.client, self._sweep.parent, ids, table=table)

    def _batch(self, count: int, name: str) -> None:
        pruned = {trial.user_attrs[CELL] for trial in self._trials(TrialState.PRUNED)}
        # the number of trials varies the seed, so that a resumed study draws other values
        seed = self._settings.seed + len(self._trials())
        self._study.sampler = build(self._settings.sampler | {"seed": seed})
        trials = [self._study.ask(self._space) for _ in range(count)]
        proposed = self._proposals.plan_cells([trial.params for trial in trials])
        for trial, plan in zip(trials, proposed, strict=True):
            trial.set_user_attr(CELL, plan.identity)
        grid = {plan.identity: plan for plan in proposed if plan.identity not in pruned}
        self._sweep.run(list(grid.values()), name)
        with store_errors(self._sweep.client):
            pairs = zip(trials, proposed, strict=True)
            late = {plan.identity for trial, plan in pairs if not self._tell(trial, plan.identity)}
        if late:
            raise UnavailableError(
                f"tracking.uri: the record of {len(late)} cells is not in the store"
            )

    def _tell(self, trial: Trial, cell: str) -> bool:
        """Tell Optuna the result of a trial's cell; False where it is not recorded yet."""
        client, experiment = self._sweep.client, self._sweep.experiment
        pruned = f"tags.`{STATE}` = '{PRUNED}' and tags.`{HASH}` = '{cell}'"
        if run := complete_run(client, experiment, cell):
            self._study.tell(trial, objective_values(client, run, self._settings.objectives))
            self._add_learning_curves(run)
        elif next(runs(client, experiment, pruned), None):
            self._study.tell(trial, state=TrialState.PRUNED)
        elif any(outcome.cell.identity == cell for outcome in self._sweep.failed):
            self._study.tell(trial, state=TrialState.FAIL)
            self._failed += 1
        else:
            return False
        return True

    def _add_learning_curves(self, run: Run) -> None:
        """Add the run's validation scores by step, which pruners compare later trials with."""
        objectives = self._settings.validation_objectives
        for objective, study in zip(objectives, self._pruning_studies, strict=True):
            history = metric_history(self._sweep.client, run, objective)
            goals = {step: goal(objective, score) for step, score in history.items()}
            last = goals[max(goals)]
            study.add_trial(optuna.create_trial(value=last, intermediate_values=goals))

    def _front(self) -> list[tuple[FrozenTrial, Run]]:
        """The trials of the Pareto front, a cell once, the best by the first objective first."""
        best = {trial.user_attrs[CELL]: trial for trial in self._study.best_trials}
        with store_errors(self._sweep.client):
            recorded = [
                (trial, complete_run(self._sweep.client, self._sweep.experiment, cell))
                for cell, trial in best.items()
            ]
        front = [(trial, run) for trial, run in recorded if run is not None]
        rising = self._settings.directions[0] == "maximize"
        return sorted(front, key=lambda member: member[0].values, reverse=rising)

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=states or None)


@contextmanager
def _resumable(output_dir: str) -> Iterator[None]:
    """Raise InputError, saying how to resume, where the store is away or lacks a record."""
    try:
        yield
    except UnavailableError as error:
        raise InputError(
            f"{error}; the study stops here: when the store is back, run `lingmix-sync "
            f"output_dir={output_dir}` to send pending records, then the same command to resume"
        ) from error


def _identity(space: Space, settings: StudySettings) -> str:
    texts = {key: repr(distribution) for key, distribution in sorted(space.items())}
    chosen = [texts, [*settings.objectives], settings.directions]
    return sha256(json.dumps(chosen).encode()).hexdigest()[:16]
