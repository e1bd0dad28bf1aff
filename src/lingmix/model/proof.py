"""Checks, when a model is loaded, whether texts of one batch leave each other's states alone."""

import logging

import torch
from torch import Tensor, nn

from lingmix.data.tokens import Tokens
from lingmix.errors import InputError, library_failure
from lingmix.model.evaluation_mode import evaluation_mode
from lingmix.model.fused_layers import fuse_layers
from lingmix.model.micro_batches import split
from lingmix.model.packed import implementation
from lingmix.model.transformer import Transformer

PACKABLE = ("bert", "camembert", "roberta", "xlm-roberta")
"""Model types whose texts are packed if they pass. Their layers are known to treat short and long
texts alike; a window of attention would show only in texts longer than those tried here."""

LENGTHS = (9, 5, 2)
"""Tokens a text: few, so that the check takes milliseconds."""

TOLERANCE = 1e-4
"""The largest change of a token's state, relative to its norm. In float32 a batch of another shape
changes it by 1e-6, layers that mix texts by 0.1 and more."""

log = logging.getLogger(__name__)


def prove(transformer: Transformer, *, name: str) -> None:
    """Compares the states of a few texts encoded one by one, padded and packed; sets `packs`.

    Raises InputError where texts cannot be encoded, all get the same states, or a text's states
    depend on the texts beside it. Leaves the random state as it was.
    """
    with torch.no_grad(), torch.random.fork_rng(devices=[]), evaluation_mode(transformer.model):
        with library_failure(f"encoder.name: {name} cannot encode texts"):
            tokens = _texts(transformer)
            transformer.set_attention(on_cpu=True)
            parts = split(tokens, [1] * len(tokens.lengths_B))
            expected_TD = torch.cat([transformer.padded_states(part) for part in parts])
            padded_TD = transformer.padded_states(tokens)
        all_equal = torch.equal(expected_TD, expected_TD[:1].expand_as(expected_TD))
        if all_equal or not expected_TD.isfinite().all():
            raise InputError(
                f"encoder.name: {name} gives all texts the same states (every token's is "
                f"{expected_TD[0, 0]:g} ...); are its weights the trained ones?"
            )
        if (difference := _difference(padded_TD, expected_TD)) > TOLERANCE:
            raise InputError(
                f"encoder.name: {name} is a {transformer.model.config.model_type} that gives a "
                f"text other states beside a longer one (relative difference {difference:.1g}): "
                "its vectors would depend on the batch; choose another encoder"
            )
        transformer.packs = _packs(transformer, tokens, expected_TD, name=name)


def _packs(transformer: Transformer, tokens: Tokens, expected_TD: Tensor, *, name: str) -> bool:
    kind = transformer.model.config.model_type
    if kind not in PACKABLE:
        log.info("encoder.name: %s is a %s: its texts are padded, not packed", name, kind)
        return False
    try:
        fuse_layers(transformer.model)
        transformer.model.set_attn_implementation(implementation("eager"))
        difference = _difference(transformer.packed_states(tokens, "eager"), expected_TD)
    except Exception as error:  # remote code may fail anyhow; padded, it has just computed
        log.warning("encoder.name: %s: texts are padded, not packed (%s)", name, error)
        return False
    if difference <= TOLERANCE:
        return True
    log.warning(
        "encoder.name: %s: texts are padded, not packed: packed they change each other's "
        "states (relative difference %.1g)",
        name,
        difference,
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
    """Makes texts of ids spread over the vocabulary, the longest first, without padding tokens."""
    longest = transformer.positions or max(LENGTHS)
    lengths_B = torch.tensor([min(length, longest) for length in LENGTHS])
    vocabulary = transformer.vocabulary
    ids_T = (torch.arange(int(lengths_B.sum())) * 7919 + 11) % vocabulary
    ids_T[ids_T == transformer.padding] += 1 if transformer.padding + 1 < vocabulary else -1
    return Tokens(ids_T, lengths_B)


def _difference(states_TD: Tensor, expected_TD: Tensor) -> float:
    return float(((states_TD - expected_TD).norm(dim=-1) / expected_TD.norm(dim=-1)).max())
