"""Share of padding in what the encoder computes: texts of a batch padded to its longest, or cut
into chunks of like lengths.

The peer's way: queries padded to the longest query of the batch, passages to the longest passage.
Ours: texts packed into one sequence, padded only in attention, in groups of like lengths (on a GPU
its kernel pads nothing either); and, for models that cannot be packed, chunks of like lengths.
Queries and passages together in either case.
The real pairs of experiment=xquad_r_static and those of XQuAD-R, cut at 128 tokens.
"""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.harness.comparison import FOLDER, Row
from benchmarks.harness.configured import configured
from benchmarks.harness.encoder import loaded, save_encoder
from benchmarks.harness.training import Work, work_of
from benchmarks.harness.xquad_r import monolingual_pairs
from benchmarks.training_throughput import DATA
from lingmix.assembly.parts import load_training_pairs
from lingmix.data.tokens import Role
from lingmix.model.eager_attention import group_sizes, padded_length
from lingmix.model.encoder import Encoder
from lingmix.model.packed import rounded_up
from lingmix.model.transformer import padded_sizes, quiet
from lingmix.model.unigram import SAMPLE

STEPS = 200
CPU, GPU = torch.device("cpu"), torch.device("cuda")

Lengths = NDArray[np.int64]


def compare() -> list[Row]:
    steps = f"trainer.max_steps={STEPS}"
    xquad_r = configured("sampler=monolingual", steps)
    real = configured("experiment=xquad_r_static", f"data_dir={DATA}", steps)
    FOLDER.mkdir(parents=True, exist_ok=True)
    pairs, _ = load_training_pairs(real, held_out=[])
    return [
        *_rows("XQuAD-R, batch 64", work_of(xquad_r, monolingual_pairs())),
        *_rows("real pairs, batch 512", work_of(real, pairs)),
    ]


def _rows(what: str, work: Work) -> Iterable[Row]:
    pairs = work.pairs
    with TemporaryDirectory(dir=FOLDER) as temporary, quiet():
        folder = Path(temporary, "encoder")
        save_encoder(folder, pairs.sample_texts(SAMPLE))
        encoder = loaded(folder)
    texts = tuple(pairs.texts)
    query_T, passage_T = (_lengths(encoder, texts, role) for role in get_args(Role))
    batches = [
        (query_T[pairs.queries(rows_B)], passage_T[pairs.passages(rows_B)])
        for rows_B in map(work.schedule.rows, range(work.steps))
    ]
    padded = sum(len(column) * int(column.max()) for batch in batches for column in batch)
    tokens = sum(int(column.sum()) for batch in batches for column in batch)
    descending = [sorted(np.concatenate(batch).tolist(), reverse=True) for batch in batches]
    slots = [[*map(padded_length, lengths)] for lengths in descending]
    for case, computed in (
        (
            "linear layers, packed, CPU",
            sum(rounded_up(sum(lengths), device=CPU) for lengths in descending),
        ),
        (
            "attention, packed, CPU",
            sum(_places(one, group_sizes(one, device=CPU)) for one in slots),
        ),
        ("chunks, CPU", sum(_places(one, padded_sizes(one, device=CPU)) for one in descending)),
        ("chunks, GPU", sum(_places(one, padded_sizes(one, device=GPU)) for one in descending)),
    ):
        yield Row(
            case=f"{what}: {case}",
            ours=100 * (1 - tokens / computed),
            peer=100 * (1 - tokens / padded),
            peer_name="padded to the longest of the batch",
            unit="%",
        )


def _places(descending: list[int], sizes: Iterable[int]) -> int:
    """Of tokens and padding, where each text of a chunk is padded to its first."""
    first = places = 0
    for size in sizes:
        places += size * descending[first]
        first += size
    return places


def _lengths(encoder: Encoder, texts: tuple[str, ...], role: Role) -> Lengths:
    return np.array([len(ids) for ids in encoder.tokenize(texts, role)], dtype=np.int64)
