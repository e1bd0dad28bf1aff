"""A model shows, when it is loaded, how texts may share a forward without changing each other."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lingmix.data.tokens import Tokens
from lingmix.errors import InputError, library_failure
from lingmix.model.micro_batches import split
from lingmix.model.packed import implementation
from lingmix.model.transformer import Transformer

PACKABLE = ("bert", "camembert", "roberta", "xlm-roberta")
"""Model types whose texts are laid end to end if they pass. Of these it is known that every layer
treats short texts and long ones alike; a window of attention would show in long ones alone."""

LENGTHS = (9, 5, 2)
"""Tokens a text: few, so that the proof takes milliseconds."""

TOLERANCE = 1e-4
"""Of a token's state, relative to its length. In float32 it moves by 1e-6 when a batch has another
shape; layers that mix texts move it by .1 and more."""

log = logging.getLogger(__name__)


def prove(transformer: Transformer, *, name: str) -> None:
    """Compares the states of a few texts alone, padded and laid end to end; sets `packs`.

    Raises InputError where texts cannot be encoded, all get the same states, or a text's states
    change with its padding: then a text has no vector of its own. Draws nothing.
    """
    with torch.no_grad(), torch.random.fork_rng(devices=[]), _evaluating(transformer.model):
        with library_failure(f"encoder.name: {name} cannot encode texts"):
            tokens = _texts(transformer)
            transformer.set_attention(on_cpu=True)
            parts = split(tokens, [1] * len(tokens.lengths_B))
            alone_TD = torch.cat([transformer.padded_states(part) for part in parts])
            padded_TD = transformer.padded_states(tokens)
        if not alone_TD.isfinite().all() or torch.equal(alone_TD, alone_TD[:1].expand_as(alone_TD)):
            raise InputError(
                f"encoder.name: {name} tells no texts apart (every token's state is "
                f"{alone_TD[0, 0]:g} ...); are its weights the trained ones?"
            )
        if (moved := _difference(padded_TD, alone_TD)) > TOLERANCE:
            raise InputError(
                f"encoder.name: {name} is a {transformer.model.config.model_type} that gives a "
                f"text other states beside a longer one (relative difference {moved:.1g}): it has "
                "no vectors of its own; choose another encoder"
            )
        transformer.packs = _packs(transformer, tokens, alone_TD, name=name)


def _packs(transformer: Transformer, tokens: Tokens, alone_TD: Tensor, *, name: str) -> bool:
    kind = transformer.model.config.model_type
    if kind not in PACKABLE:
        log.info("encoder.name: %s is a %s: its texts are padded, not laid end to end", name, kind)
        return False
    try:
        transformer.model.set_attn_implementation(implementation("eager"))
        moved = _difference(transformer.packed_states(tokens, "eager"), alone_TD)
    except Exception as error:  # a model with code of its own: padded, it has just computed
        log.warning("encoder.name: %s: texts are padded, not laid end to end (%s)", name, error)
        return False
    if moved <= TOLERANCE:
        return True
    log.warning(
        "encoder.name: %s: texts are padded, for laid end to end they change each other "
        "(relative difference %.1g)",
        name,
        moved,
    )
    return False


def refuse_unfit_weights(encoder: nn.Module, *, name: str) -> None:
    """Raises InputError for weights that are not finite, or all zero."""
    empty = True
    for key, weight in encoder.named_parameters():
        if not weight.detach().sum().isfinite():
            raise InputError(f"encoder.name: {name} has weights that are not finite, in {key}")
        empty = empty and not weight.any()
    if empty:
        raise InputError(f"encoder.name: {name} has weights that are all zero")


def _texts(transformer: Transformer) -> Tokens:
    """Texts of ids spread over the vocabulary, the longest first; none is the padding's."""
    longest = transformer.positions or max(LENGTHS)
    lengths_B = torch.tensor([min(length, longest) for length in LENGTHS])
    vocabulary = transformer.vocabulary
    ids_T = (torch.arange(int(lengths_B.sum())) * 7919 + 11) % vocabulary
    ids_T[ids_T == transformer.padding] += 1 if transformer.padding + 1 < vocabulary else -1
    return Tokens(ids_T, lengths_B)


def _difference(states_TD: Tensor, expected_TD: Tensor) -> float:
    return float(((states_TD - expected_TD).norm(dim=-1) / expected_TD.norm(dim=-1)).max())


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
