"""Many processes that write to one SQLite file: retries while it is locked, and its creation."""

from pathlib import Path

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import DBAPIError
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random_exponential

from lingmix.tracking.store.closing import closed

PATIENCE, QUEUE = 600.0, 630.0
"""Seconds that a call waits for a locked file, and its time limit in all."""

CALLS = (
    "create_experiment",
    "create_run",
    "delete_tag",
    "get_experiment_by_name",
    "get_metric_history",
    "get_run",
    "list_artifacts",
    "log_artifacts",
    "log_batch",
    "log_inputs",
    "search_experiments",
    "search_runs",
    "set_experiment_tag",
    "set_tag",
    "set_terminated",
    "update_run",
)
"""Calls of the client that may be retried: one that met a locked store has written nothing."""

BUSY = (
    "database is locked",
    "UNIQUE constraint failed: datasets.",
    "UNIQUE constraint failed: params.",
    'constraint "dataset_pk"',
    'constraint "param_pk"',
)
"""Messages of a locked SQLite file, and of SQLite and PostgreSQL where the same new rows are
written at once: a data set by two runs, params by a call and its retry; a retry finds them."""

TRANSIENT = (
    "database is locked",
    "closed the connection",
    "Connection refused",
    "the database system is",
    "too many clients",
    "Can't connect to",
    "Lost connection",
    "Too many connections",
)
"""Messages of SQLite, PostgreSQL and MySQL about a store that may be opened later; SQLAlchemy
itself recognizes lost connections only."""


def with_lock_retries(client: MlflowClient) -> MlflowClient:
    """Retry the client's calls while the file is locked, and return the client itself.

    MLflow itself gives up after 20 s.
    """
    patience = stop_after_delay(PATIENCE)
    retrying = retry(
        retry=retry_if_exception(_is_busy),
        wait=wait_random_exponential(multiplier=0.05, max=2.0),
        stop=lambda state: patience(state) or closed().is_set(),
        reraise=True,
    )
    for name in CALLS:
        setattr(client, name, retrying(getattr(client, name)))
    return client


def create_store(path: Path) -> None:
    """Create the store under a temporary name and rename it; the caller has `creation_lock`.

    Processes that initialize one file together, or one that is killed meanwhile, would break it for
    good.
    """
    if path.exists():
        return
    unfinished = path.with_name(f"{path.name}.unfinished")
    for leftover in (unfinished, Path(f"{unfinished}-journal")):
        leftover.unlink(missing_ok=True)
    MlflowClient(tracking_uri=f"sqlite:///{unfinished}").search_experiments(max_results=1)
    unfinished.replace(path)


def creation_lock(path: Path) -> FileLock:
    """Return the lock of the store's creation, in the same folder, which is created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{path}.lock")


def is_transient_database_error(error: BaseException) -> bool:
    """Whether a database is locked or its connection lost, so that a later call may succeed."""
    cause = error.__cause__ if isinstance(error, MlflowException) else error
    return isinstance(cause, DBAPIError) and (
        cause.connection_invalidated or any(text in str(cause) for text in TRANSIENT)
    )


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, MlflowException) and any(text in str(error) for text in BUSY)
