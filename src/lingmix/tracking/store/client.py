"""The MLflow store: a local file, a database or a server, opened by any number of processes."""

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache, partial
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import mlflow
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from filelock import Timeout
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store import db_migrations
from mlflow.store.db.utils import create_sqlalchemy_engine
from sqlalchemy import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from lingmix.errors import InputError
from lingmix.tracking.secrets import mask_secrets
from lingmix.tracking.store.bounded import (
    ANSWER,
    CALL,
    STARTUP,
    TRY,
    UnavailableError,
    first_line,
    with_retries,
    with_time_limits,
    within_deadline,
)
from lingmix.tracking.store.contention import (
    QUEUE,
    create_store,
    creation_lock,
    is_transient_database_error,
    with_lock_retries,
)
from lingmix.tracking.store.limits import NAME_LENGTH
from lingmix.tracking.store.local import LOCAL, local_path, require_writable
from lingmix.tracking.store.retry_after import expose_response_headers

PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}

UNAVAILABLE = (429, 502, 503, 504)
"""HTTP statuses of a busy server, and of a proxy before a server that is down."""


def open_store(uri: str) -> MlflowClient:
    """Open the store and return a client whose calls are limited in time.

    A missing local file is created. Raises UnavailableError where the store does not answer, and
    InputError where it cannot be opened or is of another MLflow version.
    """
    for chatty in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)  # their errors are raised as well
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # a bar for each file
    # MLflow would itself make a run once more where the answer was lost: two for one training
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
    expose_response_headers()
    require_reachable(uri)
    path = local_path(uri)
    try:
        if path and not path.exists():
            with _exclusive_creation(path):
                create_store(path)
        if path or _database(uri):
            client = with_retries(partial(_open_database, uri))
        else:
            client = MlflowClient(tracking_uri=uri)
        with_time_limits(with_lock_retries(client), seconds=QUEUE if path else TRY)
        client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        raise InputError(_not_opened(uri, error)) from error
    return client


@contextmanager
def store_errors(client: MlflowClient) -> Iterator[None]:
    """Raise InputError for what the store refuses in the block, after a check that it is up."""
    require_reachable(client.tracking_uri)
    try:
        yield
    except MlflowException as error:
        raise InputError(
            f"tracking.uri: the store {mask_secrets(client.tracking_uri)} refuses a request "
            f"({first_line(error)})"
        ) from error


def experiment_of(client: MlflowClient, name: str, *, output_dir: Path) -> str:
    """Return the id of the experiment, created if missing.

    Without a server its artifacts are in `output_dir`. Raises InputError for a name that is too
    long or of a deleted experiment.
    """
    if not 0 < len(name) <= NAME_LENGTH:
        raise InputError(f"name: must have 1 to {NAME_LENGTH} letters, got {len(name)}")
    path = local_path(client.tracking_uri)
    if path:
        require_writable(path)
    with _exclusive_creation(path) if path else nullcontext():
        found = client.get_experiment_by_name(name)
        if found is not None and found.lifecycle_stage == "deleted":
            raise InputError(
                f"name: the MLflow experiment {name!r} was deleted; restore it or choose another"
            )
        if found is not None:
            return found.experiment_id
        serverless = path or _database(client.tracking_uri)
        location = (output_dir / "artifacts" / name).absolute().as_uri() if serverless else None
        try:
            return client.create_experiment(name, location)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)
            assert found is not None
            return found.experiment_id


def _database(uri: str) -> URL | None:
    """The parts of a database URI; None for any other URI."""
    if uri.partition("://")[0].partition("+")[0] not in PORTS:
        return None
    try:
        return make_url(uri)
    except (SQLAlchemyError, ValueError) as error:
        raise _unreadable(uri) from error


def _unreadable(uri: str) -> InputError:
    return InputError(
        f"tracking.uri: must be a URI such as http://host:5000 or postgresql://user:password@host/"
        f"database, got {mask_secrets(uri)}; quote special letters of a password, such as %2F"
    )


PROBING = 15.0
"""Seconds after which a server that accepts connections but never answers counts as down."""


def require_reachable(uri: str) -> None:
    """Raise UnavailableError within `PROBING` seconds where the server is down; MLflow's own client
    would retry for minutes."""
    if uri.partition("://")[0] in ("http", "https"):
        kind, probe = "MLflow server", partial(_ask, uri)
    elif (database := _database(uri)) and database.host:
        kind, probe = "database", partial(_connect, database)
    else:
        return
    with_retries(partial(_probe, probe, uri=uri, kind=kind), seconds=PROBING)


def _probe(probe: Callable[[], None], *, uri: str, kind: str) -> None:
    try:
        within_deadline(ANSWER, probe)
    except (OSError, HTTPException) as error:
        raise UnavailableError(
            f"tracking.uri: no {kind} answers at {mask_secrets(uri)} ({first_line(error)}); start "
            "it, or leave tracking.uri at its default, a local file"
        ) from error
    except ValueError as error:
        raise _unreadable(uri) from error


def _connect(database: URL) -> None:
    port = database.port or PORTS[database.get_backend_name()]
    socket.create_connection((str(database.host), port), timeout=ANSWER).close()


def _ask(uri: str) -> None:
    # a server that first wants a password is up as well
    server = urlsplit(uri)
    url = server._replace(netloc=server.netloc.rpartition("@")[2]).geturl()
    try:
        urlopen(f"{url.rstrip('/')}/health", timeout=ANSWER).close()  # noqa: S310 - http, or https
    except HTTPError as error:
        if error.code in UNAVAILABLE:
            raise


def _open_database(uri: str) -> MlflowClient:
    """One attempt; raises UnavailableError where another may succeed."""
    if database := _database(uri):
        uri = database.render_as_string(hide_password=False)
    try:
        within_deadline(CALL, partial(_require_version, uri))
        return within_deadline(CALL, partial(MlflowClient, tracking_uri=uri))
    except (MlflowException, SQLAlchemyError, TimeoutError) as error:
        if isinstance(error, TimeoutError) or is_transient_database_error(error):
            raise UnavailableError(_not_opened(uri, error)) from error
        raise


def _not_opened(uri: str, error: Exception) -> str:
    return f"tracking.uri: the store {mask_secrets(uri)} cannot be opened ({first_line(error)})"


@contextmanager
def _exclusive_creation(path: Path) -> Iterator[None]:
    """Let one process create the store; raise UnavailableError where another takes too long."""
    lock = creation_lock(path)
    try:
        lock.acquire(timeout=STARTUP)
    except Timeout as error:
        raise UnavailableError(
            f"tracking.uri: the store {LOCAL}{path} is being opened by another process, which does "
            f"not come to an end; look what holds {lock.lock_file}"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _require_version(uri: str) -> None:
    """Raise InputError for a database of another MLflow version.

    MLflow itself would write to it before it compares versions.
    """
    engine = create_sqlalchemy_engine(uri)
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    engine.dispose()
    *older, current = _revisions()
    store = f"tracking.uri: the store {mask_secrets(uri)} is of"
    here = f"MLflow than the {mlflow.__version__} here"
    if found in older:
        raise InputError(
            f"{store} an older {here}; keep a copy of it, then run `mlflow db upgrade "
            f"{mask_secrets(uri)}`"
        )
    if found not in (None, current):
        raise InputError(f"{store} a newer {here}; install that one, or choose another store")


@cache
def _revisions() -> list[str]:
    """The schema revisions that MLflow knows, the newest last."""
    scripts = ScriptDirectory(str(Path(db_migrations.__file__).parent))
    return [script.revision for script in scripts.walk_revisions()][::-1]
