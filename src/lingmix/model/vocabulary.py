"""A vocabulary without the pieces that no text of a study uses: a smaller model, equal vectors.

Pieces of a Unigram tokenizer (XLM-R's, E5's) alone are left out: a text is split into the same
pieces as before if those of its split are kept, with the single characters of which they consist
and the worst piece, by which the cost of an unknown character is reckoned. Source of the costs:
arXiv 1804.10959.
"""

import json
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn

from lingmix.data.file_cache import keep
from lingmix.data.tokens import AT_ONCE, Role
from lingmix.errors import InputError
from lingmix.model.encoder import Encoder
from lingmix.model.tokenizer import RoleTokenizer
from lingmix.model.transformer import Transformer
from lingmix.model.unigram import BYTES

Ids = NDArray[np.int64]


def keep_ids_in_use(
    encoder: Encoder,
    texts: Iterable[tuple[Role, Sequence[str]]],
    *,
    digest: str,
    folder: Path,
    key: str = "encoder.vocabulary",
) -> Ids:
    """The ids to keep, ascending, found once for a tokenizer and texts (their digest).

    Raises InputError, which names the setting `key`, for pieces that cannot be left out.
    """
    tokenizer = encoder.tokenizer
    _refuse_others(encoder, key)
    folder.mkdir(parents=True, exist_ok=True)
    name = blake2b(f"{tokenizer.fingerprint}:{digest}".encode(), digest_size=20).hexdigest()

    def write(file: BinaryIO) -> None:
        np.save(file, ids_in_use(tokenizer, texts))

    return keep(folder / f"{name}.npy", read=np.load, write=write)


def _refuse_others(encoder: Encoder, key: str) -> None:
    kind = type(encoder.tokenizer.tokenizer.model).__name__
    if not isinstance(encoder.embedder, Transformer) or kind != "Unigram":
        raise InputError(
            f"{key}: used is for transformers with a Unigram tokenizer, such as XLM-R and E5, got "
            f"{kind} pieces; keep all of them"
        )


def ids_in_use(tokenizer: RoleTokenizer, texts: Iterable[tuple[Role, Sequence[str]]]) -> Ids:
    """Of whole texts, which are split before they are cut to a length."""
    state = json.loads(tokenizer.tokenizer.to_str())
    pieces = [piece for piece, _ in state["model"]["vocab"]]
    scores = [score for _, score in state["model"]["vocab"]]
    size = tokenizer.tokenizer.get_vocab_size(with_added_tokens=True)
    used_V = np.zeros(size, dtype=bool)
    for role, some in texts:
        for begin in range(0, len(some), AT_ONCE):
            for ids in tokenizer.whole_ids(some[begin : begin + AT_ONCE], role):
                used_V[ids] = True
    characters = {c for piece, used in zip(pieces, used_V, strict=False) if used for c in piece}
    single = [n for n, piece in enumerate(pieces) if piece in characters]
    special = [token["id"] for token in state["added_tokens"]]
    if state["model"].get("byte_fallback"):
        special += [n for n, piece in enumerate(pieces) if piece in BYTES]
    used_V[[*single, *special, state["model"]["unk_id"], int(np.argmin(scores))]] = True
    return np.flatnonzero(used_V)


def with_vocabulary(encoder: Encoder, id_K: Ids) -> Encoder:
    """Returns the encoder with the pieces of these ids alone; the one given is used up.

    Raises InputError where padding would get another id, by which RoBERTa numbers positions.
    """
    embedder: Any = encoder.embedder
    table = embedder.model.get_input_embeddings()
    padding = embedder.model.config.pad_token_id
    if padding is not None and int(np.searchsorted(id_K, padding)) != padding:
        raise InputError("encoder.vocabulary: padding does not come first; set it to all")
    smaller = nn.Embedding.from_pretrained(
        table.weight.detach()[torch.from_numpy(id_K)], freeze=False, padding_idx=table.padding_idx
    )
    return _with_table(encoder, smaller, smaller_tokenizer(encoder.tokenizer.tokenizer, id_K))


def ids_of_pieces(smaller: Tokenizer, *, whole: Tokenizer) -> Ids:
    """Returns the ids that the pieces of a smaller tokenizer have in the one it was made of.

    Raises InputError where it was made of another one.
    """
    pieces = smaller.get_vocab()
    ids = [whole.token_to_id(piece) for piece in sorted(pieces, key=pieces.__getitem__)]
    known = np.array([-1 if piece is None else piece for piece in ids], np.int64)
    ascending = (np.diff(known, prepend=-1) > 0).all()
    try:
        fits = ascending and smaller_tokenizer(whole, known).to_str() == smaller.to_str()
    except KeyError:  # a special token that `smaller` lacks
        fits = False
    if not fits:
        raise InputError(
            "vocabulary: the encoder that the run began with now has other pieces than then; leave "
            "it null, or set back what encoder.name of the run names"
        )
    return known


def restored(encoder: Encoder, id_K: Ids, *, whole: Encoder) -> Encoder:
    """Returns `whole`, as it was before the training, with the weights of the trained encoder; the
    pieces that were left out keep their embeddings."""
    trained = dict(encoder.state_dict())
    name = next(
        name
        for name, weight in whole.named_parameters()
        if weight is whole.embedder.model.get_input_embeddings().weight  # type: ignore[attr-defined]
    )
    table_VD = whole.state_dict()[name].clone()
    table_VD[torch.from_numpy(id_K)] = trained[name].to(table_VD)
    whole.load_state_dict(trained | {name: table_VD})
    return whole


def _with_table(encoder: Encoder, table: nn.Embedding, tokenizer: Tokenizer) -> Encoder:
    embedder: Any = encoder.embedder
    embedder.model.set_input_embeddings(table)
    embedder.model.config.vocab_size = table.num_embeddings
    embedder.tokenizer._tokenizer = tokenizer
    return encoder.with_tokenizer(tokenizer)


def smaller_tokenizer(tokenizer: Tokenizer, id_K: Ids) -> Tokenizer:
    """Returns one with the pieces of these ids alone, numbered from 0 in their order."""
    state = json.loads(tokenizer.to_str())
    new = {old: n for n, old in enumerate(id_K.tolist())}
    model = state["model"]
    model["vocab"] = [row for old, row in enumerate(model["vocab"]) if old in new]
    model["unk_id"] = new[model["unk_id"]]
    for token in state["added_tokens"]:
        token["id"] = new[token["id"]]
    _renumber(state["post_processor"], new)
    return Tokenizer.from_str(json.dumps(state))


def _renumber(processor: Any, new: dict[int, int]) -> None:
    """In the processors that add special tokens, which name them with their ids."""
    if not isinstance(processor, dict):
        return
    for part in processor.get("processors", ()):
        _renumber(part, new)
    for token in processor.get("special_tokens", {}).values():
        token["ids"] = [new[old] for old in token["ids"]]
    for key in ("cls", "sep"):
        if key in processor:
            processor[key] = [processor[key][0], new[processor[key][1]]]
