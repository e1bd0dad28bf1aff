"""All that only a GPU can show, in under 10 minutes and without a network; `make gpu`.

- Packed attention against padded: the greatest difference of a component of a vector.
- Forward and backward of XLM-R base's and large's shape, random weights, with gradient caching in
  micro-batches of tokens: texts a side of up to 32, 128 and 512 tokens (half of that at least),
  batches of 512, 4,096 and 16,384 pairs: pairs a second, and the FLOPs of an encoder without
  padding and recomputation as a share of the device's peak.
- The same against sentence-transformers' cached loss, whose micro-batches have as many tokens where
  all texts are longest. Losses and norms of the gradient must agree, or no row is written.
- Exact search against FAISS on the processor; the hits must be the same.

Where there is no GPU, a stand-in of the same code with small shapes: its figures say that it runs,
and no more. Its peak is that of a matrix product as measured here.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from sentence_transformers import SentenceTransformer

from benchmarks.harness.cached_steps import (
    Step,
    computing,
    drawn,
    gradient_norm,
    our_step,
    peer_step,
)
from benchmarks.harness.comparison import FOLDER, Row, named
from benchmarks.harness.encoder import loaded, save_encoder
from benchmarks.harness.searches import search_rows
from lingmix.data.tokens import Tokens
from lingmix.model.encoder import Encoder
from lingmix.model.precision import fastest_device, fastest_precision
from lingmix.model.transformer import Transformer, quiet
from lingmix.training.flops import peak_flops, training_flops

TOLERANCE = {"32-true": 1e-4, "bf16-mixed": 2e-2, "16-mixed": 5e-3}
"""Of a component of a unit vector, packed or padded."""

SAME = 1e-3
"""Between the sides in float32: of the loss, and of the gradient's norm relative to it."""

SECONDS = 540
"""A case that would end later is left out, and said to be."""

STEPS, ENOUGH = 3, 5.0
"""Steps of a case, fewer where they take that many seconds."""

WORDS = tuple("abcdefghijklmnopqrstuvwxyz")


class Shape(NamedTuple):
    name: str
    layers: int
    width: int
    heads: int
    rows: int


class Plan(NamedTuple):
    """What is measured; `peer_batch` is that of the peer, on the first shape."""

    shapes: tuple[Shape, ...]
    lengths: tuple[int, ...]
    batches: tuple[int, ...]
    peer_batch: int
    micro_batch_tokens: int
    passages: int
    dimension: int
    queries: int


ON_GPU = Plan(
    shapes=(Shape("XLM-R base", 12, 768, 12, 250_002), Shape("XLM-R large", 24, 1024, 16, 250_002)),
    lengths=(32, 128, 512),
    batches=(512, 4096, 16_384),
    peer_batch=4096,
    micro_batch_tokens=65_536,
    passages=1_000_000,
    dimension=768,
    queries=1000,
)
STAND_IN = Plan(
    shapes=(Shape("2 layers x 32", 2, 32, 2, 500), Shape("3 layers x 48", 3, 48, 2, 500)),
    lengths=(8, 16),
    batches=(16, 64),
    peer_batch=64,
    micro_batch_tokens=256,
    passages=5000,
    dimension=32,
    queries=50,
)


def compare() -> list[Row]:
    plan = ON_GPU if torch.cuda.is_available() else STAND_IN
    began = time.monotonic()
    rows = search_rows(queries=plan.queries, passages=plan.passages, dimension=plan.dimension)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for shape in plan.shapes:
        with TemporaryDirectory(dir=FOLDER) as temporary, quiet():
            folder = Path(temporary, "encoder")
            longest = max(plan.lengths)
            about = {"layers": shape.layers, "width": shape.width, "heads": shape.heads}
            save_encoder(folder, WORDS, length=longest, rows=shape.rows, **about)
            encoder = loaded(folder).to(fastest_device("auto"))
            rows += attention_rows(encoder, shape, longest)
            rows += list(training_rows(encoder, shape, plan, until=began + SECONDS))
            del encoder
            if shape == plan.shapes[0]:
                rows += list(peer_rows(folder, shape, plan))
    return rows


def attention_rows(encoder: Encoder, shape: Shape, longest: int) -> list[Row]:
    embedder, device = encoder.embedder, next(encoder.parameters()).device
    assert isinstance(embedder, Transformer)
    assert embedder.packs
    tokens = drawn(64, longest=longest, vocabulary=shape.rows, device=device, seed=1)
    rows = []
    for precision in dict.fromkeys(("32-true", fastest_precision())):
        vectors = []
        for packs in (True, False):
            embedder.packs = packs
            with torch.inference_mode(), computing(encoder, precision):
                vectors.append(encoder(tokens))
        embedder.packs = True
        apart = float((vectors[0] - vectors[1]).abs().max())
        if apart > TOLERANCE[precision]:
            raise AssertionError(
                f"{shape.name}, {precision}: packed and padded vectors differ by {apart:.2g}"
            )
        case = f"{shape.name}, {precision}: packed against padded, greatest difference"
        rows.append(Row(case=case, ours=apart, unit="of a component"))
    return rows


