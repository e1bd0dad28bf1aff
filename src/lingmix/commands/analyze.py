"""The command lingmix-analyze, which writes the trade-off report of recorded runs."""

from pathlib import Path

from omegaconf import DictConfig

from lingmix.cli.config import checked
from lingmix.tracking.store.local import require_store


def analyze(composed: DictConfig) -> str:
    """Write the report of an experiment's complete runs and log it; return a message.

    With a planted law, return what the design would tell instead, and read no store.
    """
    config = checked(composed, "analyze")
    if config["planted"]:
        from lingmix.analysis.planted_table import planted_table  # noqa: PLC0415 - imports SciPy

        return planted_table(config["planted"])
    name, uri = config["name"], config["tracking"]["uri"]
    require_store(uri, name)
    from lingmix.analysis.answers import Asked  # noqa: PLC0415 - imports SciPy
    from lingmix.analysis.experiment import report_experiment  # noqa: PLC0415 - imports MLflow
    from lingmix.analysis.preference import Preference  # noqa: PLC0415 - imports SciPy

    settings = dict(config["analysis"])
    folder, preference = Path(settings.pop("folder")), Preference(**settings.pop("preference"))
    return report_experiment(
        name,
        uri=uri,
        folder=folder,
        asked=Asked(preference=preference, **settings),
        downloads=Path(config["download_dir"]) / "per_query",
    )
