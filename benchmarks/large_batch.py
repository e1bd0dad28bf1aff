"""Batches of 256, 4,096 and 16,384 pairs with gradient caching: peak memory, and time a pair.

An encoder of 2 layers x 128 of XLM-R's form, pairs of XQuAD-R (as texts to time, not to learn
from), texts cut at 128 tokens. Every batch mixes cross-lingual pairs of all languages, so a text
may stand in it several times; each time it is embedded, and translations are masked in the loss.
Micro-batches of 8,192 tokens; the plain small batch is 256 pairs at once, without caching.

Each training is a process of its own, so the peaks include Python and its libraries. Two of them:
of all resident memory (VmHWM) and of what is not a file's (RssAnon, looked at every 5 ms). Time is
that of whole steps after the first ones, as many pairs in each case.
"""

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.harness.child import Figures, figures_of
from benchmarks.harness.comparison import FOLDER, Row
from benchmarks.harness.encoder import save_encoder
from benchmarks.harness.xquad_r import all_pairs
from lingmix.model.unigram import SAMPLE

LAYERS, WIDTH = 2, 128
SMALL, LARGE = 256, (4096, 16_384)
MICRO_BATCH_TOKENS = 8192
PAIRS = 16_384
"""Timed in each training, after a step or as many pairs as the next batch has."""

ROUNDS = 2


class Case(NamedTuple):
    batch: int
    micro_batch_tokens: int

    def __str__(self) -> str:
        return f"batch {self.batch:,}" + ("" if self.micro_batch_tokens else ", plain")


PLAIN = Case(SMALL, 0)
CACHED = tuple(Case(batch, MICRO_BATCH_TOKENS) for batch in (SMALL, *LARGE))


def compare() -> list[Row]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    figures: dict[Case, list[Figures]] = {case: [] for case in (PLAIN, *CACHED)}
    with TemporaryDirectory(dir=FOLDER) as temporary:
        pairs = all_pairs()
        save_encoder(
            Path(temporary, "encoder"),
            pairs.sample_texts(SAMPLE),
            layers=LAYERS,
            width=WIDTH,
        )
        for number in range(1, ROUNDS + 1):
            for case, rounds in figures.items():
                rounds.append(_trained(Path(temporary), case))
                print(f"  round {number} of {ROUNDS}, {case}: {_shown(rounds[-1])}", flush=True)
    return _rows(
        {
            case: {name: median(each[name] for each in rounds) for name in rounds[0]}
            for case, rounds in figures.items()
        }
    )


def _trained(folder: Path, case: Case) -> Figures:
    warm_up = max(1, min(4, PAIRS // case.batch))
    steps = warm_up + PAIRS // case.batch
    arguments = (case.batch, case.micro_batch_tokens, steps, warm_up)
    return figures_of("benchmarks.harness.train_once", folder, *arguments)


def _shown(figures: Figures) -> str:
    return (
        f"{figures['before']:.0f} MiB before, {figures['peak']:.0f} MiB at its peak, "
        f"{figures['own']:.0f} MiB its own, "
        f"{figures['pair']:.3g} ms a pair"
    )


def _rows(figures: dict[Case, Figures]) -> list[Row]:
    kinds = {
        "peak": ("peak resident memory", "MiB", CACHED[0]),
        "own": ("peak memory without file pages", "MiB", CACHED[0]),
        "pair": ("time a pair", "ms", PLAIN),
    }
    before = figures[CACHED[-1]]["before"]
    return [
        Row(case="resident memory before training", ours=before, unit="MiB"),
        *(
            Row(
                case=f"{case}: {what}",
                ours=figures[case][kind],
                peer=figures[small][kind],
                peer_name=f"lingmix, {small}",
                unit=unit,
            )
            for kind, (what, unit, small) in kinds.items()
            for case in CACHED
            if case != small
        ),
    ]
