"""The thread that sends a run's journal while the run is at work."""

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_when_event_set
from tenacity.wait import wait_exponential_jitter

from lingmix.errors import InputError
from lingmix.tracking.datasets import Input
from lingmix.tracking.lifecycle import JOURNAL_ID, ending
from lingmix.tracking.outbox.delivery import Delivery
from lingmix.tracking.outbox.journal import JOURNAL, Journal, begun
from lingmix.tracking.outbox.recorder import RunRecorder
from lingmix.tracking.secrets import shown
from lingmix.tracking.store.bounded import FIRST_PAUSE, AwayError
from lingmix.tracking.store.retry_after import asked_pause

log = logging.getLogger(__name__)

SECONDS_BETWEEN_CALLS = 5.0
LONGEST_PAUSE = 10.0
"""Seconds between two tries of a store that is away; the first come sooner."""

BEGINNING = 10.0
"""Seconds that the training waits to hear whether the store takes the run at all."""

STOPPING = 5.0
"""Seconds that a run told to stop, or one that failed, has for its record."""

REFUSED = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "PERMISSION_DENIED", "UNAUTHENTICATED")


class Sender:
    """Tries again for as long as its block lasts; what it cannot send stays in the journal."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._thread = threading.Thread(target=self._work, name="sender", daemon=True)
        self._asked, self._closed = threading.Event(), threading.Event()
        self._answered = threading.Condition()
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed.set()
        self._asked.set()
        self._thread.join(timeout=1.0)  # a call that hangs is left to the end of the process

    def begin(self) -> None:
        """Waits until the store has taken the run, or is found to be away."""
        with self._answered:
            self._asked.set()
            self._answered.wait_for(lambda: self._error or not self._delivery.left, BEGINNING)
        self.refuse()
        if getattr(self._error, "error_code", None) in REFUSED:
            raise InputError(f"tracking.uri: the store refuses the run ({_line(self._error)})")

    def refuse(self) -> None:
        """Raises what no waiting mends."""
        if self._is_final():
            assert self._error is not None
            raise self._error

    def _is_final(self) -> bool:
        return isinstance(self._error, InputError) and not isinstance(self._error, AwayError)

    def finish(self, *, within: float, queue: bool) -> None:
        """Waits until all is sent; no longer than this without any progress, or else, with `queue`,
        for its turn at a local store that is busy."""
        began = time.monotonic()
        self._asked.set()
        while self._delivery.left and not self._is_final():
            waited = time.monotonic() - max(began, self._delivery.progressed_at)
            busy = queue and self._delivery.local and self._error is None
            if waited > within and not busy:
                return
            with self._answered:
                self._answered.wait(0.05)

    def _work(self) -> None:
        retrying = Retrying(
            retry=retry_if_exception_type(Exception),
            stop=stop_when_event_set(self._closed),
            wait=wait_exponential_jitter(
                initial=FIRST_PAUSE, max=LONGEST_PAUSE, jitter=FIRST_PAUSE
            ),
            sleep=self._pause,
            after=self._failed,
            retry_error_callback=lambda _: None,
        )
        while not self._closed.is_set():
            retrying(self._delivery.send)
            self._succeeded()
            self._pause(SECONDS_BETWEEN_CALLS)

    def _pause(self, seconds: float) -> None:
        self._asked.wait(seconds)
        self._asked.clear()

    def _succeeded(self) -> None:
        if self._error is not None and not self._closed.is_set():
            log.warning("tracking.uri: the store has what it missed")
            self._error = None
        self._answer()

    def _failed(self, state: RetryCallState) -> None:
        """Says once that the store is away, and leaves it alone for as long as it asks for."""
        error = state.outcome.exception() if state.outcome else None
        if self._error is None and not self._closed.is_set():
            log.warning(
                "%s; the run goes on, its record waits in %s", _line(error), self._delivery.folder
            )
        self._error = error
        self._answer()
        self._closed.wait(asked_pause(error))

    def _answer(self) -> None:
        with self._answered:
            self._answered.notify_all()


@contextmanager
def journaled_run(
    uri: str,
    *,
    folder: Path,
    experiment: str,
    output_dir: Path,
    run: Mapping[str, Any],
    wait: float,
    inputs: Sequence[Input] = (),
) -> Iterator[RunRecorder]:
    """What records a run that ends as what happened to it, whether or not its store is there.

    `run` is what `begin_run` takes; the end waits `wait` seconds for a store that is away.
    """
    journal = Journal(folder)
    begin = {
        "experiment": experiment,
        "output_dir": str(output_dir),
        "run": {**run, "tags": {**run["tags"], JOURNAL_ID: journal_id(folder)}},
        "inputs": inputs,
        "uri": shown(uri),
    }
    try:
        with Sender(Delivery(folder, uri)) as sender:
            _begin(journal, begin, sender)
            try:
                yield RunRecorder(journal)
            except BaseException as error:
                _end(journal, error)
                sender.finish(within=min(wait, STOPPING), queue=False)
                raise
            _end(journal, None)
            sender.finish(within=wait, queue=True)
    finally:
        journal.close()


def journal_id(folder: Path) -> str:
    """What tells the folder of a run from another that was there before: its journal keeps it."""
    before = begun(folder)
    return (before["run"]["tags"].get(JOURNAL_ID) if before else None) or uuid4().hex


def send_rest(uri: str, *, folder: Path, wait: float) -> None:
    """Of a run that has ended; what the store should have of it already is looked for there."""
    delivery = Delivery(folder, uri)
    delivery.confirm()
    with Sender(delivery) as sender:
        sender.finish(within=wait, queue=True)
        sender.refuse()


def _begin(journal: Journal, begin: Mapping[str, Any], sender: Sender) -> None:
    """The run has begun once this returns: its journal says how, and the store has taken it or is
    away. Until then what the store refuses refuses the run, and leaves nothing; from then on no
    store ends it, and what it records is sent by it, by `lingmix-sync` or by the same command."""
    size = journal.size
    journal.append(begin=begin)
    journal.keep()
    try:
        sender.begin()
    except InputError:
        journal.cut(size)
        if not size:
            (journal.folder / JOURNAL).unlink()
        raise


def _end(journal: Journal, error: BaseException | None) -> None:
    journal.append(end=ending(error))
    journal.keep()


def _line(error: object) -> str:
    return shown(" ".join(str(error).split()))[:300] or type(error).__name__
