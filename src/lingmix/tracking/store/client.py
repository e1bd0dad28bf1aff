"""The MLflow store: opened safely by any number of processes."""

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
from lingmix.tracking.secrets import shown
from lingmix.tracking.store.bounded import (
    ANSWER,
    CALL,
    OPENING,
    TRY,
    AwayError,
    again,
    bounded,
    first_line,
    in_time,
)
from lingmix.tracking.store.contention import (
    QUEUE,
    create_store,
    creation_lock,
    is_passing,
    patient,
)
from lingmix.tracking.store.limits import NAME_LENGTH
from lingmix.tracking.store.local import LOCAL, local_path, refuse_unwritable
from lingmix.tracking.store.retry_after import keep_headers

PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}

AWAY = (429, 502, 503, 504)
"""What a server answers that is busy, and a proxy for one that is away."""


def open_store(uri: str) -> MlflowClient:
    """A client of a store that answers."""
    for chatty in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)  # what they tell is raised as well
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    # MLflow would itself make a run once more where the answer was lost: two for one training
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
    keep_headers()
    require_answer(uri)
    path = local_path(uri)
    try:
        if path and not path.exists():
            with _creation(path):
                create_store(path)
        if path or _database(uri):
            client = again(partial(_of_database, uri))
        else:
            client = MlflowClient(tracking_uri=uri)
        bounded(patient(client), seconds=QUEUE if path else TRY)
        client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        raise InputError(_not_opened(uri, error)) from error
    return client


@contextmanager
def reached(client: MlflowClient) -> Iterator[None]:
    """What the store has against a call is one line, at once where it is away."""
    require_answer(client.tracking_uri)
    try:
        yield
    except MlflowException as error:
        raise InputError(
            f"tracking.uri: the store {shown(client.tracking_uri)} does not do what it is asked "
            f"({first_line(error)})"
        ) from error


def experiment_of(client: MlflowClient, name: str, *, output_dir: Path) -> str:
    """The id of the experiment, made if missing; without a server artifacts lie in `output_dir`."""
    if not 0 < len(name) <= NAME_LENGTH:
        raise InputError(f"name: must have 1 to {NAME_LENGTH} letters, got {len(name)}")
    path = local_path(client.tracking_uri)
    if path:
        refuse_unwritable(path)
    with _creation(path) if path else nullcontext():
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
    """The parts of the URI of a database on a network; None of what is no such thing."""
    if uri.partition("://")[0].partition("+")[0] not in PORTS:
        return None
    try:
        return make_url(uri)
    except (SQLAlchemyError, ValueError) as error:
        raise _unreadable(uri) from error


def _unreadable(uri: str) -> InputError:
    return InputError(
        f"tracking.uri: must be a URI such as http://host:5000 or postgresql://user:password@host/"
        f"database, got {shown(uri)}; write what is special in a password as %2F and the like"
    )


KNOCKING = 15.0
"""Seconds until a server that takes every call and answers none is taken to be away."""


def require_answer(uri: str) -> None:
    """Raises AwayError within seconds; MLflow's own client would try for minutes."""
    if uri.partition("://")[0] in ("http", "https"):
        kind, knock = "MLflow server", partial(_ask, uri)
    elif (database := _database(uri)) and database.host:
        kind, knock = "database", partial(_connect, database)
    else:
        return
    again(partial(_knock, knock, uri=uri, kind=kind), seconds=KNOCKING)


def _knock(knock: Callable[[], None], *, uri: str, kind: str) -> None:
    try:
        in_time(ANSWER, knock)
    except (OSError, HTTPException) as error:
        raise AwayError(
            f"tracking.uri: no {kind} answers at {shown(uri)} ({first_line(error)}); start "
            "it, or leave tracking.uri at its default, a local file"
        ) from error
    except ValueError as error:
        raise _unreadable(uri) from error


def _connect(database: URL) -> None:
    port = database.port or PORTS[database.get_backend_name()]
    socket.create_connection((str(database.host), port), timeout=ANSWER).close()


def _ask(uri: str) -> None:
    """One that wants a password first is there as well."""
    server = urlsplit(uri)
    where = server._replace(netloc=server.netloc.rpartition("@")[2]).geturl()
    try:
        urlopen(f"{where.rstrip('/')}/health", timeout=ANSWER).close()  # noqa: S310 - http, or https
    except HTTPError as error:
        if error.code in AWAY:
            raise


def _of_database(uri: str) -> MlflowClient:
    """One try; AwayError where another may be answered."""
    if database := _database(uri):
        uri = database.render_as_string(hide_password=False)
    try:
        in_time(CALL, partial(_require_version, uri))
        return in_time(CALL, partial(MlflowClient, tracking_uri=uri))
    except (MlflowException, SQLAlchemyError, TimeoutError) as error:
        if isinstance(error, TimeoutError) or is_passing(error):
            raise AwayError(_not_opened(uri, error)) from error
        raise


def _not_opened(uri: str, error: Exception) -> str:
    return f"tracking.uri: the store {shown(uri)} cannot be opened ({first_line(error)})"


@contextmanager
def _creation(path: Path) -> Iterator[None]:
    """By one process at a time; AwayError where another does not come to its end."""
    lock = creation_lock(path)
    try:
        lock.acquire(timeout=OPENING)
    except Timeout as error:
        raise AwayError(
            f"tracking.uri: the store {LOCAL}{path} is being opened by another process, which does "
            f"not come to an end; look what holds {lock.lock_file}"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _require_version(uri: str) -> None:
    """MLflow itself writes to a database of another version before it has a look at that."""
    engine = create_sqlalchemy_engine(uri)
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    engine.dispose()
    *older, ours = _versions()
    of = f"tracking.uri: the store {shown(uri)} is of"
    here = f"MLflow than the {mlflow.__version__} here"
    if found in older:
        raise InputError(
            f"{of} an older {here}; keep a copy of it, then run `mlflow db upgrade {shown(uri)}`"
        )
    if found not in (None, ours):
        raise InputError(f"{of} a newer {here}; install that one, or choose another store")


@cache
def _versions() -> list[str]:
    """Of the tables of a store, the newest last."""
    scripts = ScriptDirectory(str(Path(db_migrations.__file__).parent))
    return [script.revision for script in scripts.walk_revisions()][::-1]
