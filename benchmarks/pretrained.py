"""Encoders that people use beside sentence-transformers: training, encoding, memory.

Multilingual E5 small (12 layers x 384, 250,037 pieces, weights from 4 bits) and a model of XLM-R
base's shape (12 layers x 768) with random weights and the same tokenizer, both without dropout so
that the losses of both sides can be compared. Batches of 32 monolingual pairs of XQuAD-R, in the
same order on both sides, whole texts, bf16 autocast, AdamW at 2e-5, clipping at 1; ours is what
lingmix-train builds with optimizer=row_adamw, with every piece and with those in use alone. The
losses of all steps must agree to 0.05. Encoded are 512 questions and sentences; the vectors of a
text must have a cosine of 0.999 or more.

Each side is a process of its own, so that peaks are of one side, Python and its libraries included.
Beside a step stands the time of its matrix products alone, those of linear layers and attention,
forward and backward (`harness/matrix_products.py`); on one thread, whatever else runs, the same in
processor time.

`LINGMIX_BENCH_ENCODER` names a folder of E5 small; else it is built once by a script of the data
folder, which fetches 91 MB. `LINGMIX_BENCH_ROUNDS` says how many rounds (3).
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from transformers import XLMRobertaConfig, XLMRobertaModel

from benchmarks.harness.child import Figures, figures_of
from benchmarks.harness.comparison import FOLDER, Row, named
from lingmix.errors import InputError
from lingmix.model.scratch import seeded

SCRIPT = Path(__file__).parents[2] / "shared" / "models" / "build_me5_small.py"
ROUNDS = int(os.environ.get("LINGMIX_BENCH_ROUNDS", "3"))
STEPS = {"E5 small": (6, 2), "XLM-R base": (3, 1)}
"""By shape: steps, of which so many are not timed."""

COARSE = 0.05
"""Of a step's loss in bf16."""

ALIKE = 0.999
"""The least cosine of the vectors of both sides."""

OURS = ["optimizer=row_adamw"]
PEER = "sentence-transformers"
SIDES: dict[str, tuple[str, list[str]]] = {
    "ours": ("train ours", OURS),
    "pieces in use": ("train ours", [*OURS, "encoder.vocabulary=used"]),
    "peer": ("train peer", []),
    "products": ("products", []),
    "encoding": ("encode ours", []),
    "peer's encoding": ("encode peer", []),
}
"""What each side runs, with overrides of its own."""


def compare() -> list[Row]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = []
    with TemporaryDirectory(dir=FOLDER) as temporary:
        folders = {shape: Path(temporary, shape.replace(" ", "-")) for shape in STEPS}
        small, base = folders.values()
        _without_dropout(_built(), small / "encoder")
        _random_weights(small / "encoder", base / "encoder")
        for shape, folder in folders.items():
            rows += _rows(shape, _measured(shape, folder))
    return rows


def _built() -> Path:
    named_one = os.environ.get("LINGMIX_BENCH_ENCODER")
    folder = Path(named_one) if named_one else FOLDER / "me5_small"
    if (folder / "config.json").is_file():
        return folder
    if named_one or not SCRIPT.is_file():
        raise InputError(
            f"LINGMIX_BENCH_ENCODER: must name a folder of multilingual E5 small, got {folder}"
        )
    subprocess.run([sys.executable, SCRIPT, folder], check=True)
    return folder


def _without_dropout(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    for file in source.iterdir():
        (folder / file.name).symlink_to(file.resolve())
    config = json.loads((source / "config.json").read_text())
    (folder / "config.json").unlink()
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config | none))


def _random_weights(tokenizer: Path, folder: Path) -> None:
    """Of XLM-R base's shape, its vocabulary that of the tokenizer."""
    vocabulary = json.loads((tokenizer / "config.json").read_text())["vocab_size"]
    config = XLMRobertaConfig(
        vocab_size=vocabulary,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=514,
        type_vocab_size=1,
    )
    with seeded(0), torch.no_grad():
        XLMRobertaModel(config, add_pooling_layer=False).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copyfile(tokenizer / name, folder / name)


def _measured(shape: str, folder: Path) -> dict[str, Figures]:
    """The median of each figure, by side."""
    steps, warm_up = STEPS[shape]
    rounds: dict[str, list[Figures]] = {side: [] for side in SIDES}
    for number in range(1, ROUNDS + 1):
        for side, (what, overrides) in SIDES.items():
            vectors = folder / f"{side}.npy"
            arguments: list[Any] = [what, folder, vectors, steps, warm_up, *overrides]
            found = figures_of("benchmarks.harness.pretrained_once", *arguments)
            rounds[side].append(found)
            shown = {key: round(found[key], 3) for key in ("rate", "step", "peak") if key in found}
            print(f"  {shape}, round {number} of {ROUNDS}, {side}: {shown}", flush=True)
        _refuse_others(folder, {side: found[-1] for side, found in rounds.items()})
    return {
        side: {key: median(one[key] for one in found) for key in found[0]}
        for side, found in rounds.items()
    }


def _refuse_others(folder: Path, measured: Mapping[str, Figures]) -> None:
    """Raises AssertionError where the sides did not do the same work."""
    for side in ("pieces in use", "peer"):
        for name, loss in measured["ours"].items():
            if name.startswith("loss") and abs(measured[side][name] - loss) > COARSE:
                raise AssertionError(f"{name}: ours {loss:.5f}, {side} {measured[side][name]:.5f}")
    ours_ND, peer_ND = (np.load(folder / f"{n}.npy") for n in ("encoding", "peer's encoding"))
    cosine_N = (ours_ND * peer_ND).sum(1)
    if cosine_N.min() < ALIKE:
        raise AssertionError(f"text {cosine_N.argmin()}: vectors of a cosine of {cosine_N.min()}")


def _rows(shape: str, measured: Mapping[str, Figures]) -> list[Row]:
    row = partial(Row, peer_name=named(PEER))
    peer, products = measured["peer"], measured["products"]
    rows = []
    for side, what in (("ours", "every piece"), ("pieces in use", "pieces in use")):
        ours, case = measured[side], f"{shape}, {what}"
        rows += [
            row(
                case=f"{case}: training",
                ours=ours["rate"],
                peer=peer["rate"],
                unit="pairs/s",
                more_is_better=True,
            ),
            row(
                case=f"{case}: peak resident memory",
                ours=ours["peak"],
                peer=peer["peak"],
                unit="MiB",
            ),
            Row(
                case=f"{case}: a step",
                ours=ours["step"],
                peer=products["step"],
                peer_name="its matrix products alone",
                unit="s",
            ),
            Row(
                case=f"{case}: the same, processor time",
                ours=ours["processor"],
                peer=products["processor"],
                peer_name="its matrix products alone",
                unit="s",
            ),
        ]
    losses = [name for name in peer if name.startswith("loss")]
    rows += [
        row(case=f"{shape}: {name}", ours=measured["ours"][name], peer=peer[name], unit="")
        for name in (losses[0], losses[-1])
    ]
    encoding, others = measured["encoding"], measured["peer's encoding"]
    return [
        *rows,
        row(
            case=f"{shape}: encoding",
            ours=encoding["rate"],
            peer=others["rate"],
            unit="texts/s",
            more_is_better=True,
        ),
        row(
            case=f"{shape}: encoding, peak resident memory",
            ours=encoding["peak"],
            peer=others["peak"],
            unit="MiB",
        ),
    ]
