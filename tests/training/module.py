"""Small trainings, on one device or on several, whose every step is kept.

In float64 up to the embeddings, so that what differs by more than 1e-6 is no rounding.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch.distributed.tensor import DTensor

from lingmix.data.datamodule import HybridDataModule
from lingmix.data.items import Item
from lingmix.data.schedule import HybridSchedule
from lingmix.data.tokens import Tokens
from lingmix.evaluation.validation import RetrievalScores
from lingmix.model.encoder import load_encoder
from lingmix.model.transformer import Transformer
from lingmix.training.loss import InfoNCE
from lingmix.training.module import DualEncoder
from lingmix.training.row_adam import RowAdamW
from tests.columns import training_pairs
from tests.evaluation.made import parallel_set
from tests.model.conftest import SCRATCH, SETTINGS


def words(n: int, language: str) -> str:
    return " ".join(f"{language}{n * 7 % 11}{k * n % 5}" for k in range(1 + n * n % 13))


ITEMS = [
    Item(
        f"item{n}",
        "",
        {of: (f"query {words(n, of)}",) for of in ("en", "de")},
        {of: (f"passage {words(n + 3, of)}",) for of in (("en", "de") if n % 5 else ("en", "fr"))},
        {of: (f"wrong {words(n + 5, of)}", f"other {n}") for of in ("en", "de")},
    )
    for n in range(25)
]
"""Pairs with French are few: their batches are short."""
POOLING = {"tiny": "cls", "rows": "cls", "adamw": "cls", "static": None, "sparse": None}
"""A mean is summed in float32."""
DEVELOPMENT = parallel_set(items=7, languages=("de", "en", "th"))


def encoder_of(kind: str, cache: Path, *, dropout: float = 0.0):
    name = "static" if POOLING[kind] is None else "tiny"
    changes = {"dropout": dropout} if name == "tiny" else {"sparse": kind == "sparse"}
    texts = [t for item in ITEMS for texts in item.passages.values() for t in texts]
    named = {"name": name, "cache": cache / "cache"}
    rest = {"compile": False, "lora": None, "texts": texts, "pooling": POOLING[kind]}
    return load_encoder(**(SETTINGS | named | rest | {"scratch": SCRATCH[name] | changes}))


def datamodule_of(
    encoder, cache: Path, *, alpha=0.5, batch_size=7, max_steps=3, development=DEVELOPMENT
):
    pairs = training_pairs(ITEMS, languages=None, pairs="all", expand_pairs=False)
    schedule = HybridSchedule(
        pairs, alpha=alpha, alpha_end=None, alpha_schedule="constant", steps=max_steps,
        batch_size=batch_size, size_exponent=0, homogeneous=True, min_size=1, seed=5,
    )  # fmt: skip
    return HybridDataModule(
        pairs=pairs, schedule=schedule, negatives=1, seed=1, tokenize=encoder.tokenize,
        tokenizer=encoder.tokenizer_fingerprint, cache=cache / "tokens", max_steps=max_steps,
        development=development,
    )  # fmt: skip


def loss_of(directions: str = "both") -> InfoNCE:
    return InfoNCE(
        temperature=0.2, directions=directions, margin=0.0, dimensions=None,
        mask_false_negatives=True,
    )  # fmt: skip


def optimizer_of(parameters, *, max_steps, kind):
    if kind == "sparse":
        return torch.optim.SparseAdam(list(parameters), lr=1e-3)
    if kind in ("rows", "adamw"):
        build = RowAdamW if kind == "rows" else torch.optim.AdamW
        settings = {"lr": 1e-3, "betas": (0.9, 0.999), "weight_decay": 0.0}
        return {"optimizer": build(parameters, **settings)}
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def whole(gradient: torch.Tensor) -> torch.Tensor:
    return gradient.full_tensor() if isinstance(gradient, DTensor) else gradient.to_dense()


class Steps(pl.Callback):
    """What each step was made of and led to."""

    def __init__(self) -> None:
        self.pairs, self.own, self.losses, self.gradients, self.scores = [], [], [], [], {}

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.pairs.append(batch.pair_B.tolist())
        both = (batch.queries, batch.passages)
        self.own.append(tuple(texts.tokens.lengths_B[texts.place_B].tolist() for texts in both))

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        gradients = [(name, one.grad) for name, one in pl_module.named_parameters()]
        self.gradients.append({n: whole(g).clone() for n, g in gradients if g is not None})

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.losses.append(outputs["loss"].item() * trainer.accumulate_grad_batches)

    def on_validation_end(self, trainer, pl_module):
        self.scores = {
            name: value.item()
            for name, value in trainer.callback_metrics.items()
            if name.startswith("val/")
        }


def trained(
    folder: Path,
    *,
    kind: str = "tiny",
    alpha: float = 0.5,
    batch_size: int = 7,
    max_steps: int = 3,
    micro_batch_tokens: int | None = None,
    dropout: float = 0.0,
    clip: float | None = None,
    development_items: int = 7,
    **trainer_settings: Any,
) -> dict[str, Any]:
    encoder = encoder_of(kind, folder, dropout=dropout)
    development = parallel_set(items=development_items, languages=("de", "en", "th"))
    module = DualEncoder(
        encoder=encoder,
        loss=loss_of(),
        optimizer=partial(optimizer_of, kind=kind),
        max_steps=max_steps,
        development=RetrievalScores(development, depth=None, temperature=0.2, seed=0),
        micro_batch_tokens=micro_batch_tokens,
    )
    steps = Steps()
    accumulated = trainer_settings.get("accumulate_grad_batches", 1)
    trainer = pl.Trainer(
        **{"devices": 1, "callbacks": [steps]} | trainer_settings,
        accelerator="cpu",
        precision="64-true",
        max_steps=max_steps,
        gradient_clip_val=clip,
        val_check_interval=max_steps * accumulated,
        check_val_every_n_epoch=None,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    data = datamodule_of(
        encoder,
        folder,
        alpha=alpha,
        batch_size=batch_size,
        max_steps=max_steps,
        development=development,
    )
    trainer.fit(module, data)
    return {
        "pairs": steps.pairs,
        "own": steps.own,
        "losses": steps.losses,
        "gradients": steps.gradients,
        "scores": steps.scores,
        "weights": dict(module.encoder.state_dict()),
    }


def one_by_one(transformer: Transformer, tokens: Tokens, forward=Transformer.forward):
    """A call of the model for each text."""
    texts = zip(tokens.ids_T.split(tokens.lengths_B.tolist()), tokens.lengths_B, strict=True)
    return torch.cat([forward(transformer, Tokens(ids, one[None])) for ids, one in texts])


def on_ranks(rank: int, ranks: int, port: int, folder: str, cases: dict[str, dict]) -> None:
    """One process as torchrun would start it: all cases, one after the other."""
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo",
        "LOCAL_RANK": str(rank), "NODE_RANK": "0", "WORLD_SIZE": str(ranks),
    }  # fmt: skip
    torch.set_num_threads(1)
    if rank % 2:  # ranks differ in how often they call the model
        Transformer.forward = one_by_one
    for name, case in cases.items():
        result = trained(Path(folder), **case, devices=ranks)
        torch.save(result, Path(folder) / f"{name}-{rank}.pt")
