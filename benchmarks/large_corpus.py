"""A corpus of 20 million vectors in shards on disk: written, searched exactly and approximately.

Vectors of 64 dimensions, drawn around centres, in a folder of embeddings as lingmix-evaluate
makes it: shards of 2,048, each synced to disk and named by its digest. 100 queries, their 100 best
passages. Each part is a process of its own, which opens the folder anew and so reads every shard to
check its digest. Peaks are of all resident memory, Python, its libraries and the keys included.

`LINGMIX_BENCH_VECTORS=1000000` names another size. Takes 5.5 GB of disk, given back at the end.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.harness.child import Figures, figures_of
from benchmarks.harness.comparison import FOLDER, Row
from benchmarks.harness.large_corpus_once import PARTS

COUNT = int(os.environ.get("LINGMIX_BENCH_VECTORS", "20000000"))


def compare() -> list[Row]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with TemporaryDirectory(dir=FOLDER) as temporary:
        for part in PARTS:
            found = figures_of("benchmarks.harness.large_corpus_once", part, temporary, COUNT)
            print(
                f"  {part}: {found['seconds']:.3g} s, {found['processor']:.3g} s of a processor, "
                f"{found['peak']:.0f} MiB",
                flush=True,
            )
            rows += _rows(part, found)
        exact, found = (np.load(Path(temporary, f"{part}.npy")) for part in ("exact", "ivf_pq"))
    recall = 100 * float((found >= exact[:, -1:]).mean())
    case = f"{COUNT:,} vectors, ivf_pq: of the exact hits"
    return [*rows, Row(case=case, ours=recall, unit="%", more_is_better=True)]


def _rows(part: str, found: Figures) -> list[Row]:
    kinds = {
        "seconds": ("time", "s"),
        "processor": ("time of a processor", "s"),
        "peak": ("peak resident memory", "MiB"),
    }
    return [
        Row(case=f"{COUNT:,} vectors, {part}: {what}", ours=found[kind], unit=unit)
        for kind, (what, unit) in kinds.items()
    ]
