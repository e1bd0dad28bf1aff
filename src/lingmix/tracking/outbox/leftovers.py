"""Sending what runs recorded while their store was unavailable."""

from collections.abc import Sequence
from pathlib import Path

from lingmix.errors import InputError
from lingmix.terminal import say
from lingmix.tracking.lifecycle import COMPLETE
from lingmix.tracking.outbox.journal import (
    JOURNAL,
    count_unsent,
    final_state,
    find_damage,
    last_begin,
    read_progress,
)
from lingmix.tracking.outbox.sender import send_unsent
from lingmix.tracking.run_folder import lock_folder, remove_folder
from lingmix.tracking.secrets import mask_secrets
from lingmix.tracking.store.bounded import UnavailableError
from lingmix.tracking.store.client import open_store


def send_all(folders: Sequence[Path], *, uri: str | None, wait: float) -> int:
    """Send the journals of `folders` and print a line for each; return how many are not sent whole.

    Stops early where `uri`, the one store for all of them, is unavailable.
    """
    left = 0
    for number, folder in enumerate(folders):
        try:
            with lock_folder(folder):
                if line := send_leftover(folder, uri=uri, wait=wait):
                    say(line)
        except InputError as error:
            left += 1
            say(str(error))
            if isinstance(error, UnavailableError) and uri:
                return left + len(folders) - number - 1
    return left


def send_leftover(folder: Path, *, uri: str | None, wait: float) -> str:
    """Send the journal of a run and return a message, empty where nothing was to be done.

    Raises InputError where a part cannot be read or sent, or the run has no end.
    """
    state = final_state(folder)
    if state not in (None, COMPLETE) and not count_unsent(folder) and not find_damage(folder):
        return ""
    name, run_id = _send(folder, uri=uri, wait=wait)
    if run_id is None:
        remove_folder(folder)
        return f"{name}: complete in the store already, not sent a second time"
    if damage := find_damage(folder):
        raise InputError(
            f"{name}: {damage}; all else is sent (run {run_id}, as failed); remove {folder} when "
            "you need nothing else of it, and run its command to train anew"
        )
    if state == COMPLETE:
        remove_folder(folder)
        return f"{name}: sent (run {run_id})"
    if state is None:
        raise InputError(
            f"{name}: all of {folder} is sent (run {run_id}), but it has no end: the run was "
            "killed, or its journal cut short; run its command to resume"
        )
    return f"{name}: sent (run {run_id}), but not complete; run its command to resume"


def _send(folder: Path, *, uri: str | None, wait: float) -> tuple[str, str | None]:
    """The name of the run, and its id in the store; None where another is complete there."""
    begin = last_begin(folder)
    if begin is None:
        found = find_damage(folder) or f"{folder / JOURNAL}: holds no record"
        raise InputError(f"{found}; how the run began cannot be read, nothing of it can be sent")
    uri = uri or begin["uri"]
    if "***" in uri:
        raise InputError(f"{folder}: was started with {uri}; set tracking.uri, with its password")
    open_store(uri)
    send_unsent(uri, folder=folder, wait=wait)
    name = begin["run"]["name"]
    if rest := count_unsent(folder):
        raise InputError(
            f"{name}: {rest} records are left in {folder}; {mask_secrets(uri)} does not take them"
        )
    return name, read_progress(folder)["run_id"]
