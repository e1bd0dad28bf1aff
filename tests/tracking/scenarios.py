"""What meets the store, as far as its record goes: a run, one that goes on, a sweep, a sync."""

import threading
from collections.abc import Callable
from typing import NamedTuple

import pytest
from omegaconf import DictConfig, OmegaConf

from lingmix.cli.config import Config
from lingmix.commands.sync import sync
from lingmix.errors import InputError
from lingmix.sweep.cell import Outcome
from lingmix.sweep.grid import Plan
from lingmix.sweep.sweep import open_sweep
from lingmix.tracking.identity import RunIdentity, identify
from lingmix.tracking.run import find_complete
from lingmix.tracking.run_folder import run_folder
from tests.tracking.whole_run import record
from tests.unreliable import GONE, Unreliable

HANGS = 300.0
"""Seconds after which something that goes on is taken to wait without end."""


class Place(NamedTuple):
    """A configuration of an experiment of its own, and what has been trained there."""

    config: Config
    identity: RunIdentity
    sync: DictConfig
    trained: list[int]


def command(place: Place, *, stops_after: int | None = None) -> None:
    """A training as far as its record goes."""
    config, identity = place.config, place.identity
    with run_folder(config, identity.hash) as work:
        if find_complete(config, identity, work=work):
            return
        place.trained.append(1)
        record(config, identity, work, stops_after=stops_after)


def interrupted(place: Place, proxy: Unreliable) -> None:
    """After two steps; its store went away after it had taken the run."""
    proxy.arm(fault=GONE, at=18)
    with pytest.raises(KeyboardInterrupt):
        command(place, stops_after=2)


def recorded(place: Place, _: Unreliable) -> None:
    """A whole run."""
    command(patient(place))


def unsent(place: Place, proxy: Unreliable) -> None:
    """A whole run whose store was never there."""
    proxy.arm(fault=GONE, at=1)
    command(place)


def synced(place: Place) -> None:
    """By the way of the run; it may say that something is left."""
    uri = place.config["tracking"]["uri"]
    try:
        sync(OmegaConf.merge(place.sync, {"tracking": {"uri": uri}}))
    except SystemExit as error:
        assert "have something left to send" in str(error.code)


def swept(place: Place, *, uri: str | None = None) -> None:
    """A sweep of a cell that is recorded, at `uri` or as its parent is, and of one that fails."""
    grid = [planned(place.config, seed) for seed in (0, 1)]

    def run_all(cells, _):
        for cell in cells:
            if cell.values["seed"]:
                yield Outcome(cell, complete=False, text="RuntimeError: broken", seconds=0.0)
                continue
            parent = {"parent": cell.config.tracking.parent}
            parent |= {"uri": uri} if uri else {}
            config = {**cell.values, "tracking": {**place.config["tracking"], **parent}}
            command(place._replace(config=config, identity=grid[0].run))
            yield Outcome(cell, complete=True, text="", seconds=0.0)

    composed = OmegaConf.create({"tracking": {}})
    with open_sweep(
        grid[0], ["seed"], compose=lambda _: composed.copy(), command="train", run_all=run_all
    ) as one:
        one.run(grid, place.config["name"])


def parent_of(place: Place) -> None:
    """Its cells reach the store by another way."""
    swept(place, uri=place.sync.tracking.uri)


def planned(config: Config, seed: int) -> Plan:
    values = {**config, "seed": seed}
    return Plan([], values, identify(values))


class Scenario(NamedTuple):
    """What comes before the faults, what meets them, how often it trains in all."""

    before: Callable[[Place, Unreliable], None] | None
    act: Callable[[Place], None]
    trained: int = 1


SCENARIOS = {
    "run": Scenario(None, command),
    "resumed": Scenario(interrupted, command, trained=2),
    "synced": Scenario(unsent, synced),
    "complete": Scenario(recorded, command),
    "forgotten": Scenario(recorded, command, trained=2),
    "parent": Scenario(None, parent_of),
    "sweep": Scenario(None, swept),
}
SWEEPS = (parent_of, swept)


def prepared(scenario: Scenario, place: Place, proxy: Unreliable) -> None:
    proxy.repair()
    if scenario.before:
        scenario.before(place, proxy)
        quiet()


def quiet() -> None:
    """Waits for threads that would end with the process of a run."""
    for thread in threading.enumerate():
        if thread.name == "sender":
            thread.join(HANGS)
            assert not thread.is_alive()


def met(act: Callable[[Place], None], place: Place) -> None:
    """A run never fails; what a sweep cannot do in its store it says in one line."""
    try:
        act(place)
    except InputError as error:
        assert act in SWEEPS, error
        assert "\n" not in str(error)


def patient(place: Place) -> Place:
    """Its end waits for a store that is slow."""
    tracking = {**place.config["tracking"], "wait": HANGS}
    return place._replace(config={**place.config, "tracking": tracking})


def mended(act: Callable[[Place], None], place: Place, at: int) -> None:
    """The store is there again, but may be slow."""
    place = patient(place)
    if at % 2:
        sync(place.sync)
    if act in SWEEPS:
        act(place)
    elif not at % 2:
        command(place)
