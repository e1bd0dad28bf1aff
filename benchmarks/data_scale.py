"""Preparing 100 thousand, 1 million and 10 million pairs: time, peak memory, a second start.

Made-up pairs of XQuAD-R's lengths in nine languages (`harness/synthetic_pairs.py`), a file a size,
and an encoder of 2 layers x 64 of XLM-R's form with a vocabulary of 12,000 pieces. What is timed is
what `lingmix-train` does with data before its first step, each time in a process of its own: the
run's identity, reading, comparing with the evaluation data, grouping what says the same,
tokenising. The second start is the same again. Two peaks: of all resident memory (VmHWM) and of
what is not a file's (RssAnon, looked at every 5 ms), both with Python and its libraries.

`LINGMIX_BENCH_PAIRS=100000,1000000` names other sizes.
"""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness.child import Figures, figures_of
from benchmarks.harness.comparison import FOLDER, Row
from benchmarks.harness.encoder import save_encoder
from benchmarks.harness.synthetic_pairs import read_texts, write_pairs
from lingmix.errors import InputError

SIZES = "100000,1000000,10000000"
STEPS = 2000
BYTES = 1_000
"""Of disk a pair: its row, its columns and its tokens."""


def compare() -> list[Row]:
    sizes = [int(size) for size in os.environ.get("LINGMIX_BENCH_PAIRS", SIZES).split(",")]
    FOLDER.mkdir(parents=True, exist_ok=True)
    needed = BYTES * max(sizes)
    if shutil.disk_usage(FOLDER).free < needed:
        raise InputError(f"{FOLDER}: needs {needed / 2**30:.1f} GiB free for the pairs")
    figures: dict[int, tuple[Figures, Figures]] = {}
    for size in sizes:
        with TemporaryDirectory(dir=FOLDER) as temporary:
            figures[size] = _prepared(Path(temporary), size)
    return [*_rows(figures), *_growth(figures)]


def _prepared(folder: Path, size: int) -> tuple[Figures, Figures]:
    """Of the first start and of the second."""
    pairs = folder / "pairs.jsonl"
    write_pairs(pairs, size)
    save_encoder(folder / "encoder", [*read_texts(pairs, 20_000)], layers=2, width=64)

    def started(what: str) -> Figures:
        arguments = (pairs, folder / "encoder", folder / "output", STEPS)
        found = figures_of("benchmarks.harness.prepare_once", *arguments)
        print(
            f"  {size:,} pairs, {what}: {found['seconds']:.3g} s, {found['peak']:.0f} MiB "
            f"({found['own']:.0f} its own, {found['imported']:.0f} before), "
            f"{found['batches']:.0f} batches/s",
            flush=True,
        )
        return found

    return started("first start"), started("second start")


def _rows(figures: dict[int, tuple[Figures, Figures]]) -> list[Row]:
    def row(size: int, what: str, ours: float, unit: str, *, more: bool = False) -> Row:
        return Row(case=f"{size:,} pairs: {what}", ours=ours, unit=unit, more_is_better=more)

    return [
        one
        for size, (first, second) in figures.items()
        for one in (
            row(size, "preparation", first["seconds"], "s"),
            row(size, "preparation a pair", 1e6 * first["seconds"] / size, "µs"),
            row(size, "peak resident memory", first["peak"], "MiB"),
            row(size, "peak memory without file pages", first["own"], "MiB"),
            row(size, "second start", second["seconds"], "s"),
            row(size, "peak resident memory of the second start", second["peak"], "MiB"),
            row(size, "batches of 64", second["batches"], "a second", more=True),
        )
    ]


def _growth(figures: dict[int, tuple[Figures, Figures]]) -> list[Row]:
    """Of the largest over the next smaller size."""
    if len(figures) < 2:
        return []
    small, large = sorted(figures)[-2:]
    kinds = {"peak": "peak resident memory", "own": "peak memory without file pages"}
    growth = {
        what: figures[large][0][name] / figures[small][0][name] for name, what in kinds.items()
    }
    growth["time a pair"] = (
        figures[large][0]["seconds"] / large / (figures[small][0]["seconds"] / small)
    )
    return [
        Row(case=f"{what}, {large:,} over {small:,} pairs", ours=ratio, unit="times")
        for what, ratio in growth.items()
    ]
