"""Forward and backward of a large contrastive batch in micro-batches, of token ids that are drawn:
ours, and by sentence-transformers' cached loss."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from lingmix.data.tokens import Tokens
from lingmix.model.embed import AUTOCAST
from lingmix.model.encoder import Encoder
from lingmix.training.gradient_cache import embed

TEMPERATURE = 0.05
FIRST_WORD = 4
"""Lower ids are special tokens."""

Step = Callable[[Tokens, Tokens], float]
"""Adds to the gradients and returns the loss, of queries and their passages."""


def drawn(count: int, *, longest: int, vocabulary: int, device: torch.device, seed: int) -> Tokens:
    """Texts of `longest` tokens, or of any number down to half as many."""
    random = np.random.Generator(np.random.Philox(seed))
    lengths_B = random.integers(longest // 2, longest, count, endpoint=True)
    ids_T = random.integers(FIRST_WORD, vocabulary, lengths_B.sum())
    return Tokens(torch.from_numpy(ids_T).to(device), torch.from_numpy(lengths_B).to(device))


def our_step(encoder: Encoder, *, micro_batch_tokens: int, precision: str) -> Step:
    def step(queries: Tokens, passages: Tokens) -> float:
        with computing(encoder, precision):
            queries_BD, passages_BD = (
                embed(encoder, tokens, micro_batch_tokens=micro_batch_tokens)
                for tokens in (queries, passages)
            )
        scores_BB = queries_BD @ passages_BD.T / TEMPERATURE
        loss = functional.cross_entropy(
            scores_BB, torch.arange(len(scores_BB)).to(scores_BB.device)
        )
        loss.backward()
        return loss.item()

    return step


def peer_step(model: SentenceTransformer, *, texts: int, precision: str) -> Step:
    """`texts` are those of a micro-batch, which the peer does not count in tokens."""
    cached = CachedMultipleNegativesRankingLoss(model, scale=1 / TEMPERATURE, mini_batch_size=texts)

    def step(queries: Tokens, passages: Tokens) -> float:
        # also the backward, in which it embeds again
        with computing(model, precision):
            loss = cached([_padded(queries), _padded(passages)], torch.empty(0))
            loss.backward()
        return loss.item()

    return step


@contextmanager
def computing(module: torch.nn.Module, precision: str) -> Iterator[None]:
    dtype = AUTOCAST.get(precision)
    kind = next(module.parameters()).device.type
    with torch.autocast(kind, dtype, enabled=dtype is not None):
        yield


def gradient_norm(module: torch.nn.Module) -> float:
    """Of all gradients together, which are cleared."""
    squares = [p.grad.square().sum() for p in module.parameters() if p.grad is not None]
    module.zero_grad()
    return float(torch.stack(squares).sum().sqrt())


def _padded(tokens: Tokens) -> dict[str, Tensor]:
    ids_BL = pad_sequence(
        tokens.ids_T.split(tokens.lengths_B.tolist()), batch_first=True, padding_value=1
    )
    columns_L = torch.arange(ids_BL.shape[1], device=ids_BL.device)
    mask_BL = (columns_L < tokens.lengths_B[:, None]).long()
    return {"input_ids": ids_BL, "attention_mask": mask_BL}
