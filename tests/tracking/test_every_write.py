"""Whichever change of its folder a run is killed at, the same command has it whole.

Every call that changes a file is tried, before it is made and, where it writes, in its middle.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest

from lingmix.tracking.store.client import open_store
from tests.tracking.test_every_statement import Place, SQLite, differences

CALLS = ("write", "fsync", "ftruncate", "replace", "rename", "unlink", "rmdir")


def changing(seen: Callable[[str, tuple], object]) -> None:
    """Gives every such call of this process, from here on, to `seen` beforehand."""
    for name in CALLS:
        setattr(os, name, _seen(name, getattr(os, name), seen))


def _seen(name: str, call: Callable[..., Any], seen: Callable[[str, tuple], object]) -> Any:
    def watched(*arguments: Any, **options: Any) -> Any:
        seen(name, arguments)
        return call(*arguments, **options)

    return watched


def killed(place: Place, at: int, half: bool) -> None:
    calls, write = [], os.write

    def seen(name: str, arguments: tuple) -> None:
        calls.append(name)
        if len(calls) == at:
            if half and name == "write":
                write(arguments[0], arguments[1][: len(arguments[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)

    changing(seen)
    place.command()


def watched(place: Place, found: "multiprocessing.Queue[list[str]]") -> None:
    calls: list[str] = []
    changing(lambda name, _: calls.append(name))
    place.command()
    found.put(calls)


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory) -> SQLite:
    folder = tmp_path_factory.mktemp("sqlite")
    open_store(f"sqlite:///{folder}/empty.db")
    place = SQLite(folder / "empty.db", "", 0).place(folder, "undisturbed")
    place.command()
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
    process = processes.Process(target=watched, args=(place, found))
    process.start()
    calls = found.get(timeout=300)
    process.join()
    assert calls.count("write") >= 6
    wrong, died = [], 0
    cases = [(at, False) for at in range(1, len(calls) + 1)]
    cases += [(at, True) for at, name in enumerate(calls, 1) if name == "write"]
    for at, half in cases:
        place = sqlite.place(tmp_path, f"killed-{at:03d}-{half}")
        code = ended(processes.Process(target=killed, args=(place, at, half)))
        died += code == -signal.SIGKILL
        assert code in (0, -signal.SIGKILL)
        place.command()
        wrong += differences(place, sqlite.expected, at=1)
    sys.stderr.write(f"{len(cases)} places, {died} kills, {len(wrong)} lines differ\n")
    assert wrong == []
    assert died >= len(cases) - 10, "the last calls are of another thread, which may be late"
