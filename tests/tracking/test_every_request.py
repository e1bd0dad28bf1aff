"""Whichever single request a store misses, it ends up with what an undisturbed run leaves there.

Requests are counted in what is left alone, and nothing depends on time. Every request of a run is
tried with every fault, and every other request with the two that differ most; the other faults meet
as many of those as LINGMIX_CHAOS_ROUNDS of 8, from 8 on all. What is left to do is done by
`lingmix-sync` after a fault at an odd request, by the same command after one at an even request.
"""

import copy
import difflib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from benchmarks.harness.server import Server
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from lingmix.commands.sync import sync
from lingmix.doors import CONF, Config, resolved
from lingmix.errors import InputError
from lingmix.recording import complete_already, recorded
from lingmix.sweep.cell import Outcome
from lingmix.sweep.grid import Plan
from lingmix.sweep.sweep import sweeping
from lingmix.tracking import bounded, store
from lingmix.tracking.identity import HASH, identity_tags, provenance
from lingmix.tracking.lifecycle import COMPLETE, STATE
from lingmix.tracking.work import emptied, work_folder
from tests.conftest import QUICK
from tests.stored import stored
from tests.unreliable import FAULTS, GONE, LOST, UNHEARD, Unreliable, unreliable

SETTINGS = [*QUICK, "tracking.system_metrics=null", "tracking.wait=0.5", "tracking.code=tested"]

ROUNDS = int(os.environ.get("LINGMIX_CHAOS_ROUNDS", "2"))

HANGS = 120.0
"""Seconds after which something that goes on is taken to wait without end."""


class Place(NamedTuple):
    """A configuration of an experiment of its own, and what has been trained there."""

    config: Config
    tags: dict[str, str]
    sync: DictConfig
    trained: list[int]


def command(place: Place, *, stops_after: int | None = None) -> None:
    """A training as far as its record goes."""
    config, tags = place.config, place.tags
    with work_folder(config, tags[HASH]) as work:
        if complete_already(config["tracking"]["uri"], config, tags=tags, work=work):
            return
        place.trained.append(1)
        record(config, tags, work, stops_after=stops_after)


def record(config: Config, tags: dict[str, str], work: Path, *, stops_after: int | None) -> None:
    uri = config["tracking"]["uri"]
    with recorded(uri, config, door="train", name="run", tags=tags, work=work) as recorder:
        for step in (1, 2, 3):
            recorder.log_metrics({"train/loss": 1 / step, "val/map": step / 4}, step)
            if step == stops_after:
                raise KeyboardInterrupt
        left = emptied(work / "left")
        (left / "model").mkdir()
        (left / "scores.json").write_text('{"map": 0.5}')
        (left / "model" / "weights").write_bytes(bytes(range(256)))
        recorder.log_files(left)
        recorder.log_metrics({"test/set/monolingual/map": 0.5})


def interrupted(place: Place, proxy: Unreliable) -> None:
    """After two steps; its store went away after it had taken the run."""
    proxy.arm(fault=GONE, at=18)
    with pytest.raises(KeyboardInterrupt):
        command(place, stops_after=2)


def unsent(place: Place, proxy: Unreliable) -> None:
    """A whole run whose store was never there."""
    proxy.arm(fault=GONE, at=1)
    command(place)


def synced(place: Place) -> None:
    """It may say that something is left."""
    try:
        sync(place.sync)
    except SystemExit as error:
        assert "have something left to send" in str(error.code)


def searched(place: Place) -> None:
    """A sweep of a cell that is recorded, by another way than the parent, and of one that fails."""
    direct = copy.deepcopy(place.config)
    direct["tracking"]["uri"] = place.sync.tracking.uri
    grid = [planned(place.config, seed) for seed in (0, 1)]

    def run_all(cells, door):
        for cell in cells:
            place.trained.append(cell.values["seed"])
            if cell.values["seed"]:
                yield Outcome(cell, complete=False, text="RuntimeError: broken", seconds=0.0)
                continue
            config = direct | {"seed": 0}
            config["tracking"] |= {"parent": cell.config.tracking.parent}
            with work_folder(config, cell.identity) as work:
                record(config, grid[0].tags, work, stops_after=None)
            yield Outcome(cell, complete=True, text="", seconds=0.0)

    composed = OmegaConf.create({"tracking": {}})
    with sweeping(
        place.config, ["seed"], compose=lambda _: composed.copy(), door="train", run_all=run_all
    ) as one:
        one.run(grid, place.config["name"])


