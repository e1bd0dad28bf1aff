"""The MLflow store: opened safely by any number of processes."""

import logging
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import mlflow
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store import db_migrations
from mlflow.store.db.utils import create_sqlalchemy_engine
from sqlalchemy.exc import SQLAlchemyError

from lingmix.errors import InputError
from lingmix.tracking.contention import create_store, creation_lock, patient
from lingmix.tracking.limits import NAME_LENGTH

LOCAL = "sqlite:///"
PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}

BEHIND_PROXY = (502, 503, 504)
"""What a proxy answers for a server that is away."""


class AwayError(InputError):
    """The server of the store does not answer; it may yet."""


def open_store(uri: str) -> MlflowClient:
    """A client of a store that answers."""
    for chatty in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)  # what they tell is raised as well
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    require_answer(uri)
    try:
        if path := _local_path(uri):
            create_store(path)
        if path or _database_port(uri):
            _require_version(uri)
        client = patient(MlflowClient(tracking_uri=uri))
        client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        raise InputError(
            f"tracking.uri: the store {shown(uri)} cannot be opened ({_first_line(error)})"
        ) from error
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
            f"({_first_line(error)})"
        ) from error


def experiment_of(client: MlflowClient, name: str, *, output_dir: Path) -> str:
    """The id of the experiment, made if missing; without a server artifacts lie in `output_dir`."""
    if not 0 < len(name) <= NAME_LENGTH:
        raise InputError(f"name: must have 1 to {NAME_LENGTH} letters, got {len(name)}")
    path = _local_path(client.tracking_uri)
    if path:
        _require_writable(path)
    with creation_lock(path) if path else nullcontext():
        found = client.get_experiment_by_name(name)
        if found is not None and found.lifecycle_stage == "deleted":
            raise InputError(
                f"name: the MLflow experiment {name!r} was deleted; restore it or choose another"
            )
        if found is not None:
            return found.experiment_id
        serverless = path or _database_port(client.tracking_uri)
        location = (output_dir / "artifacts" / name).absolute().as_uri() if serverless else None
        try:
            return client.create_experiment(name, location)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)
            assert found is not None
            return found.experiment_id


def shown(text: str) -> str:
    """The text with `***` for the password of any URI in it."""
    return re.sub(r"(://[^:/@\s]*:)\S+@", r"\1***@", text)


def leaves(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of a nested configuration by dotted key; a list of plain values is one value."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= leaves(value, f"{prefix}{key}.")
        elif isinstance(value, list) and any(isinstance(part, dict | list) for part in value):
            flat |= leaves({str(n): part for n, part in enumerate(value)}, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _local_path(uri: str) -> Path | None:
    return Path(uri.removeprefix(LOCAL)) if uri.startswith(LOCAL) else None


def _database_port(uri: str) -> int | None:
    """The usual one of its kind; None of what is no database on a network."""
    return PORTS.get(urlsplit(uri).scheme.partition("+")[0])


def require_answer(uri: str) -> None:
    """MLflow's own client would try for minutes before it gives up."""
    server = urlsplit(uri)
    try:
        if server.scheme in ("http", "https"):
            _ask(server._replace(netloc=server.netloc.rpartition("@")[2]).geturl())
        elif server.hostname and (port := _database_port(uri)):
            socket.create_connection((server.hostname, server.port or port), timeout=5).close()
    except (URLError, OSError) as error:
        kind = "MLflow server" if server.scheme.startswith("http") else "database"
        raise AwayError(
            f"tracking.uri: no {kind} answers at {shown(uri)} ({_first_line(error)}); start "
            "it, or leave tracking.uri at its default, a local file"
        ) from error


def _ask(server: str) -> None:
    """One that wants a password first is there as well."""
    try:
        urlopen(f"{server.rstrip('/')}/health", timeout=5).close()  # noqa: S310 - http, or https
    except HTTPError as error:
        if error.code in BEHIND_PROXY:
            raise


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


def _require_writable(path: Path) -> None:
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise InputError(
            f"tracking.uri: the store {LOCAL}{path} cannot be written to; have its file and folder "
            "made writable, or choose another store"
        )


def _first_line(error: Exception) -> str:
    return shown((str(error).strip() or type(error).__name__).splitlines()[0])
