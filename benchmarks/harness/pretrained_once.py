"""One side of `pretrained` in a process of its own: `SIDE FOLDER VECTORS STEPS WARM_UP [OVERRIDE
...]`, of the encoder in FOLDER/encoder.

A training prints pairs a second, the seconds of a step and the loss of each; an encoding prints
texts a second and writes its vectors into the file VECTORS. All print their peak resident memory.
`products` multiplies the matrices of the same steps and nothing else (see
`harness/matrix_products.py`).
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.harness.child import Figures
from benchmarks.harness.configured import configured
from benchmarks.harness.encoder import loaded
from benchmarks.harness.matrix_products import steps_of_products
from benchmarks.harness.search_once import status_mib
from benchmarks.harness.training import Steps, Work, train_lingmix, work_of
from benchmarks.harness.xquad_r import monolingual_pairs
from lingmix.assembly.vocabulary import fit_vocabulary
from lingmix.cli.config import build
from lingmix.model.embed import BATCH_TOKENS, encode_texts
from lingmix.model.transformer import quiet

PRECISION = "bf16-mixed"
BATCH = 32
TEXTS = 512
"""To encode: questions and the sentences that answer them, of all languages."""


class Asked(NamedTuple):
    """What a side is to do; vectors are written into the file `vectors`."""

    folder: Path
    vectors: Path
    warm_up: int
    work: Work


def train_ours(asked: Asked) -> Figures:
    config = asked.work.config
    encoder = build(config["encoder"])(texts=(), cache=asked.folder, seed=0)
    columns = asked.work.pairs.columns
    encoder, _ = fit_vocabulary(encoder, config, columns, [], cache=asked.folder)
    trained = train_lingmix(asked.work, encoder, cache=asked.folder / "tokens")
    return _of_training(trained, asked)


def train_peer(asked: Asked, *, attention: str | None) -> Figures:
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - not in ours' memory

    from benchmarks.harness import peer_training  # noqa: PLC0415

    chosen = {"attn_implementation": attention} if attention else {}
    encoder = SentenceTransformer(
        str(asked.folder / "encoder"), device="cpu", model_kwargs=chosen | {"dtype": torch.float32}
    )
    trained = peer_training.train_peer(asked.work, encoder, folder=asked.folder / "peer")
    return _of_training(trained, asked)


def multiply(asked: Asked) -> Figures:
    encoder = loaded(asked.folder / "encoder")
    return _of_training(steps_of_products(encoder, asked.work), asked)


def encode_ours(asked: Asked) -> Figures:
    encoder = loaded(asked.folder / "encoder")
    encode = partial(encode_texts, encoder, batch_tokens=BATCH_TOKENS, precision=PRECISION)
    return _encoded(lambda texts: encode(texts, "query"), asked)


def encode_peer(asked: Asked) -> Figures:
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - not in ours' memory

    encoder = SentenceTransformer(str(asked.folder / "encoder"), device="cpu")

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        with torch.autocast("cpu", torch.bfloat16):
            vectors_ND = encoder.encode(list(texts), convert_to_tensor=True)
        return torch.nn.functional.normalize(vectors_ND.float()).numpy()

    return _encoded(encode, asked)


SIDES: dict[str, Callable[[Asked], Figures]] = {
    "train ours": train_ours,
    "train peer": partial(train_peer, attention=None),
    "train peer, eager": partial(train_peer, attention="eager"),
    "products": multiply,
    "encode ours": encode_ours,
    "encode peer": encode_peer,
}


def _of_training(trained: Steps, asked: Asked) -> Figures:
    seconds = trained.seconds(warm_up=asked.warm_up)
    losses = {f"loss {n}": loss for n, loss in enumerate(trained.losses, start=1)}
    processor = trained.processor_seconds(warm_up=asked.warm_up)
    return {"rate": BATCH / seconds, "step": seconds, "processor": processor, **losses}


def _encoded(encode: Callable[[Sequence[str]], NDArray[np.float32]], asked: Asked) -> Figures:
    """The first texts once before, so that kernels are made and files are read."""
    pairs = asked.work.pairs
    chosen_N = np.linspace(0, len(pairs.query_N) - 1, TEXTS // 2).astype(np.int64)
    texts = [
        text
        for side_N in (pairs.query_N, pairs.passage_N)
        for text in pairs.texts.take(side_N[chosen_N])
    ]
    encode(texts[:64])
    began = time.perf_counter()
    vectors_ND = encode(texts)
    seconds = time.perf_counter() - began
    np.save(asked.vectors, vectors_ND)
    return {"rate": len(texts) / seconds}


def main(arguments: Sequence[str]) -> None:
    side, folder, vectors, steps, warm_up, *overrides = arguments
    config = configured(
        "sampler=monolingual",
        f"sampler.batch_size={BATCH}",
        "encoder=pretrained",
        f"encoder.name={folder}/encoder",
        "optimizer.weight_decay=0",
        "optimizer.warmup=0",
        "optimizer.lr=2e-5",
        f"trainer.max_steps={steps}",
        f"trainer.precision={PRECISION}",
        *overrides,
    )
    with quiet():
        work = work_of(config, monolingual_pairs())
        figures = SIDES[side](Asked(Path(folder), Path(vectors), int(warm_up), work))
    print(json.dumps(figures | {"peak": status_mib("VmHWM")}))


if __name__ == "__main__":
    main(sys.argv[1:])
