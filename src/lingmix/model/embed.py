"""Embeds many texts: batches of like lengths, longest first, results in the order given."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lingmix.data.tokens import Role, Tokens
from lingmix.errors import InputError
from lingmix.model.embedding_shards import ShardedEmbeddings
from lingmix.model.embedding_store import EmbeddingStore, Keys, VectorStore, first_of_each, keys_of
from lingmix.model.encoder import Encoder
from lingmix.model.evaluation_mode import evaluation_mode
from lingmix.progress import with_progress
from lingmix.search.vectors import Vectors

AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
"""The autocast type by Lightning's name of the precision; any other precision is float32."""

BATCH_TOKENS = 16_384

Asked = Iterable[tuple[Sequence[str], Role]]
"""Texts to be encoded, and the role of each lot."""


class CachedEncoder:
    """An encoder that looks vectors up in a store before it computes them.

    `encoded` counts the texts that were computed, `cached` those that were found.
    """

    def __init__(self, encoder: Encoder, *, name: str, precision: str, store: VectorStore) -> None:
        self._encoder = encoder
        self._name = name
        self._precision = precision
        self._store = store
        self.encoded = 0
        self.cached = 0

    def __call__(self, texts: Sequence[str], role: Role) -> Vectors:
        """Raises InputError where a vector is not finite."""
        keys_N2 = self._keys(texts, role)
        self._encode_missing(texts, role, keys_N2)
        return self._store.vectors(keys_N2)

    def require_space(self, asked: Asked) -> None:
        """Raises InputError where the store has no room for the vectors of all these texts."""
        keys_N2 = np.concatenate([self._keys(texts, role) for texts, role in asked])
        self._store.require_space(keys_N2[first_of_each(keys_N2)])

    def _keys(self, texts: Sequence[str], role: Role) -> Keys:
        return keys_of(self._encoder.cache_keys(texts, role))

    def _encode_missing(self, texts: Sequence[str], role: Role, keys_N2: Keys) -> None:
        first_U = first_of_each(keys_N2)
        self.cached += len(first_U)
        for missing in self._store.missing(keys_N2[first_U]):
            slab = first_U[missing]
            self.encoded += len(slab)
            self.cached -= len(slab)
            vectors_ND = encode_texts(
                self._encoder,
                [texts[text] for text in slab],
                role,
                batch_tokens=BATCH_TOKENS,
                precision=self._precision,
            )
            bad = np.flatnonzero(~np.isfinite(vectors_ND).all(1))
            if len(bad):
                raise InputError(
                    f"encoder {self._name}: the vector of {role} {texts[slab[bad[0]]]!r:.80} is "
                    "not finite: has it diverged? lower the learning rate, or evaluate another "
                    "checkpoint"
                )
            self._store.add(keys_N2[slab], vectors_ND)


def cached_encoder(
    encoder: Encoder, *, name: str, precision: str, folder: Path | None
) -> CachedEncoder:
    """Stores vectors in a subfolder of `folder` for each model and precision; None: in memory."""
    fingerprint = f"{encoder.fingerprint()}-{precision}"
    dimension = encoder.dimension
    store: VectorStore = (
        EmbeddingStore(dimension)
        if folder is None
        else ShardedEmbeddings(
            folder / fingerprint, name=name, fingerprint=fingerprint, dimension=dimension
        )
    )
    return CachedEncoder(encoder, name=name, precision=precision, store=store)


def encode_texts(
    encoder: Encoder,
    texts: Sequence[str],
    role: Role,
    *,
    batch_tokens: int,
    precision: str,
) -> NDArray[np.float32]:
    """Returns one unit vector a text, zero where a text is empty, computed on the encoder's device
    in batches of about `batch_tokens` tokens."""
    vectors_ND = np.zeros((len(texts), encoder.dimension), dtype=np.float32)
    ids_T, starts_N = _tokenized(encoder, texts, role)
    lengths_N = np.diff(starts_N)
    device = next(encoder.parameters()).device
    dtype = AUTOCAST.get(precision)
    autocast = torch.autocast(device.type, dtype, enabled=bool(dtype))
    with evaluation_mode(encoder), torch.inference_mode(), autocast:
        batches = list(_batches(lengths_N, batch_tokens))
        for rows_B in with_progress(
            batches,
            f"Encoding {len(texts):,} texts",
            total=int(lengths_N.sum()),
            size=lambda rows_B: int(lengths_N[rows_B].sum()),
        ):
            parts = [ids_T[starts_N[row] : starts_N[row + 1]] for row in rows_B]
            tokens = Tokens(
                torch.from_numpy(np.concatenate(parts, dtype=np.int64)).to(device),
                torch.from_numpy(lengths_N[rows_B]).to(device),
            )
            vectors_ND[rows_B] = encoder(tokens).cpu().numpy()
    return vectors_ND


def _tokenized(
    encoder: Encoder, texts: Sequence[str], role: Role
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Text n has the ids `ids_T[starts[n] : starts[n + 1]]`."""
    ids = encoder.tokenize(texts, role)
    lengths_N = np.fromiter(map(len, ids), np.int64, count=len(ids))
    ids_T = np.fromiter(chain.from_iterable(ids), np.int32, count=lengths_N.sum())
    return ids_T, np.concatenate([[0], lengths_N.cumsum()])


def _batches(lengths_N: NDArray[np.int64], batch_tokens: int) -> Iterator[NDArray[np.int64]]:
    """Cuts the rows, longest text first, wherever another `batch_tokens` tokens are full."""
    order_N = np.argsort(-lengths_N, kind="stable")
    if not len(order_N):
        return
    batch_N = lengths_N[order_N].cumsum() // batch_tokens
    yield from np.split(order_N, np.flatnonzero(np.diff(batch_N)) + 1)
