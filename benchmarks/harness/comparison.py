"""What every comparison needs: timing one side after the other, its rows, its table, its file."""

import gc
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from math import floor, log10
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).parents[2] / "multirun" / "bench"

PACKAGES = (
    "lingmix",
    "numpy",
    "torch",
    "transformers",
    "tokenizers",
    "polars",
    "faiss-cpu",
    "faiss-gpu",
    "sentence-transformers",
    "mteb",
    "torchmetrics",
    "pytrec-eval-terrier",
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """Less is better, in seconds as in MiB, unless the row says otherwise."""

    case: str
    ours: float
    unit: str
    peer: float | None = None
    peer_name: str | None = None
    more_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times better ours is; None without a peer, or where it is beside a 0."""
        if self.peer is None or 0 in (self.ours, self.peer):
            return None
        return self.ours / self.peer if self.more_is_better else self.peer / self.ours


class Timed(NamedTuple):
    """The time and the outcome of each round."""

    seconds: list[float]
    outcomes: list[Any]

    @property
    def median(self) -> float:
        return median(self.seconds)


def timed(sides: Mapping[str, Callable[[], Any]], *, rounds: int) -> dict[str, Timed]:
    """Every side once, one after the other, and that `rounds` times."""
    measured = {name: Timed([], []) for name in sides}
    for n in range(1, rounds + 1):
        for name, work in sides.items():
            gc.collect()
            began = time.perf_counter()
            outcome = work()
            took = time.perf_counter() - began
            measured[name].seconds.append(took)
            measured[name].outcomes.append(outcome)
            print(f"  round {n} of {rounds}, {name}: {took:.3g} s", flush=True)
    return measured


def named(package: str) -> str:
    """As in a requirements file."""
    return f"{package} {version(package)}"


def machine() -> dict[str, Any]:
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.platform(terse=True),
        "torch_threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "packages": dict(_installed()),
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _installed() -> Iterable[tuple[str, str]]:
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue


def write(name: str, rows: Sequence[Row]) -> Path:
    table = [
        {
            "case": row.case,
            "ours": row.ours,
            "peer": row.peer,
            "peer_name": row.peer_name,
            "unit": row.unit,
            "ratio": row.ratio,
        }
        for row in rows
    ]
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.json"
    unfinished = path.with_suffix(".part")
    unfinished.write_text(
        json.dumps({"name": name, "machine": machine(), "rows": table}, indent=2) + "\n"
    )
    unfinished.replace(path)
    return path


def show(name: str, rows: Sequence[Row]) -> None:
    on = machine()
    table = Table(
        title=name,
        caption="{cpu}, {cores} cores, {torch_threads} threads, {memory_gib} GiB".format(**on),
        title_justify="left",
        caption_justify="left",
    )
    for column in ("case", "ours", "peer", "peer_name", "unit", "ratio"):
        figure = column in ("ours", "peer", "ratio")
        table.add_column(column, justify="right" if figure else "left", no_wrap=figure)
    for row in rows:
        figures = (row.ours, row.peer, row.ratio)
        ours, peer, ratio = ("" if figure is None else _three_digits(figure) for figure in figures)
        table.add_row(row.case, ours, peer, row.peer_name or "", row.unit, ratio)
    Console(width=None if sys.stdout.isatty() else 132).print(table)


def _three_digits(figure: float) -> str:
    """Significant ones, or more before the point."""
    return f"{figure:,.{max(0, 2 - floor(log10(figure)))}f}" if figure else "0"
