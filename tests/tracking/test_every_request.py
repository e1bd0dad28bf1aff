"""Whichever single request a store misses, it ends up with what an undisturbed run leaves there.

Requests are counted in what is left alone, and nothing depends on time. LINGMIX_CHAOS_ROUNDS says
how many of them meet every fault, all from 8 on. What is left to do is done by
`lingmix-sync` after a fault at an odd request, by the same command after one at an even request.
"""

import difflib
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from benchmarks.harness.server import Server
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from lingmix.cli.config import CONF, resolved
from lingmix.tracking.identity import identify
from lingmix.tracking.lifecycle import COMPLETE, STATE
from lingmix.tracking.outbox import sender
from lingmix.tracking.store import bounded
from lingmix.tracking.store import client as store
from tests.conftest import QUICK
from tests.rounds import tried
from tests.stored import stored
from tests.tracking.scenarios import (
    HANGS,
    SCENARIOS,
    SWEEPS,
    Place,
    command,
    mended,
    met,
    patient,
    prepared,
    quiet,
)
from tests.unreliable import FAULTS, GONE, LOST, UNHEARD, Unreliable, unreliable

SETTINGS = [*QUICK, "tracking.system_metrics=null", "tracking.wait=0.5", "tracking.code=tested"]

CASES = [
    (which, fault)
    for which in SCENARIOS
    for fault in FAULTS
    if (fault == GONE or which not in ("sweep", "forgotten"))  # else as a run, and its like
    and (which, fault) != ("complete", GONE)  # only the store knows of it: it is forgotten
]


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
    monkeypatch.setattr(store, "TRY", 2.0)
    monkeypatch.setattr(sender, "BEGIN_TIMEOUT", 1.0)
    monkeypatch.setattr(bounded, "CALL", 5.0)  # an upload
    monkeypatch.setattr(sender, "STOP_TIMEOUT", 0.5)
    monkeypatch.setattr(store, "ANSWER", 1.0)


@pytest.fixture(scope="module")
def place(tmp_path_factory, proxy, server) -> Callable[[str], Place]:
    folder = tmp_path_factory.mktemp("out")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        base = resolved(compose("train", [f"tracking.uri='{proxy.uri}'", *SETTINGS]))
        syncing = compose("sync", [f"tracking.uri='{server.uri}'"])
    identity = identify(base)

    def of(name: str) -> Place:
        here = {"name": name, "output_dir": str(folder / name)}
        return Place({**base, **here}, identity, OmegaConf.merge(syncing, here), [])

    return of


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
                mended(scenario.act, here, at)
            found = stored(server.uri, name)
        except (Exception, SystemExit) as error:
            return [f"{where}: {type(error).__name__}: {error}"]
        times = len(here.trained)
        wrong = [f"{where}: trained {times} times"] if times != scenario.trained else []
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


@pytest.fixture(scope="module")
def undisturbed(place, proxy, server) -> Callable[[str], tuple[str, list[str]]]:
    """What is stored of a scenario without any fault, and its requests."""
    known: dict[str, tuple[str, list[str]]] = {}

    def of(which: str) -> tuple[str, list[str]]:
        if which not in known:
            scenario, at = SCENARIOS[which], place(f"{which}-undisturbed-000")
            prepared(scenario, at, proxy)
            proxy.repair()
            at = patient(at)
            scenario.act(at)
            requests = [*proxy.requests]
            if scenario.act in SWEEPS:
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


@pytest.mark.parametrize(
    ("fault", "asked"),
    [("429", "/health"), ("503", "experiments/search"), ("429", "runs/create")],
)
def test_a_busy_server_is_left_alone_for_as_long_as_it_asks_for(
    fault, asked, place, proxy, undisturbed
):
    """The client's own pauses would be over long before."""
    record, _ = undisturbed("run")
    here = place(f"busy-{asked.replace('/', '-')}")
    proxy.arm(fault=fault, at=1, since=(asked, 1), busy=1)
    command(patient(here))
    assert [one.endswith(asked) for one in proxy.failed] == [True]
    assert stored(here.sync.tracking.uri, here.config["name"]) == record


def test_a_record_that_is_closed_asks_for_nothing_any_more(place, proxy, monkeypatch):
    """Its thread waits for its next attempt; another process may send the same records."""
    monkeypatch.setattr(bounded, "FIRST_PAUSE", 3.0)
    proxy.arm(fault=GONE, at=1)
    command(place("closed"))
    proxy.repair()
    quiet()
    assert [*proxy.requests] == []


@pytest.mark.chaos
@pytest.mark.parametrize(("which", "fault"), CASES)
def test_any_request_may_fail(which, fault, disturbed, undisturbed):
    _, requests = undisturbed(which)
    numbers = tried(range(1, len(requests) + 1), way=FAULTS.index(fault))
    assert numbers
    wrong = [found for at in numbers for found in disturbed(which, fault, at)]
    assert wrong == [], f"{len(wrong)} wrong, {len(numbers)} of {len(requests)} requests tried"
