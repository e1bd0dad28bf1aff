"""A sweep: one parent run, under which each missing cell of a grid is run once."""

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
from lingmix.sweep.cell import CellRunner, Outcome, chosen_values, make_cell
from lingmix.sweep.grid import Compose, Plan, varied_keys
from lingmix.sweep.live import show_progress
from lingmix.terminal import exit_with_error, say
from lingmix.tracking.flat_config import leaves
from lingmix.tracking.history import changes, complete_runs, lacks_run_files
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
from lingmix.tracking.run_folder import remove_recorded
from lingmix.tracking.run_table import cell_table as cells_of
from lingmix.tracking.run_table import evaluation_table
from lingmix.tracking.secrets import mask_secrets
from lingmix.tracking.store.bounded import startup_deadline, with_retries
from lingmix.tracking.store.client import experiment_of, open_store, store_errors


class Sweep:
    """Runs cells under a parent run, which records their hashes and how the sweep ended."""

    def __init__(
        self,
        client: MlflowClient,
        experiment: str,
        parent: str,
        *,
        keys: Sequence[str],
        compose: Compose,
        command: str,
        run_all: CellRunner,
    ) -> None:
        self.client, self.experiment, self.parent = client, experiment, parent
        self.failed: list[Outcome] = []
        self.changed = False
        self._keys, self._compose, self._command, self._run_all = keys, compose, command, run_all

    def run(self, grid: Sequence[Plan], name: str) -> None:
        """Run the cells of the grid that are not recorded complete; `failed` collects failures."""
        with store_errors(self.client):
            complete = complete_runs(self.client, self.experiment)
            add_cells(self.client, self.parent, [plan.identity for plan in grid])
            self.changed |= not is_described(self.client, self.parent, complete)
        missing = [plan for plan in grid if plan.identity not in complete]
        for plan in grid:
            if plan.identity in complete:
                remove_recorded(plan.values, plan.identity)
        self.changed |= bool(missing)
        done = len(grid) - len(missing)
        say(f"sweep {name}: {len(grid)} cells, {done} complete, {len(missing)} to run")
        for line in _notes(grid, complete):
            say(f"  {line}")
        cells = [
            make_cell(plan, self._compose(plan.overrides), parent=self.parent, keys=self._keys)
            for plan in missing
            for _ in range(plan.values.get("processes", 1))
        ]
        tags = {plan.identity: plan.run.tags for plan in missing}
        with (
            closing(self._run_all(cells, self._command)) as running,
            show_progress(cells, running) as outcomes,
        ):
            for count, outcome in enumerate(outcomes, 1):
                state = "" if outcome.complete else "FAILED "
                say(f"[{count}/{len(cells)}] {outcome.seconds:.0f} s {state}{outcome.text}")
                if not outcome.complete:
                    self._fail(outcome, tags[outcome.cell.identity])

    def _fail(self, outcome: Outcome, tags: Mapping[str, str]) -> None:
        self.failed.append(outcome)
        try:
            with store_errors(self.client):
                record = partial(
                    record_failure,
                    self.client,
                    self.experiment,
                    parent=self.parent,
                    name=outcome.cell.name,
                    tags=tags,
                    error=outcome.text,
                )
                with_retries(record)
        except InputError as error:
            say(f"  the failure is not recorded: {error}")


def _notes(grid: Sequence[Plan], complete: Mapping[str, Run]) -> list[str]:
    """Lines on complete cells that would be made differently now."""
    lines = changes(complete.values(), [p.run.tags for p in grid if p.identity not in complete])
    done = [(plan, complete[plan.identity]) for plan in grid if plan.identity in complete]
    lacking = sum(lacks_run_files(run, plan.values.get("run_files")) for plan, run in done)
    if lacking:
        lines.append(f"complete without the run files of run_files: {lacking}, not run again")
    return lines


def run_grid(grid: Sequence[Plan], *, compose: Compose, command: str, run_all: CellRunner) -> None:
    """Run the cells that are not recorded complete; exit with status 1 if one failed."""
    keys = varied_keys([plan.values for plan in grid])
    values = grid[0].values
    with (
        exclusive_sweep(values, *sorted(plan.identity for plan in grid)),
        open_sweep(grid[0], keys, compose=compose, command=command, run_all=run_all) as sweep,
    ):
        sweep.run(grid, values["name"])
    if sweep.failed:
        exit_with_error(
            f"lingmix-{command}: {len(sweep.failed)} of {len(grid)} cells failed (first: "
            f"{sweep.failed[0].text}); run the same command to run only those again"
        )
    if command == "evaluate":
        from lingmix.analysis.results import in_tables, results_of  # noqa: PLC0415 - seconds

        client, experiment = sweep.client, sweep.experiment
        recorded = cells_of(client, experiment), evaluation_table(client, experiment)
        say(in_tables(results_of(*recorded)))


