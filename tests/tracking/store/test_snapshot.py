from lingmix.tracking.history import runs
from lingmix.tracking.store.client import experiment_of, open_store
from lingmix.tracking.store.snapshot import remember_searches


def test_runs_recorded_or_deleted_meanwhile_change_nothing(tmp_path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client, other = open_store(uri), open_store(uri)
    experiment = experiment_of(client, "name", output_dir=tmp_path)
    first = client.create_run(experiment).info.run_id
    remember_searches(client)
    assert [run.info.run_id for run in runs(client, experiment)] == [first]
    other.create_run(experiment)
    other.delete_run(first)
    assert [run.info.run_id for run in runs(client, experiment)] == [first]
    query = "attributes.status = 'RUNNING'"
    assert first not in [run.info.run_id for run in runs(client, experiment, query)]
