"""A sweep: one parent run, each missing cell of its grid once."""

import json
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from lingmix.cli.config import Config
from lingmix.errors import InputError
from lingmix.locks import exclusive
from lingmix.signals import StoppedError, stoppable
from lingmix.sweep.cell import CellRunner, Outcome, cell_of, choices
from lingmix.sweep.grid import Compose, Plan, swept
from lingmix.sweep.live import followed
from lingmix.terminal import end, say
from lingmix.tracking.flat_config import leaves
from lingmix.tracking.history import cells as cells_of
from lingmix.tracking.history import changes, complete_runs, evaluations, lacks_run_files
from lingmix.tracking.identity import config_hash
from lingmix.tracking.lifecycle import COMPLETE, FAILED, INTERRUPTED
from lingmix.tracking.pages.sweep_run import (
    add_cells,
    begin_sweep,
    describe_sweep,
    end_sweep,
    is_described,
    record_failure,
)
from lingmix.tracking.secrets import shown
from lingmix.tracking.store.bounded import again, opening
from lingmix.tracking.store.client import experiment_of, open_store, reached


class Sweep:
    """Runs cells under a parent run, which says what they are and how the sweep ended."""

    def __init__(
        self,
        client: MlflowClient,
        experiment: str,
        parent: str,
        *,
        keys: Sequence[str],
        compose: Compose,
        door: str,
        run_all: CellRunner,
    ) -> None:
        self.client, self.experiment, self.parent = client, experiment, parent
        self.failed: list[Outcome] = []
        self.changed = False
        self._keys, self._compose, self._door, self._run_all = keys, compose, door, run_all

    def run(self, grid: Sequence[Plan], name: str) -> None:
        """Those of the grid that are not recorded complete."""
        with reached(self.client):
            complete = complete_runs(self.client, self.experiment)
            add_cells(self.client, self.parent, [plan.identity for plan in grid])
            self.changed |= not is_described(self.client, self.parent, complete)
        missing = [plan for plan in grid if plan.identity not in complete]
        self.changed |= bool(missing)
        done = len(grid) - len(missing)
        say(f"sweep {name}: {len(grid)} cells, {done} complete, {len(missing)} to run")
        for line in _remarks(grid, complete):
            say(f"  {line}")
        cells = [
            cell_of(plan, self._compose(plan.overrides), parent=self.parent, keys=self._keys)
            for plan in missing
        ]
        tags = {plan.identity: plan.run.tags for plan in missing}
        with (
            closing(self._run_all(cells, self._door)) as running,
            followed(cells, running) as outcomes,
        ):
            for count, outcome in enumerate(outcomes, 1):
                state = "" if outcome.complete else "FAILED "
                say(f"[{count}/{len(cells)}] {outcome.seconds:.0f} s {state}{outcome.text}")
                if not outcome.complete:
                    self._fail(outcome, tags[outcome.cell.identity])

    def _fail(self, outcome: Outcome, tags: Mapping[str, str]) -> None:
        self.failed.append(outcome)
        try:
            with reached(self.client):
                record = partial(
                    record_failure,
                    self.client,
                    self.experiment,
                    parent=self.parent,
                    name=outcome.cell.name,
                    tags=tags,
                    error=outcome.text,
                )
                again(record)
        except InputError as error:
            say(f"  is not recorded: {error}")


def _remarks(grid: Sequence[Plan], complete: Mapping[str, Run]) -> list[str]:
    """What is complete but not as it would be made now."""
    lines = changes(complete.values(), [p.run.tags for p in grid if p.identity not in complete])
    done = [(plan, complete[plan.identity]) for plan in grid if plan.identity in complete]
    lacking = sum(lacks_run_files(run, plan.values.get("run_files")) for plan, run in done)
    if lacking:
        lines.append(f"complete without the run files of run_files: {lacking}, not run again")
    return lines


