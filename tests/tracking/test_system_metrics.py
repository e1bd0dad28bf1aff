"""The machine's load, recorded beside the run's own metrics."""

import os

import pytest

from lingmix.errors import InputError
from lingmix.tracking.environment import environment, hardware
from lingmix.tracking.outbox.journal import Journal, read_records
from lingmix.tracking.outbox.recorder import RunRecorder
from lingmix.tracking.system_metrics import SYSTEM, record_system_metrics
from tests.events import until

CPU = f"{SYSTEM}cpu_utilization_percentage"


def steps(folder):
    return [record["step"] for record, _ in read_records(folder) if CPU in record["metrics"]]


def watch(folder, *, every, times=0):
    with record_system_metrics(RunRecorder(Journal(folder)), every=every):
        until(lambda: len(steps(folder)) >= times)


def test_a_run_of_any_length_has_its_load_recorded(tmp_path):
    watch(tmp_path, every=60.0)
    (record,) = [record["metrics"] for record, _ in read_records(tmp_path)]
    assert 0 <= record[CPU] <= 100
    assert record[f"{SYSTEM}system_memory_usage_megabytes"] > 0
    assert all(name.startswith(SYSTEM) for name in record)


def test_load_is_recorded_at_intervals_and_steps_go_on_after_a_stop(tmp_path):
    watch(tmp_path, every=0.05, times=3)
    before = steps(tmp_path)
    assert before == list(range(len(before)))
    assert len(before) > 2
    watch(tmp_path, every=60.0)
    assert steps(tmp_path) == list(range(len(before) + 1))


def test_no_interval_records_nothing(tmp_path):
    watch(tmp_path, every=None)
    assert [*read_records(tmp_path)] == []


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_full_disk_stops_the_watch_alone(tmp_path, monkeypatch):
    recorder = RunRecorder(Journal(tmp_path))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with (
        record_system_metrics(recorder, every=0.01),
        pytest.raises(InputError, match="does not fit"),
    ):
        recorder.log_metrics({"loss": 1.0}, 1)


def test_two_threads_that_write_leave_whole_records(tmp_path):
    recorder = RunRecorder(Journal(tmp_path))
    with record_system_metrics(recorder, every=0.001):
        for step in range(300):
            recorder.log_metrics({"loss": 1.0}, step)
    losses = [record["step"] for record, _ in read_records(tmp_path) if "loss" in record["metrics"]]
    assert losses == list(range(300))


def test_the_environment_names_packages_and_no_secret(monkeypatch):
    monkeypatch.setenv("LINGMIX_TOKEN", "a-secret-of-mine")
    found = environment()
    assert found["packages"]["torch"]
    assert found["cores"] >= 1
    assert hardware()
    assert "a-secret-of-mine" not in str(found)
