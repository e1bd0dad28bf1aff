"""Whichever change of its folder a run is killed at, the same command has it whole.

The calls that change a file are tried before they are made and, where they write, in their middle;
LINGMIX_CHAOS_ROUNDS says how many of them, all from 8 on.
"""

import multiprocessing
import signal
import sys

import pytest

from lingmix.tracking.store.client import open_store
from tests.changes import Change, Kill, kills, watched
from tests.tracking.test_every_statement import Place, SQLite, differences


def killed(place: Place, at: int, half: bool) -> None:
    with watched(Kill(at, half=half)):
        place.command()


def seen(place: Place, found: "multiprocessing.Queue[list[Change]]") -> None:
    changes: list[Change] = []
    with watched(changes.append):
        place.command()
    found.put([one._replace(file=0) for one in changes])


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory) -> SQLite:
    folder = tmp_path_factory.mktemp("sqlite")
    open_store(f"sqlite:///{folder}/empty.db")
    place = SQLite(folder / "empty.db", "", 0).place(folder, "undisturbed")
    place.patient_command()
    return SQLite(folder / "empty.db", place.stored, 0)


@pytest.fixture(scope="module")
def processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.tracking.test_every_write"])
    return context


def ended(process) -> int:
    process.start()
    process.join()
    return process.exitcode


@pytest.mark.chaos
def test_a_run_killed_at_any_change_of_its_folder_is_whole_after_the_same_command(
    sqlite, processes, tmp_path
):
    found = processes.Queue()
    place = sqlite.place(tmp_path, "watched")
    process = processes.Process(target=seen, args=(place, found))
    process.start()
    changes = found.get(timeout=600)
    process.join()
    assert sum(one.call == "write" for one in changes) >= 6
    wrong, died, cases = [], 0, kills(changes)
    for at, half in cases:
        place = sqlite.place(tmp_path, f"killed-{at:03d}-{half}")
        code = ended(processes.Process(target=killed, args=(place, at, half)))
        died += code == -signal.SIGKILL
        assert code in (0, -signal.SIGKILL)
        place.patient_command()
        wrong += differences(place, sqlite.expected, at=1)
    sys.stderr.write(f"{len(cases)} places, {died} kills, {len(wrong)} lines differ\n")
    assert wrong == []
    assert died >= 0.7 * len(cases), "the last calls are of another thread, which may be late"