def sweep(grid: Sequence[Plan], *, compose: Compose, door: str, run_all: CellRunner) -> None:
    """Has the cells run that are not recorded complete; ends with status 1 if one failed."""
    keys = swept([plan.values for plan in grid])
    values = grid[0].values
    with (
        exclusive_sweep(values, *sorted(plan.identity for plan in grid)),
        sweeping(grid[0], keys, compose=compose, door=door, run_all=run_all) as one,
    ):
        one.run(grid, values["name"])
    if one.failed:
        end(
            f"lingmix-{door}: {len(one.failed)} of {len(grid)} cells failed (first: "
            f"{one.failed[0].text}); the same command runs only those again"
        )
    if door == "evaluate":
        from lingmix.analysis.set_tables import every_set  # noqa: PLC0415 - seconds of imports

        recorded = cells_of(one.client, one.experiment), evaluations(one.client, one.experiment)
        say(every_set(*recorded))


@contextmanager
def sweeping(
    plan: Plan, keys: Sequence[str], *, compose: Compose, door: str, run_all: CellRunner
) -> Iterator[Sweep]:
    """This process' own sweep over `keys`, of which `plan` is a cell, until the block ends; its
    parent says how it ended."""
    values = plan.values
    name, output_dir = values["name"], Path(values["output_dir"])
    identity = _identity(values, keys)
    with _in_turn(values, identity):
        with opening():
            client = open_store(values["tracking"]["uri"])
            with reached(client):
                experiment = experiment_of(client, name, output_dir=output_dir)
                words = [f"lingmix-{door}", *(shown(word) for word in sys.argv[1:])]
                begin = partial(
                    begin_sweep,
                    client,
                    experiment,
                    identity=identity,
                    name=f"sweep over {', '.join(choices(plan, keys)) or 'one cell'}",
                    command=shlex.join(words),
                )
                parent = again(begin)
        one = Sweep(
            client, experiment, parent, keys=keys, compose=compose, door=door, run_all=run_all
        )
        try:
            with stoppable():
                yield one
        except BaseException as error:
            with suppress(InputError):
                _end(one, INTERRUPTED, output_dir)
            if isinstance(error, KeyboardInterrupt | StoppedError):
                number = getattr(error, "number", signal.SIGINT)
                say(f"lingmix-{door}: stopped; the same command goes on with what is missing")
                sys.exit(128 + number)
            raise
        _end(one, FAILED if one.failed else COMPLETE, output_dir)


def _end(one: Sweep, state: str, output_dir: Path) -> None:
    try:
        with reached(one.client):
            if one.changed:
                describe_sweep(one.client, one.parent)
            end_sweep(one.client, one.parent, state)
    except InputError as error:
        raise InputError(
            f"{error}; how the sweep ended is not recorded: when the store is there again, "
            f"`lingmix-sync output_dir={output_dir}` sends what waits for it, and the same command "
            "ends the sweep"
        ) from error


def exclusive_sweep(values: Config, *work: str) -> AbstractContextManager[None]:
    """Raises InputError where another process is at the same work."""

    def busy() -> None:
        raise InputError(
            f"name: another process is at work on this sweep of {values['name']!r}; wait for it, "
            "or stop it"
        )

    return exclusive(_lock_file(values, _digest(work)), busy=busy)


def _in_turn(values: Config, identity: str) -> AbstractContextManager[None]:
    """After another process that has other cells of the sweep: they share its parent."""
    name = values["name"]
    return exclusive(
        _lock_file(values, identity),
        busy=lambda: say(
            f"another process is at work on other cells of this sweep of {name!r}: waits"
        ),
    )


def _lock_file(values: Config, identity: str) -> Path:
    return Path(values["output_dir"], "runs", values["name"], f"sweep-{identity}.lock")


def _identity(values: Config, keys: Sequence[str]) -> str:
    """A sweep is what its cells share and the keys it varies: a wider grid is the same sweep."""
    shared = {key: value for key, value in leaves(values).items() if key not in keys}
    return _digest([config_hash(shared), [*keys]])


def _digest(value: object) -> str:
    return sha256(json.dumps(value).encode()).hexdigest()[:16]