@contextmanager
def open_sweep(
    plan: Plan, keys: Sequence[str], *, compose: Compose, command: str, run_all: CellRunner
) -> Iterator[Sweep]:
    """Open the sweep over `keys` for the block, and record in its parent run how it ended.

    `plan` is any of its cells. Waits while another process runs other cells of the same sweep. A
    signal in the block exits with the status that a shell gives for it.
    """
    output_dir = Path(plan.values["output_dir"])
    identity = _identity(plan.values, keys)
    with _turn_at_parent(plan.values, identity):
        client, experiment, parent = _begin(plan, keys, identity=identity, command=command)
        sweep = Sweep(
            client, experiment, parent, keys=keys, compose=compose, command=command, run_all=run_all
        )
        try:
            with stoppable():
                yield sweep
        except BaseException as error:
            with suppress(InputError):
                _end(sweep, INTERRUPTED, output_dir)
            if isinstance(error, KeyboardInterrupt | StoppedError):
                number = getattr(error, "number", signal.SIGINT)
                say(f"lingmix-{command}: stopped; run the same command to run the missing cells")
                sys.exit(128 + number)
            raise
        _end(sweep, FAILED if sweep.failed else COMPLETE, output_dir)


def _begin(
    plan: Plan, keys: Sequence[str], *, identity: str, command: str
) -> tuple[MlflowClient, str, str]:
    """Open the store; return its client and the ids of the experiment and of the parent run."""
    values = plan.values
    typed = [f"lingmix-{command}", *(mask_secrets(word) for word in sys.argv[1:])]
    with startup_deadline():
        client = open_store(values["tracking"]["uri"])
        with store_errors(client):
            output_dir = Path(values["output_dir"])
            experiment = experiment_of(client, values["name"], output_dir=output_dir)
            begin = partial(
                begin_sweep,
                client,
                experiment,
                identity=identity,
                name=f"sweep over {', '.join(chosen_values(plan, keys)) or 'one cell'}",
                command=shlex.join(typed),
            )
            return client, experiment, with_retries(begin)


def _end(sweep: Sweep, state: str, output_dir: Path) -> None:
    try:
        with store_errors(sweep.client):
            if sweep.changed:
                describe_sweep(sweep.client, sweep.parent)
            end_sweep(sweep.client, sweep.parent, state)
    except InputError as error:
        raise InputError(
            f"{error}; how the sweep ended is not recorded: when the store is back, run "
            f"`lingmix-sync output_dir={output_dir}` to send pending records, then the same "
            "command to end the sweep"
        ) from error


def exclusive_sweep(values: Config, *identity: str) -> AbstractContextManager[None]:
    """Lock the sweep of this `identity`; raise InputError where another process has the lock."""

    def busy() -> None:
        raise InputError(
            f"name: another process is at work on this sweep of {values['name']!r}; wait for it, "
            "or stop it"
        )

    return exclusive(_lock_file(values, _digest(identity)), busy=busy)


def _turn_at_parent(values: Config, identity: str) -> AbstractContextManager[None]:
    """Lock the parent run; wait for a process that runs other cells of the same sweep."""
    name = values["name"]
    return exclusive(
        _lock_file(values, identity),
        busy=lambda: say(
            f"another process is at work on other cells of this sweep of {name!r}; waiting for it"
        ),
    )


def _lock_file(values: Config, identity: str) -> Path:
    return Path(values["output_dir"], "runs", values["name"], f"sweep-{identity}.lock")


def _identity(values: Config, keys: Sequence[str]) -> str:
    """Hash what the cells share and the keys that vary: a wider grid is the same sweep."""
    shared = {key: value for key, value in leaves(values).items() if key not in keys}
    return _digest([config_hash(shared), [*keys]])


def _digest(value: object) -> str:
    return sha256(json.dumps(value).encode()).hexdigest()[:16]
