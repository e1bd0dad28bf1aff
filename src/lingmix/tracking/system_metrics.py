"""The load of processors, memory and GPUs during a run, for the page "System metrics" of MLflow."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
from mlflow.system_metrics.metrics.rocm_monitor import ROCMMonitor

from lingmix.errors import InputError
from lingmix.tracking.outbox.recorder import RunRecorder

SYSTEM = "system/"


@contextmanager
def record_system_metrics(recorder: RunRecorder, *, every: float | None) -> Iterator[None]:
    """Record the load `every` so many seconds during the block and at its end; None: never."""
    if every is None:
        yield
        return
    ended = threading.Event()
    arguments = {"recorder": recorder, "every": every, "ended": ended}
    thread = threading.Thread(target=_watch, kwargs=arguments, name="machine", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _watch(recorder: RunRecorder, *, every: float, ended: threading.Event) -> None:
    monitors = _monitors()
    step, last = recorder.next_step(SYSTEM), False
    psutil.cpu_percent()  # the first call begins to count
    while not last:
        last = ended.wait(every)
        metrics: dict[str, float] = {}
        for monitor in monitors:
            monitor.collect_metrics()
            metrics |= monitor.aggregate_metrics()
            monitor.clear_metrics()
        try:
            recorder.log_metrics({f"{SYSTEM}{name}": metrics[name] for name in metrics}, step)
        except InputError:  # a full disk, which stops the training as well
            return
        step += 1


def _monitors() -> list[BaseMetricsMonitor]:
    logging.getLogger("mlflow.system_metrics").setLevel(
        logging.ERROR
    )  # metrics that a GPU does not have
    found: list[BaseMetricsMonitor] = [CPUMonitor()]
    for gpu in (GPUMonitor, ROCMMonitor):
        try:
            return [*found, gpu()]
        except (ImportError, RuntimeError):  # no such device, or not the package that reads it
            continue
    return found
