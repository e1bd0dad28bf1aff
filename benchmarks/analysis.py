"""What `lingmix-analyze` needs for 500 recorded runs with 13,090 queries each: time and memory.

The runs are of 5 alphas, 20 scales and 5 seeds, with XQuAD-R's design: 1,190 questions in 11
languages, 121 language pairs and the pool, 157,080 rankings a run. Their scores are drawn and not
trained (LINGMIX_BENCH_RUNS says how many runs; a multiple of 25). Every part is a process of its
own; seconds run from opening the store, and peaks include Python and its libraries.
"""

import os
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.harness.child import figures_of
from benchmarks.harness.comparison import FOLDER, Row
from benchmarks.harness.configured import configured
from benchmarks.harness.recorded import Cell, rankings, record
from lingmix.tracking.flat_config import leaves

RUNS = int(os.environ.get("LINGMIX_BENCH_RUNS", "500"))
LANGUAGES = ["ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"]
QUESTIONS = 1190
PARTS = {
    "table": "question scores of all, averaged by run",
    "answer": "intervals, frontier, comparisons",
    "report": "lingmix-analyze",
}


def compare() -> list[Row]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    cells = [
        Cell(alpha, scale, seed)
        for scale, alpha, seed in product(
            range(0, 100 * RUNS // 25, 100), (0.0, 0.25, 0.5, 0.75, 1.0), range(5)
        )
    ]
    rows = []
    with TemporaryDirectory(dir=FOLDER) as temporary:
        folder = Path(temporary)
        uri = f"sqlite:///{folder}/mlflow.db"
        of = rankings(LANGUAGES, QUESTIONS)
        params = {key: str(value) for key, value in leaves(configured()).items()}
        record(
            uri, name="planted", folder=folder, cells=cells, of=of, scores=planted, params=params
        )
        print(f"  {len(cells)} runs with {of.height:,} rankings each", flush=True)
        for part, words in PARTS.items():
            found = figures_of("benchmarks.harness.analyse_once", part, uri, "planted", folder)
            case = f"{words}, {len(cells)} runs"
            rows.append(Row(case=case, ours=found["seconds"], unit="s"))
            rows.append(Row(case=f"peak memory; {case}", ours=found["own"], unit="MiB"))
    return rows


def planted(cell: Cell, of: pl.DataFrame) -> NDArray[np.float64]:
    """Scores rise with alpha in the monolingual setting and fall in the others; 1 / rank."""
    rng = np.random.default_rng([int(cell.alpha * 100), cell.scale, cell.seed])
    monolingual_N = of["setting"].to_numpy() == "monolingual"
    level_N = np.where(monolingual_N, 0.5 + 0.3 * cell.alpha, 0.4 - 0.2 * cell.alpha)
    ability_N = np.random.default_rng(0).normal(0, 0.2, of.height) + rng.normal(0, 0.1, of.height)
    return 1 / np.ceil(1 / np.clip(level_N + rng.normal(0, 0.005) + ability_N, 0.001, 1))
