"""The Lightning logger that writes to a run's recorder."""

from collections.abc import Mapping

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from lingmix.tracking.outbox.recorder import RunRecorder
from lingmix.tracking.results import PairMetrics, as_metrics


class RunLogger(Logger):
    """Hands on what the training logs; what else belongs to a run is recorded by its command."""

    def __init__(self, recorder: RunRecorder, *, pair_metrics: PairMetrics) -> None:
        super().__init__()
        self._recorder = recorder
        self._pair_metrics = pair_metrics

    @property
    def name(self) -> str:
        return "mlflow"

    @property
    def version(self) -> str:
        return self._recorder.folder.name

    def log_hyperparams(self, params: object, *args: object, **kwargs: object) -> None:
        """Params are the configuration, written when the run starts."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._recorder.log_metrics(as_metrics(metrics, self._pair_metrics), step)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        self._recorder.flush()
