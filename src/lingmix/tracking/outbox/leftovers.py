"""What runs recorded while their store was away, sent now."""

from collections.abc import Sequence
from pathlib import Path

from lingmix.errors import InputError
from lingmix.terminal import say
from lingmix.tracking.lifecycle import COMPLETE
from lingmix.tracking.outbox.journal import JOURNAL, begun, damage, ended, sent, unsent
from lingmix.tracking.outbox.sender import send_rest
from lingmix.tracking.run_folder import locked, remove
from lingmix.tracking.secrets import shown
from lingmix.tracking.store.bounded import AwayError
from lingmix.tracking.store.client import open_store


def send_all(folders: Sequence[Path], *, uri: str | None, wait: float) -> int:
    """Says a line a run; returns how many have something left to send, or cannot be read. Ends
    early where the one store that all are to go to is away."""
    left = 0
    for number, folder in enumerate(folders):
        try:
            with locked(folder):
                if line := sent_now(folder, uri=uri, wait=wait):
                    say(line)
        except InputError as error:
            left += 1
            say(str(error))
            if isinstance(error, AwayError) and uri:
                return left + len(folders) - number - 1
    return left


def sent_now(folder: Path, *, uri: str | None, wait: float) -> str:
    """What came of it; empty where nothing was left to do."""
    state = ended(folder)
    if state not in (None, COMPLETE) and not unsent(folder) and not damage(folder):
        return ""
    name, run_id = _send(folder, uri=uri, wait=wait)
    if run_id is None:
        remove(folder)
        return f"{name}: complete in the store already, not sent a second time"
    if lost := damage(folder):
        raise InputError(
            f"{name}: {lost}; all else is sent (run {run_id}, as failed); remove {folder} when "
            "nothing else is to be had from it, and the run's own command trains anew"
        )
    if state == COMPLETE:
        remove(folder)
        return f"{name}: sent (run {run_id})"
    if state is None:
        raise InputError(
            f"{name}: all of {folder} is sent (run {run_id}), but it has no end: the run was "
            "killed, or its journal cut short; its own command goes on"
        )
    return f"{name}: sent (run {run_id}), and not at its end; its own command goes on"


def _send(folder: Path, *, uri: str | None, wait: float) -> tuple[str, str | None]:
    """The name of the run, and its id in the store; None where another is complete there."""
    begin = begun(folder)
    if begin is None:
        found = damage(folder) or f"{folder / JOURNAL}: holds no record"
        raise InputError(f"{found}; how the run began cannot be read, nothing of it can be sent")
    uri = uri or begin["uri"]
    if "***" in uri:
        raise InputError(f"{folder}: was started with {uri}; set tracking.uri, with its password")
    open_store(uri)
    send_rest(uri, folder=folder, wait=wait)
    name = begin["run"]["name"]
    if rest := unsent(folder):
        raise InputError(
            f"{name}: {rest} records are left in {folder}; {shown(uri)} does not take them"
        )
    return name, sent(folder)["run_id"]
