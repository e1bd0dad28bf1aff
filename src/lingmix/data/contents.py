"""Which passages cannot be wrong for a query, as far as the training data tell."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, count

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from lingmix.data.items import Item
from lingmix.data.text import folded

Numbers = NDArray[np.int64]


class Contents:
    """What each of P passages says, texts that are equal `folded` being one text.

    `form_P` numbers the texts. `content_P` numbers what they say: passages of one item say the
    same, and so do all passages of items that share one. A passage of no item is a content of its
    own.
    """

    def __init__(self, form_P: Numbers, content_P: Numbers, texts_CT: csr_array) -> None:
        self.form_P = form_P
        self.content_P = content_P
        self._texts_CT = texts_CT
        self._sharing_C = np.diff(texts_CT.indptr) > 0

    def share_a_text(self, content_N: Numbers, other_N: Numbers) -> NDArray[np.bool_]:
        """Whether a query of the one is a query or a passage of the other."""
        shared_N = self._sharing_C[content_N] & self._sharing_C[other_N]
        some = np.flatnonzero(shared_N)
        both_ST = self._texts_CT[content_N[some]].multiply(self._texts_CT[other_N[some]])
        shared_N[some] = both_ST.sum(axis=1) > 0
        return shared_N


def contents_of(items: Sequence[Item], passages: Sequence[str]) -> Contents:
    """Of `passages`, by all texts of the items in all their languages."""
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    form_P = np.array([numbers[_form(text)] for text in passages], dtype=np.int64)
    held_E2, asked_E2 = (
        np.array(
            [
                (number, numbers[_form(text)])
                for number, item in enumerate(items)
                for text in chain.from_iterable(getattr(item, field).values())
            ],
            dtype=np.int64,
        ).reshape(-1, 2)
        for field in ("passages", "queries")
    )
    size = len(items) + len(numbers)
    edges = coo_array(
        (np.ones(len(held_E2)), (held_E2[:, 0], held_E2[:, 1] + len(items))), shape=(size, size)
    )
    contents, content_of = connected_components(edges, directed=False)
    content_I, content_F = np.split(content_of.astype(np.int64), [len(items)])
    passage_forms = np.unique(np.concatenate([form_P, held_E2[:, 1]]))
    texts_E2 = np.unique(
        np.concatenate(
            [
                np.stack([content_I[asked_E2[:, 0]], asked_E2[:, 1]], axis=1),
                np.stack([content_F[passage_forms], passage_forms], axis=1),
            ]
        ),
        axis=0,
    )
    return Contents(form_P, content_F[form_P], _of_several(texts_E2, contents))


def _form(text: str) -> str:
    return folded(text) or text


def _of_several(texts_E2: Numbers, contents: int) -> csr_array:
    """The texts that several contents have, as a column each."""
    _, column_E, count_E = np.unique(texts_E2[:, 1], return_inverse=True, return_counts=True)
    kept = count_E[column_E] > 1
    _, column_K = np.unique(column_E[kept], return_inverse=True)
    shape = (contents, int(column_K.max(initial=-1)) + 1)
    ones = np.ones(len(column_K), dtype=np.int32)
    return csr_array((ones, (texts_E2[kept, 0], column_K)), shape=shape)