def training_rows(encoder: Encoder, shape: Shape, plan: Plan, *, until: float) -> Iterator[Row]:
    device, precision = next(encoder.parameters()).device, fastest_precision()
    tokens_of = plan.micro_batch_tokens
    step = our_step(encoder, micro_batch_tokens=tokens_of, precision=precision)
    peak = peak_flops(device, precision) or product_rate(device, precision)
    rate = 0.0
    for longest in plan.lengths:
        for batch in plan.batches:
            sides = batches(batch, longest=longest, shape=shape, device=device)
            lengths = torch.cat([side.lengths_B for side in sides]).tolist()
            flops = training_flops(encoder.embedder, lengths)
            case = f"{shape.name}, {precision}, up to {longest} tokens, batch {batch:,}"
            if rate and time.monotonic() + flops / rate > until:
                print(f"  left out, for want of time: {case}", flush=True)
                continue
            seconds = seconds_of(step, sides, warm_up=batch == plan.batches[0])
            encoder.zero_grad()
            rate = flops / seconds
            print(f"  {case}: {seconds:.3g} s", flush=True)
            yield Row(case=case, ours=batch / seconds, unit="pairs/s", more_is_better=True)
            yield Row(
                case=f"{case}: FLOPs of the peak",
                ours=100 * rate / peak,
                unit="%",
                more_is_better=True,
            )


def peer_rows(folder: Path, shape: Shape, plan: Plan) -> Iterator[Row]:
    device, precision = fastest_device("auto"), fastest_precision()
    encoder, model = loaded(folder).to(device), SentenceTransformer(str(folder), device=str(device))

    def steps(longest: int, precision: str) -> tuple[Step, Step]:
        tokens = plan.micro_batch_tokens
        return (
            our_step(encoder, micro_batch_tokens=tokens, precision=precision),
            peer_step(model, texts=tokens // longest, precision=precision),
        )

    sides = batches(plan.batches[0], longest=plan.lengths[0], shape=shape, device=device)
    (loss, theirs), norms = (
        [step(*sides) for step in steps(plan.lengths[0], "32-true")],
        [gradient_norm(module) for module in (encoder, model)],
    )
    if abs(loss - theirs) > SAME or abs(norms[0] / norms[1] - 1) > SAME:
        raise AssertionError(f"losses {loss} and {theirs}, gradients' norms {norms}: not the same")
    for longest in plan.lengths:
        sides = batches(plan.peer_batch, longest=longest, shape=shape, device=device)
        ours, peer = (seconds_of(step, sides, warm_up=True) for step in steps(longest, precision))
        batch = f"batch {plan.peer_batch:,}, cached loss"
        yield Row(
            case=f"{shape.name}, {precision}, up to {longest} tokens, {batch}",
            ours=plan.peer_batch / ours,
            peer=plan.peer_batch / peer,
            peer_name=named("sentence-transformers"),
            unit="pairs/s",
            more_is_better=True,
        )


def batches(
    batch: int, *, longest: int, shape: Shape, device: torch.device
) -> tuple[Tokens, Tokens]:
    queries, passages = (
        drawn(batch, longest=longest, vocabulary=shape.rows, device=device, seed=seed)
        for seed in (2, 3)
    )
    return queries, passages


def seconds_of(step: Step, sides: tuple[Tokens, Tokens], *, warm_up: bool) -> float:
    """Of a step; the loss, which is read, waits for the forward, and the gradients for the rest."""
    if warm_up:
        step(*sides)
    synchronize()
    began, steps = time.perf_counter(), 0
    while steps < STEPS and (not steps or time.perf_counter() - began < ENOUGH):
        step(*sides)
        synchronize()
        steps += 1
    return (time.perf_counter() - began) / steps


def product_rate(device: torch.device, precision: str, *, size: int = 1024) -> float:
    """FLOPs a second of a matrix product."""
    dtype = torch.float32 if precision == "32-true" else torch.bfloat16
    matrix = torch.randn(size, size, device=device).to(dtype)
    began, times = time.perf_counter(), 5
    for _ in range(times):
        matrix @ matrix
    synchronize()
    return times * 2 * size**3 / (time.perf_counter() - began)


def synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
