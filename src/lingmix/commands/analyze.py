"""The command lingmix-analyze, which writes the trade-off report of recorded runs."""

from pathlib import Path

from omegaconf import DictConfig

from lingmix.cli.config import Config, checked
from lingmix.tracking.store.local import require_store


def analyze(composed: DictConfig) -> str:
    """Write the report of an experiment's complete runs and log it; return a message.

    With a planted law, return what the design would tell instead. A store is then read only where
    nulls stand for the design and noise of recorded runs.
    """
    config = checked(composed, "analyze")
    planted = config["planted"]
    if planted and not _has_null(planted):
        from lingmix.analysis.planted_table import planted_table  # noqa: PLC0415 - imports SciPy

        return planted_table(planted)
    name, uri = config["name"], config["tracking"]["uri"]
    require_store(uri, name)
    from lingmix.analysis.answers import Asked  # noqa: PLC0415 - imports SciPy
    from lingmix.analysis.experiment import report_experiment  # noqa: PLC0415 - imports MLflow
    from lingmix.analysis.preference import Preference  # noqa: PLC0415 - imports SciPy

    settings = dict(config["analysis"])
    folder, preference = Path(settings.pop("folder")), Preference(**settings.pop("preference"))
    asked = Asked(preference=preference, **settings)
    downloads = Path(config["download_dir"]) / "per_query"
    if planted:
        from lingmix.analysis.planted_design import plant_experiment  # noqa: PLC0415 - as above

        return plant_experiment(planted, name, uri=uri, asked=asked, downloads=downloads)
    cache = Path(config["output_dir"]) / "cache" / "report"
    return report_experiment(
        name, uri=uri, folder=folder, asked=asked, downloads=downloads, cache=cache
    )


def _has_null(planted: Config) -> bool:
    return any(None in planted[part].values() for part in ("design", "noise"))
