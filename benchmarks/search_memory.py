"""Peak memory while searching vectors on disk: 1 and 2 million of 384 dimensions.

Ours is `search` over a memory map, 256 MiB at a time as conf/search/exact.yaml has it. The peer is
FAISS's exact index, which holds all vectors; it copies them from the same map. 1,000 queries, the
100 best passages of each; every search is a process of its own.

Two figures, since pages of a mapped file count as resident though the system may drop them at any
time: the peak of all resident memory (VmHWM; of the peer that is its index and the file), and of
what is not a file's (RssAnon, looked at every 5 ms; the fair one to the peer). Both include Python
and its libraries. Seconds run from opening the file to the last hit; the file was just written, so
it is read from the page cache where memory allows.

Both sides must find the same passages, or no row is written.
"""

import shutil
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.harness.child import Figures, figures_of
from benchmarks.harness.comparison import FOLDER, Row, named
from benchmarks.harness.search_once import SIDES
from lingmix.errors import InputError

SIZES = (1_000_000, 2_000_000)
DIMENSION = 384
QUERIES = 1000
DEPTH = 100
SHARD_MIB = 256
SLAB = 100_000
ROUNDS = 3


def compare() -> list[Row]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    needed = 4 * max(SIZES) * DIMENSION
    if shutil.disk_usage(FOLDER).free < needed:
        raise InputError(f"{FOLDER}: needs {needed / 2**30:.1f} GiB free for the vectors")
    cases = list(product(SIZES, SIDES))
    figures: dict[tuple[int, str], list[Figures]] = {case: [] for case in cases}
    with TemporaryDirectory(dir=FOLDER) as temporary:
        _write_vectors(Path(temporary))
        for number, (size, side) in product(range(1, ROUNDS + 1), cases):
            found = _searched(Path(temporary), size, side)
            figures[size, side].append(found)
            print(
                f"  round {number} of {ROUNDS}, {size:,} passages, {side}: {found['peak']:.0f} MiB "
                f"resident, {found['own']:.0f} MiB its own, {found['seconds']:.3g} s",
                flush=True,
            )
        for size in SIZES:
            _check(Path(temporary), size)
    return _rows(
        {
            case: {name: median(each[name] for each in rounds) for name in rounds[0]}
            for case, rounds in figures.items()
        }
    )


def _write_vectors(folder: Path) -> None:
    """Unit vectors, a slab at a time."""
    generator = np.random.Generator(np.random.Philox(0))
    for name, count in (("queries", QUERIES), ("passages", max(SIZES))):
        vectors_ND = np.lib.format.open_memmap(
            folder / f"{name}.npy", mode="w+", dtype=np.float32, shape=(count, DIMENSION)
        )
        for begin in range(0, count, SLAB):
            slab = vectors_ND[begin : begin + SLAB]
            slab[:] = generator.standard_normal(slab.shape, dtype=np.float32)
            slab /= np.linalg.norm(slab, axis=1, keepdims=True)
        vectors_ND.flush()


def _searched(folder: Path, size: int, side: str) -> Figures:
    arguments = [side, folder, _hits(folder, size, side), size, DEPTH, SHARD_MIB]
    return figures_of("benchmarks.harness.search_once", *arguments)


def _hits(folder: Path, size: int, side: str) -> Path:
    return folder / f"{side}-{size}.npz"


def _check(folder: Path, size: int) -> None:
    """FAISS rounds otherwise, so that neighbours in the list may change places."""
    mine, theirs = (np.load(_hits(folder, size, side)) for side in ("lingmix", "faiss"))
    np.testing.assert_allclose(mine["score_QK"], theirs["score_QK"], rtol=0, atol=1e-5)
    same = np.mean(np.sort(mine["passage_QK"], axis=1) == np.sort(theirs["passage_QK"], axis=1))
    if same < 0.99:
        raise AssertionError(f"of {size:,} passages the sides found other ones: {same:.3f} agree")


def _rows(figures: dict[tuple[int, str], Figures]) -> list[Row]:
    small, large = SIZES
    kinds = {
        "peak": ("peak resident memory", "MiB"),
        "own": ("peak memory without file pages", "MiB"),
        "seconds": ("time", "s"),
    }

    def row(case: str, unit: str, ours: float, peer: float) -> Row:
        return Row(case=case, ours=ours, peer=peer, peer_name=named("faiss-cpu"), unit=unit)

    absolute = [
        row(f"{what}, {size:,} passages", unit, *(figures[size, side][name] for side in SIDES))
        for name, (what, unit) in kinds.items()
        for size in SIZES
    ]
    growth = [
        row(
            f"{kinds[name][0]}, {large:,} over {small:,} passages",
            "times",
            *(figures[large, side][name] / figures[small, side][name] for side in SIDES),
        )
        for name in ("peak", "own")
    ]
    return [*absolute, *growth]
