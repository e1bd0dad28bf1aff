"""Commands end, whatever their store does."""

import math
import os
import signal
from threading import Thread

import pytest

from lingmix.commands.evaluate import evaluate
from lingmix.commands.sync import sync
from lingmix.commands.train import train
from lingmix.errors import InputError
from lingmix.signals import StoppedError, stoppable
from lingmix.tracking.outbox.journal import JOURNAL, count_unsent, final_state
from lingmix.tracking.store import client as store
from lingmix.tracking.store.bounded import UnavailableError
from lingmix.tracking.store.client import open_store
from tests.conftest import QUICK


@pytest.mark.parametrize("trouble", ["500", "drip", "hang"])
def test_a_run_is_recorded_in_its_journal_and_a_sync_says_that_it_waits(
    configure, troubled, tmp_path, capsys, trouble
):
    troubled.trouble, troubled.later = trouble, True
    uri = f"tracking.uri=http://127.0.0.1:{troubled.server_port}"
    where = (f"output_dir={tmp_path}", uri, "tracking.wait=0.2")
    told = evaluate(configure("evaluate", "encoder=bm25", "languages=[en,de]", *where))
    assert "records are pending in" in told
    (path,) = tmp_path.glob(f"runs/*/*/{JOURNAL}")
    assert final_state(path.parent) == "complete"
    before = count_unsent(path.parent)
    with pytest.raises(SystemExit, match="1 runs have something left to send"):
        sync(configure("sync", *where))
    assert "does not do what it is asked" in capsys.readouterr().out
    assert count_unsent(path.parent) == before


def test_a_signal_ends_a_call_that_would_last_for_ever(troubled, monkeypatch):
    monkeypatch.setattr(store, "ANSWER", 3600.0)
    monkeypatch.setattr(store, "TRY", 3600.0)
    troubled.trouble, troubled.later = "hang", True

    def stop() -> None:
        troubled.asked.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=stop, daemon=True).start()
    with pytest.raises(StoppedError), stoppable():
        open_store(f"http://127.0.0.1:{troubled.server_port}")


@pytest.mark.parametrize("wait", [math.nan, math.inf, -1.0, "soon", None])
def test_a_wait_that_would_not_end_is_refused(configure, wait):
    for name, command, others in (
        ("train", train, QUICK),
        ("evaluate", evaluate, ["encoder=bm25", "languages=[en,de]"]),
        ("sync", sync, []),
    ):
        config = configure(name, *others)
        config.tracking.wait = wait
        with pytest.raises(
            InputError, match=r"^tracking\.wait: must be at least 0 and finite"
        ) as told:
            command(config)
        assert "\n" not in str(told.value)
        assert not isinstance(told.value, UnavailableError)
