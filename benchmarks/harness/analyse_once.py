"""One analysis in a process of its own: `WHAT URI NAME FOLDER`.

Prints its seconds, from opening the store, and its peak resident memory. WHAT is `table`, which
reads the question scores of all runs and averages each run's settings; `answer`, which makes the
answers as `lingmix-analyze` does; or `report`, all that `lingmix-analyze` does.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from benchmarks.harness.search_once import status_mib
from lingmix.analysis.answers import Asked, answered
from lingmix.analysis.experiment import report_experiment
from lingmix.analysis.preference import Preference
from lingmix.analysis.question_scores import question_scores
from lingmix.analysis.results import results_of
from lingmix.tracking.history import experiment_named
from lingmix.tracking.per_query import per_query_files
from lingmix.tracking.run_table import cell_table, evaluation_table
from lingmix.tracking.store.client import open_store

ASKED = Asked(
    metric="map",
    preference=Preference(
        monolingual=1, crosslingual=1, multilingual=0, language_preference=0, floor=None
    ),
    level=0.95,
    power=0.8,
    draws=2000,
    seed=0,
)


def table(uri: str, name: str, folder: Path) -> None:
    """Collects in batches, so that the table itself is never in memory."""
    scores = question_scores(name, uri=uri, downloads=folder)
    by_run = scores.group_by("run_id", "setting").agg(pl.mean("score"))
    by_run.collect(engine="streaming")


def answer(uri: str, name: str, folder: Path) -> None:
    client = open_store(uri)
    experiment = experiment_named(client, name).experiment_id
    cells = cell_table(client, experiment)
    results = results_of(cells, evaluation_table(client, experiment))
    answered(results, per_query_files(client, cells, folder), ASKED)


def report(uri: str, name: str, folder: Path) -> None:
    report_experiment(name, uri=uri, folder=folder / "report", asked=ASKED, downloads=folder)


PARTS: dict[str, Callable[[str, str, Path], None]] = {
    "table": table,
    "answer": answer,
    "report": report,
}


def main(arguments: Sequence[str]) -> None:
    what, uri, name, folder = arguments
    began = time.perf_counter()
    PARTS[what](uri, name, Path(folder))
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "peak": status_mib("VmHWM")}))


if __name__ == "__main__":
    main(sys.argv[1:])
