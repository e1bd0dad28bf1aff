from contextlib import contextmanager

import pytest

from lingmix.tracking.lifecycle import begin_run, end_run, ending
from lingmix.tracking.store import experiment_of, open_store


@pytest.fixture(scope="package")
def client(tmp_path_factory):
    """One store for all: making a new one takes seconds."""
    return open_store(f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db")


@pytest.fixture
def experiment(client, tmp_path):
    return experiment_of(client, tmp_path.name, output_dir=tmp_path)


@contextmanager
def run_of(client, experiment, *, params, tags, name="run"):
    """The id of a run that ends as what happened to it, written without a journal."""
    run_id = begin_run(
        client, experiment=experiment, name=name, params=params, tags=tags, parent=None
    )
    try:
        yield run_id
    except BaseException as error:
        end_run(client, run_id, **ending(error))
        raise
    end_run(client, run_id, **ending(None))
