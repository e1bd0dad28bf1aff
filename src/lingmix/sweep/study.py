"""A study: Optuna proposes cells, a sweep runs them, the front is what no other cell beats."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple

import optuna
from hydra.core.override_parser.types import Override
from mlflow.entities import Run
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from lingmix.cli.config import Config, build
from lingmix.errors import InputError
from lingmix.sweep.cell import CellRunner
from lingmix.sweep.grid import Compose, Plan, plans, swept
from lingmix.sweep.objectives import history, is_validation, measured, refuse_unknown
from lingmix.sweep.pareto_front import front_table
from lingmix.sweep.pruning import course_name, judged, studies_of
from lingmix.sweep.space import Space, corners, overrides_of, space_of
from lingmix.sweep.sweep import Sweep, exclusive_sweep, sweeping
from lingmix.terminal import end, say
from lingmix.tracking.history import complete_run, runs
from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import PRUNED, STATE
from lingmix.tracking.pages.sweep_run import record_front
from lingmix.tracking.store.bounded import AwayError
from lingmix.tracking.store.client import reached

CELL, AGAIN = "cell", "again"
"""What is kept with a trial: the hash of its cell, the number of the trial that it repeats."""

SETTLED = (TrialState.COMPLETE, TrialState.PRUNED)
UNSETTLED = (TrialState.RUNNING, TrialState.FAIL)


class Settings(NamedTuple):
    """How a study searches, as `hydra.sweeper` says."""

    trials: int
    at_once: int
    seed: int
    objectives: Sequence[str]
    sampler: Config
    pruner: Config | None

    @property
    def courses(self) -> list[str]:
        """The objectives that a pruner can judge by."""
        return [*filter(is_validation, self.objectives)]

    def refuse_unsupported(self) -> None:
        for key, count in (("trials", self.trials), ("at_once", self.at_once)):
            if count < 1:
                raise InputError(f"hydra.sweeper.{key}: must be at least 1, got {count}")
        if not self.objectives:
            raise InputError(
                "hydra.sweeper.objectives: must name scores, such as "
                "[val/development/multilingual/map], got none"
            )
        if self.pruner is not None and not self.courses:
            raise InputError(
                "hydra.sweeper.pruner: judges by objectives that a training measures on its way, "
                f"val/..., got {', '.join(self.objectives)}; name one, or set it to null"
            )


def search(
    overrides: Sequence[Override],
    settings: Settings,
    *,
    compose: Compose,
    door: str,
    run_all: CellRunner,
) -> None:
    """Goes on until there are as many trials as asked for; ends with status 1 if a cell failed."""
    settings.refuse_unsupported()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    shared, space = space_of(overrides)
    name = _identity(space, settings.objectives)
    told = judged(compose, study=name, objectives=settings.courses, pruner=settings.pruner)
    proposals = Proposals(shared, told)
    planned = proposals.plans(corners(space))
    refuse_unknown(settings.objectives, [plan.values for plan in planned])
    keys, values = swept([plan.values for plan in planned]), planned[0].values
    with (
        exclusive_sweep(values, name, *(plan.identity for plan in planned)),
        sweeping(planned[0], keys, compose=proposals.compose, door=door, run_all=run_all) as one,
    ):
        storage = studies_of(values, sweep=one.parent)
        study = Study(one, settings, proposals, space=space, name=name, storage=storage)
        with _resumable(values["output_dir"]):
            study.go_on()
            study.run(values["name"])
            study.conclude()
    if one.failed:
        end(
            f"lingmix-{door}: {len(one.failed)} cells failed (first: {one.failed[0].text}); the "
            "same command runs only those again"
        )


class Proposals:
    """What Optuna proposes, as cells."""

    def __init__(self, shared: Sequence[str], compose: Compose) -> None:
        self._shared, self.compose = shared, compose

    def plans(self, proposed: Sequence[Mapping[str, Any]]) -> list[Plan]:
        """One each, although two may be of one cell."""
        jobs = [[*self._shared, *overrides_of(params)] for params in proposed]
        found = {tuple(plan.overrides): plan for plan in plans(jobs, self.compose)}
        return [found.get(tuple(job)) or plans([job], self.compose)[0] for job in jobs]


class Study:
    """Trials that are cells of a sweep, known by what they choose from and by their objectives."""

    def __init__(
        self,
        sweep: Sweep,
        settings: Settings,
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
        self._study = create(study_name=name, directions=["maximize"] * len(settings.objectives))
        self._courses = [
            create(study_name=course_name(name, one), direction="maximize")
            for one in settings.courses
        ]

    def go_on(self) -> None:
        """What a start before has left unfinished, or failed, is proposed again."""
        trials = self._study.get_trials()
        again = {trial.user_attrs.get(AGAIN) for trial in trials}
        for trial in trials:
            if trial.state is TrialState.RUNNING:
                self._study.tell(trial.number, state=TrialState.FAIL)
            if trial.state in UNSETTLED and trial.number not in again:
                self._study.enqueue_trial(trial.params, user_attrs={AGAIN: trial.number})

    def run(self, name: str) -> None:
        for objective in self._settings.objectives:
            if not is_validation(objective):
                say(f"{objective}: the study chooses by a test set, which then tests nothing")
        count = self._settings.trials
        while (left := count - len(self._trials(*SETTLED)) - self._failed) > 0:
            self._batch(min(left, self._settings.at_once), name)
            told = f"{len(self._trials(*SETTLED))} of {count} trials, {len(self._front())} on the"
            say(f"study {name}: {told} front")

    def conclude(self) -> None:
        """Says which runs are on the front, and keeps it with the sweep."""
        front = self._front()
        table = front_table(front, objectives=self._settings.objectives, keys=list(self._space))
        say(table)
        ids = [run.info.run_id for _, run in front]
        with reached(self._sweep.client):
            record_front(self._sweep.client, self._sweep.parent, ids, table=table)

    def _batch(self, count: int, name: str) -> None:
        """A start goes on with other draws than the one before: they are seeded by the trial."""
        pruned = {trial.user_attrs[CELL] for trial in self._trials(TrialState.PRUNED)}
        seed = self._settings.seed + len(self._trials())
        self._study.sampler = build(self._settings.sampler | {"seed": seed})
        asked = [self._study.ask(self._space) for _ in range(count)]
        proposed = self._proposals.plans([trial.params for trial in asked])
        for trial, plan in zip(asked, proposed, strict=True):
            trial.set_user_attr(CELL, plan.identity)
        grid = {plan.identity: plan for plan in proposed if plan.identity not in pruned}
        self._sweep.run(list(grid.values()), name)
        with reached(self._sweep.client):
            pairs = zip(asked, proposed, strict=True)
            late = {one.identity for trial, one in pairs if not self._tell(trial, one.identity)}
        if late:
            raise AwayError(f"tracking.uri: the record of {len(late)} cells is not in the store")

    def _tell(self, trial: Trial, cell: str) -> bool:
        """What is recorded of its cell; False where a record is still on its way."""
        client, experiment = self._sweep.client, self._sweep.experiment
        pruned = f"tags.`{STATE}` = '{PRUNED}' and tags.`{HASH}` = '{cell}'"
        if run := complete_run(client, experiment, cell):
            self._study.tell(trial, measured(client, run, self._settings.objectives))
            self._keep_courses(run)
        elif next(runs(client, experiment, pruned), None):
            self._study.tell(trial, state=TrialState.PRUNED)
        elif any(outcome.cell.identity == cell for outcome in self._sweep.failed):
            self._study.tell(trial, state=TrialState.FAIL)
            self._failed += 1
        else:
            return False
        return True

    def _keep_courses(self, run: Run) -> None:
        """For pruners to compare with."""
        for objective, course in zip(self._settings.courses, self._courses, strict=True):
            scores = history(self._sweep.client, run, objective)
            last = scores[max(scores)]
            course.add_trial(optuna.create_trial(value=last, intermediate_values=scores))

    def _front(self) -> list[tuple[FrozenTrial, Run]]:
        """Each cell once, the best by the first objective first."""
        best = {trial.user_attrs[CELL]: trial for trial in self._study.best_trials}
        with reached(self._sweep.client):
            recorded = [
                (trial, complete_run(self._sweep.client, self._sweep.experiment, cell))
                for cell, trial in sorted(best.items(), key=lambda one: one[1].values, reverse=True)
            ]
        return [(trial, run) for trial, run in recorded if run is not None]

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=states or None)


@contextmanager
def _resumable(output_dir: str) -> Iterator[None]:
    """A store that is away, or behind, ends the study for now."""
    try:
        yield
    except AwayError as error:
        raise InputError(
            f"{error}; the study stops here: when the store is there, `lingmix-sync "
            f"output_dir={output_dir}` sends what waits for it, and the same command goes on"
        ) from error


def _identity(space: Space, objectives: Sequence[str]) -> str:
    texts = {key: repr(distribution) for key, distribution in sorted(space.items())}
    return sha256(json.dumps([texts, [*objectives]]).encode()).hexdigest()[:16]
