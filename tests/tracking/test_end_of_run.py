"""A run that is killed anywhere around its end is in its store once the same command has run."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from lingmix.errors import InputError
from lingmix.tracking.history import complete_run
from lingmix.tracking.identity import identify
from lingmix.tracking.outbox import journal
from lingmix.tracking.outbox.journal import JOURNAL
from lingmix.tracking.outbox.leftovers import send_leftover
from lingmix.tracking.outbox.sender import open_outbox
from lingmix.tracking.run import find_complete
from lingmix.tracking.run_folder import run_folder
from tests.rounds import ROUNDS

ROOM = str(Path(journal.__file__).parents[1])
CHANGES = ("open", "os.remove", "os.rename", "os.rmdir", "os.truncate")
"""What Python says beforehand (`sys.addaudithook`)."""

LOSSES = [(1, 1.0), (2, 0.5), (3, 0.25)]

Place = tuple[str, str | int]
"""The first time that a line of `lingmix.tracking` runs, or a file is opened, named or removed."""


def config_of(output_dir: Path) -> dict:
    tracking = {"wait": 30.0, "parent": None, "system_metrics": None, "code": "same"}
    where = {"output_dir": str(output_dir), "name": output_dir.name}
    return {**where, "evaluation": {}, "run_files": None, "tracking": tracking}


def command(uri: str, output_dir: Path, ending: Callable[[], None] = lambda: None) -> str:
    """What a command does beside its work; calls `ending` when all is recorded but the end."""
    config = config_of(output_dir)
    config["tracking"]["uri"] = uri
    identity = identify(config)
    with run_folder(config, identity.hash) as work:
        if known := find_complete(config, identity, work=work):
            return known.message
        with open_outbox(
            uri,
            folder=work,
            experiment=config["name"],
            output_dir=output_dir,
            run={"name": "run", "params": config, "tags": dict(identity.tags), "parent": None},
            wait=30.0,
        ) as recorder:
            for step, loss in LOSSES:
                recorder.log_metrics({"loss": loss}, step)
            (work / "left").mkdir(exist_ok=True)
            for name in ("one", "two"):
                (work / "left" / name).write_text("{}")
            recorder.log_files(work / "left")
            ending()
        return "trained"


class Watch:
    """Gives every place, in whichever thread, to `seen` from the moment when it is called."""

    def __init__(self, seen: Callable[[Place], object]) -> None:
        self._seen, self._armed = seen, False
        sys.addaudithook(self._changed)
        threading.settrace(self._called)
        sys.settrace(self._called)

    def __call__(self) -> None:
        self._armed = True

    def _called(self, frame, event, argument):
        return self._line if frame.f_code.co_filename.startswith(ROOM) else None

    def _line(self, frame, event, argument):
        if event == "line" and self._armed:
            self._seen((Path(frame.f_code.co_filename).name, frame.f_lineno))
        return self._line

    def _changed(self, event: str, arguments: tuple) -> None:
        if self._armed and event in CHANGES and isinstance(arguments[0], str | Path):
            self._seen((event, Path(arguments[0]).name.split(".")[0]))


def killed(uri: str, output_dir: Path, place: Place) -> None:
    def seen(found: Place) -> None:
        if found == place:
            os.kill(os.getpid(), signal.SIGKILL)

    command(uri, output_dir, Watch(seen))


def watched(uri: str, output_dir: Path, places: "multiprocessing.Queue[list[Place]]") -> None:
    found: dict[Place, None] = {}
    command(uri, output_dir, Watch(found.setdefault))
    sys.settrace(None)
    places.put(list(found))


@pytest.fixture(scope="module")
def processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.tracking.test_end_of_run"])
    return context


@pytest.fixture(scope="module")
def places(client, tmp_path_factory, processes) -> list[Place]:
    """All that the end of a run comes by, in its order."""
    found = processes.Queue()
    arguments = (client.tracking_uri, tmp_path_factory.mktemp("watched"), found)
    process = processes.Process(target=watched, args=arguments)
    process.start()
    places = found.get(timeout=600)
    process.join()
    return places


def assert_whole(client, output_dir: Path) -> None:
    experiment = client.get_experiment_by_name(output_dir.name).experiment_id
    (run,) = client.search_runs([experiment])
    identity = identify(config_of(output_dir)).hash
    assert complete_run(client, experiment, identity).info.run_id == run.info.run_id
    assert run.info.status == "FINISHED"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(one.step, one.value) for one in history] == LOSSES
    assert [one.path for one in client.list_artifacts(run.info.run_id)] == ["one", "two"]


@pytest.mark.parametrize("kills", [6, pytest.param(5 * ROUNDS, marks=pytest.mark.chaos)])
def test_a_run_killed_at_any_place_around_its_end_is_whole_after_the_same_command(
    client, tmp_path, processes, places, kills
):
    assert len(places) > 50
    for n in range(kills):
        place = places[n * (len(places) - 1) // (kills - 1)]
        output_dir = tmp_path / f"kill-{tmp_path.name}-{n}"
        arguments = (client.tracking_uri, output_dir, place)
        process = processes.Process(target=killed, args=arguments)
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL, place
        if n % 2:
            for path in output_dir.glob(f"runs/*/*/{JOURNAL}"):
                with suppress(InputError):  # that it has no end
                    send_leftover(path.parent, uri=client.tracking_uri, wait=30.0)
        command(client.tracking_uri, output_dir)
        assert_whole(client, output_dir)
        assert "complete already (run " in command(client.tracking_uri, output_dir), place
        assert_whole(client, output_dir)
        assert [*output_dir.glob("runs/*/*")] == [], place


def stopped_before_it_was_removed(client, output_dir: Path, processes, places) -> None:
    removal = next(place for place in places if place == ("os.remove", "journal"))
    arguments = (client.tracking_uri, output_dir, removal)
    process = processes.Process(target=killed, args=arguments)
    process.start()
    process.join()


@pytest.mark.parametrize("again", ["command", "sync"])
def test_a_run_that_was_sent_and_then_deleted_in_the_store_is_there_again(
    client, tmp_path, processes, places, again
):
    """Nothing of it was left to send, but its folder was still there."""
    stopped_before_it_was_removed(client, tmp_path, processes, places)
    assert_whole(client, tmp_path)
    experiment = client.get_experiment_by_name(tmp_path.name).experiment_id
    client.delete_run(client.search_runs([experiment])[0].info.run_id)
    if again == "command":
        assert command(client.tracking_uri, tmp_path) == "complete already"
    else:
        (path,) = tmp_path.glob(f"runs/*/*/{JOURNAL}")
        send_leftover(path.parent, uri=client.tracking_uri, wait=30.0)
    assert_whole(client, tmp_path)
