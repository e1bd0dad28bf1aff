"""lingmix-sync: what runs recorded while their store was away -> the store."""

import shutil
import sys
from pathlib import Path

from omegaconf import DictConfig

from lingmix.doors import door, resolved
from lingmix.errors import InputError
from lingmix.terminal import say
from lingmix.tracking.journal import JOURNAL, begun, ended, sent, unsent
from lingmix.tracking.lifecycle import COMPLETE
from lingmix.tracking.sender import send_rest
from lingmix.tracking.store import open_store, shown
from lingmix.tracking.work import held


def sync(composed: DictConfig) -> str:
    """Says a line a run; ends with status 1 if something is left."""
    config = resolved(composed)
    tracking, runs = config["tracking"], Path(config["output_dir"], "runs")
    left = 0
    folders = [path.parent for path in sorted(runs.glob(f"*/*/{JOURNAL}"))]
    for folder in [one for one in folders if unsent(one)]:
        try:
            with held(folder):
                say(sent_now(folder, uri=tracking["uri"], wait=tracking["wait"]))
        except InputError as error:
            left += 1
            say(str(error))
    if left:
        sys.exit(f"lingmix-sync: {left} runs have something left to send")
    return f"{runs}: nothing is left to send"


def sent_now(folder: Path, *, uri: str | None, wait: float) -> str:
    begin = begun(folder)
    assert begin is not None
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
    run_id = sent(folder)["run_id"]
    if ended(folder) == COMPLETE:
        shutil.rmtree(folder)
        return f"{name}: sent (run {run_id})"
    return f"{name}: sent (run {run_id}), and not at its end; its own command goes on"


main = door("sync")(sync)

if __name__ == "__main__":
    main()
