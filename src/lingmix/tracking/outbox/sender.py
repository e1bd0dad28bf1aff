"""The outbox of a run: a thread sends its journal to the store while the run computes."""

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
from lingmix.tracking.outbox.journal import JOURNAL, Journal, last_begin
from lingmix.tracking.outbox.recorder import RunRecorder
from lingmix.tracking.secrets import mask_secrets
from lingmix.tracking.store.bounded import FIRST_PAUSE, UnavailableError
from lingmix.tracking.store.closing import calls_until
from lingmix.tracking.store.retry_after import requested_pause

log = logging.getLogger(__name__)

SECONDS_BETWEEN_CALLS = 5.0
LONGEST_PAUSE = 10.0
"""Seconds between two attempts at an unavailable store; the first pauses are shorter."""

BEGIN_TIMEOUT = 10.0
"""Seconds that the training waits until the store has accepted the run."""

STOP_TIMEOUT = 5.0
"""Seconds that a stopped or failed run may take to send its record."""

REFUSED = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "PERMISSION_DENIED", "UNAUTHENTICATED")


class Sender:
    """Sends in a thread, with retries, while the block lasts; the rest stays in the journal."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._thread = threading.Thread(target=self._work, name="sender", daemon=True)
        self._wake, self._closed = threading.Event(), threading.Event()
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
        self._wake.set()
        self._thread.join(timeout=1.0)  # a call that hangs is left to the end of the process

    def begin(self) -> None:
        """Wait until the store accepts the run or fails to answer; raise where it refuses."""
        with self._answered:
            self._wake.set()
            self._answered.wait_for(lambda: self._error or not self._delivery.left, BEGIN_TIMEOUT)
        self.raise_final_error()
        if getattr(self._error, "error_code", None) in REFUSED:
            raise InputError(f"tracking.uri: the store refuses the run ({_line(self._error)})")

    def raise_final_error(self) -> None:
        """Raise the InputError of the thread, unless the store is merely unavailable."""
        if self._is_final():
            assert self._error is not None
            raise self._error

    def _is_final(self) -> bool:
        return isinstance(self._error, InputError) and not isinstance(self._error, UnavailableError)

    def finish(self, *, within: float, queue: bool) -> None:
        """Wait until all is sent, at most `within` seconds without progress.

        With `queue`, a local store that others write to is waited for without limit.
        """
        began = time.monotonic()
        self._wake.set()
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
        with calls_until(self._closed):
            while not self._closed.is_set():
                retrying(self._delivery.send)
                self._succeeded()
                self._pause(SECONDS_BETWEEN_CALLS)

    def _pause(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def _succeeded(self) -> None:
        if self._error is not None and not self._closed.is_set():
            log.warning("tracking.uri: the store is back; all pending records were sent")
            self._error = None
        self._answer()

    def _failed(self, state: RetryCallState) -> None:
        """Log once that the store is unavailable, and pause for as long as it requests."""
        error = state.outcome.exception() if state.outcome else None
        if self._error is None and not self._closed.is_set():
            log.warning(
                "%s; the run continues, its records are pending in %s",
                _line(error),
                self._delivery.folder,
            )
        self._error = error
        self._answer()
        self._closed.wait(requested_pause(error))

    def _answer(self) -> None:
        with self._answered:
            self._answered.notify_all()


@contextmanager
def open_outbox(
    uri: str,
    *,
    folder: Path,
    experiment: str,
    output_dir: Path,
    run: Mapping[str, Any],
    wait: float,
    inputs: Sequence[Input] = (),
) -> Iterator[RunRecorder]:
    """Record a run for the block, whether or not its store is available, with the state it ends in.

    `run` has the arguments of `begin_run`; the end waits `wait` seconds for an unavailable store.
    Raises InputError where the store refuses the run or the journal is damaged.
    """
    journal = Journal(folder)
    begin = {
        "experiment": experiment,
        "output_dir": str(output_dir),
        "run": {**run, "tags": {**run["tags"], JOURNAL_ID: journal_id(folder)}},
        "inputs": inputs,
        "uri": mask_secrets(uri),
    }
    try:
        with Sender(Delivery(folder, uri)) as sender:
            _begin(journal, begin, sender)
            try:
                yield RunRecorder(journal)
            except BaseException as error:
                _end(journal, error)
                sender.finish(within=min(wait, STOP_TIMEOUT), queue=False)
                raise
            _end(journal, None)
            sender.finish(within=wait, queue=True)
    finally:
        journal.close()


def journal_id(folder: Path) -> str:
    """Return the id of the journal, a new one where a run's folder was removed and made again."""
    before = last_begin(folder)
    return (before["run"]["tags"].get(JOURNAL_ID) if before else None) or uuid4().hex


def send_unsent(uri: str, *, folder: Path, wait: float) -> None:
    """Send the rest of an ended run, and again what the store should have but lacks."""
    delivery = Delivery(folder, uri)
    delivery.confirm()
    with Sender(delivery) as sender:
        sender.finish(within=wait, queue=True)
        sender.raise_final_error()


def _begin(journal: Journal, begin: Mapping[str, Any], sender: Sender) -> None:
    """Append `begin` and wait until the store accepts the run or is unavailable.

    Where the store refuses it, InputError is raised and no record is left. Later, no store error
    ends the run: this process, `lingmix-sync` or the same command sends its records.
    """
    size = journal.size
    journal.append(begin=begin)
    journal.sync()
    try:
        sender.begin()
    except InputError:
        journal.truncate(size)
        if not size:
            (journal.folder / JOURNAL).unlink()
        raise


def _end(journal: Journal, error: BaseException | None) -> None:
    journal.append(end=ending(error))
    journal.sync()


def _line(error: object) -> str:
    return mask_secrets(" ".join(str(error).split()))[:300] or type(error).__name__