def planned(config: Config, seed: int) -> Plan:
    values = {**config, "seed": seed}
    return Plan([], values, identity_tags(values))


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def proxy(server) -> Iterator[Unreliable]:
    with unreliable(server.uri) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def impatient(monkeypatch) -> None:
    """A store that hangs or is gone is given up sooner."""
    monkeypatch.setattr(bounded, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(bounded, "TRY", 1.0)
    monkeypatch.setattr(store, "ANSWER", 1.0)


@pytest.fixture(scope="module")
def place(tmp_path_factory, proxy, server) -> Callable[[str], Place]:
    folder = tmp_path_factory.mktemp("out")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        base = resolved(compose("train", [f"tracking.uri='{proxy.uri}'", *SETTINGS]))
        syncing = compose("sync", [f"tracking.uri='{server.uri}'"])
    tags = provenance(base)

    def of(name: str) -> Place:
        here = {"name": name, "output_dir": str(folder / name)}
        return Place({**base, **here}, tags, OmegaConf.merge(syncing, here), [])

    return of


class Scenario(NamedTuple):
    """What comes before the faults, what meets them, how often it trains in all."""

    before: Callable[[Place, Unreliable], None] | None
    act: Callable[[Place], None]
    trained: list[int]


SCENARIOS = {
    "run": Scenario(None, command, [1]),
    "resumed": Scenario(interrupted, command, [1, 1]),
    "synced": Scenario(unsent, synced, [1]),
    "complete": Scenario(lambda place, _: command(place), command, [1]),
    "sweep": Scenario(None, searched, [0, 1, 1]),
}


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


@pytest.fixture(scope="module")
def disturbed(place, proxy, server, undisturbed) -> Callable[[str, str, int], list[str]]:
    """What is wrong after a fault at one request of a scenario, in words."""

    def of(which: str, fault: str, at: int) -> list[str]:
        record, requests = undisturbed(which)
        name = f"{which}-{fault}-{at:03d}"
        here, scenario = place(name), SCENARIOS[which]
        prepared(scenario, here, proxy)
        proxy.arm(fault=fault, at=at)
        where = f"{name} {requests[at - 1]}"
        try:
            with ending():
                met(scenario.act, here)
                quiet()
                proxy.repair()
                mended(which, here, at)
            found = stored(server.uri, name)
        except (Exception, SystemExit) as error:
            return [f"{where}: {type(error).__name__}: {error}"]
        wrong = [f"{where}: trained {here.trained}"] if here.trained != scenario.trained else []
        lines = difflib.unified_diff(record.splitlines(), found.splitlines(), lineterm="", n=0)
        return wrong + [f"{where}: {line}" for line in lines if line[:3] not in ("---", "+++")][:9]

    return of


@contextmanager
def ending() -> Iterator[None]:
    """What waits without end is stopped."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"waits for more than {HANGS:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, HANGS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def met(act: Callable[[Place], None], place: Place) -> None:
    """A run never fails; what a sweep cannot do in its store it says in one line."""
    try:
        act(place)
    except InputError as error:
        assert act is searched, error
        assert "\n" not in str(error)


def mended(which: str, place: Place, at: int) -> None:
    if at % 2:
        sync(place.sync)
    if not at % 2 or which == "sweep":
        searched(place) if which == "sweep" else command(place)


@pytest.fixture(scope="module")
def undisturbed(place, proxy, server) -> Callable[[str], tuple[str, list[str]]]:
    """What is stored of a scenario without any fault, and its requests."""
    known: dict[str, tuple[str, list[str]]] = {}

    def of(which: str) -> tuple[str, list[str]]:
        if which not in known:
            scenario, at = SCENARIOS[which], place(f"{which}-undisturbed-000")
            prepared(scenario, at, proxy)
            proxy.repair()
            scenario.act(at)
            requests = [*proxy.requests]
            if which == "sweep":
                scenario.act(at)
            known[which] = stored(server.uri, at.config["name"]), requests
        return known[which]

    return of


def test_what_an_undisturbed_run_leaves(undisturbed):
    record, requests = undisturbed("run")
    (run,) = json.loads(record)
    assert run["status"] == "FINISHED"
    assert run["tags"][STATE] == COMPLETE
    assert run["metrics"]["val/map"] == [[1, 0.25], [2, 0.5], [3, 0.75]]
    assert {*run["artifacts"]} == {"scores.json", "model/weights"}
    assert sum("runs/create" in one for one in requests) == 1


CREATED = ("runs/create", "experiments/create")


@pytest.mark.parametrize("fault", [LOST, UNHEARD, GONE])
def test_a_run_whose_making_is_not_answered_is_made_once(fault, disturbed, undisturbed):
    _, requests = undisturbed("run")
    made = [at for at, one in enumerate(requests, 1) if one.endswith(CREATED)]
    assert len(made) == 2
    assert [found for at in made for found in disturbed("run", fault, at)] == []


@pytest.mark.chaos
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("which", SCENARIOS)
def test_any_request_may_fail(which, fault, disturbed, undisturbed):
    _, requests = undisturbed(which)
    if which == "complete" and fault == GONE:
        pytest.skip("nothing but the store knows that a run is complete: it is trained anew")
    every = 1 if which == "run" or fault in (UNHEARD, GONE) else max(1, len(FAULTS) // ROUNDS)
    tried = range(1 + FAULTS.index(fault) % every, len(requests) + 1, every)
    wrong = [found for at in tried for found in disturbed(which, fault, at)]
    assert wrong == [], f"{len(wrong)} wrong, {len(tried)} of {len(requests)} requests tried"
