"""Many processes at one SQLite file."""

from pathlib import Path

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import DBAPIError
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random_exponential

PATIENCE, QUEUE = 600.0, 630.0
"""Seconds that a call waits for its turn, and until it is over whatever becomes of it."""

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
"""What may be tried again: a call that found the store locked has left nothing there."""

BUSY = ("database is locked", "UNIQUE constraint failed: datasets.", 'constraint "dataset_pk"')
"""The others, of SQLite and PostgreSQL, where two runs log a data set that is new to the store: the
second finds it then."""

PASSING = (
    "database is locked",
    "closed the connection",
    "Connection refused",
    "the database system is",
    "too many clients",
    "Can't connect to",
    "Lost connection",
    "Too many connections",
)
"""What SQLite, PostgreSQL and MySQL say of a store that may yet be opened: SQLAlchemy knows only of
connections that it had."""


def patient(client: MlflowClient) -> MlflowClient:
    """The client itself, whose calls now wait their turn: MLflow's own wait ends after 20 s."""
    again = retry(
        retry=retry_if_exception(_is_busy),
        wait=wait_random_exponential(multiplier=0.05, max=2.0),
        stop=stop_after_delay(PATIENCE),
        reraise=True,
    )
    for name in CALLS:
        setattr(client, name, again(getattr(client, name)))
    return client


def create_store(path: Path) -> None:
    """By one process while the others wait for `creation_lock`, and under its name only when it is
    whole: processes that open a fresh one together break it for good, and so does one that is
    killed."""
    if path.exists():
        return
    unfinished = path.with_name(f"{path.name}.unfinished")
    for left in (unfinished, Path(f"{unfinished}-journal")):
        left.unlink(missing_ok=True)
    MlflowClient(tracking_uri=f"sqlite:///{unfinished}").search_experiments(max_results=1)
    unfinished.replace(path)


def creation_lock(path: Path) -> FileLock:
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{path}.lock")


def is_passing(error: BaseException) -> bool:
    """Whether a database was locked, or the connection to it lost or not to be had for the moment;
    what it refuses it always will."""
    cause = error.__cause__ if isinstance(error, MlflowException) else error
    return isinstance(cause, DBAPIError) and (
        cause.connection_invalidated or any(one in str(cause) for one in PASSING)
    )


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, MlflowException) and any(one in str(error) for one in BUSY)
