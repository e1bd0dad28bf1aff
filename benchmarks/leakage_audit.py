"""The audit of training data against an evaluation set: what it finds, its time and its memory.

Made-up queries and passages of XQuAD-R's lengths in nine languages
(`harness/synthetic_pairs.py`), a tenth of them the evaluation set; 500 leaks are planted among the
others, a hundred of each kind (`harness/planted_leaks.py`). Each audit is a process of its own, and
its time is without reading the files into columns, which every training shares. Peaks are of all
resident memory (VmHWM) and of what is not a file's (RssAnon, looked at every 5 ms), both with
Python and its libraries.

`LINGMIX_BENCH_TEXTS=100000` names other sizes.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness.child import Figures, figures_of
from benchmarks.harness.comparison import FOLDER, Row
from benchmarks.harness.planted_leaks import CHANGES
from benchmarks.harness.synthetic_pairs import write_pairs

SIZES = "100000,1000000"
NEAR = {"equal texts and ids": 0.0, "near-duplicates too": 0.35}
"""`data.near_duplicates`, 0 for null."""


def compare() -> list[Row]:
    sizes = [int(size) for size in os.environ.get("LINGMIX_BENCH_TEXTS", SIZES).split(",")]
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = []
    for size in sizes:
        with TemporaryDirectory(dir=FOLDER) as temporary:
            folder = Path(temporary)
            write_pairs(folder / "trained.jsonl", size * 9 // 10)
            write_pairs(folder / "measured.jsonl", size // 10, seed=1)
            for what, similarity in NEAR.items():
                found = figures_of(
                    "benchmarks.harness.audit_once",
                    *(folder / f"{name}.jsonl" for name in ("trained", "measured")),
                    folder / "columns",
                    similarity,
                )
                print(f"  {size:,} texts, {what}: {found['seconds']:.3g} s", flush=True)
                rows += _rows(f"{size:,} texts, {what}", found)
    return rows


def _rows(case: str, found: Figures) -> list[Row]:
    def row(what: str, ours: float, unit: str, *, more: bool = False) -> Row:
        return Row(case=f"{case}: {what}", ours=ours, unit=unit, more_is_better=more)

    return [
        row("time", found["seconds"], "s"),
        row("peak resident memory", found["peak"], "MiB"),
        row("peak memory without file pages", found["own"], "MiB"),
        *(row(f"{kind} found", 100 * found[kind], "%", more=True) for kind in CHANGES),
        row("false alarms", 100 * found["false"] / found["trained"], "%"),
    ]
