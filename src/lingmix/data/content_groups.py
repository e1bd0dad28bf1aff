"""Which texts of the training data say the same, and which passages are known to answer a query."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lingmix.data.items import Item, Texts
from lingmix.data.text import folded

Numbers = NDArray[np.int64]


class ContentGroups:
    """The groups of Q queries and P passages; texts of one group say the same.

    Texts are of one group that are equal `folded`, that are passages of one item, or that are the
    queries of an item that has one a language (translations; several are different questions),
    and so are texts that a chain of such texts links.

    A passage is known to answer a query if it is of the query's group, or of the group of an item's
    passages where one of the item's queries is of the query's group. Answers are not chained: two
    passages that answer one query need not be of one group. Every other passage is a negative.
    """

    def __init__(
        self, *, query_Q: Numbers, passage_P: Numbers, form_P: Numbers, answers_E2: Numbers
    ) -> None:
        """`form_P` numbers the passages' folded texts. `answers_E2` holds a group of queries and a
        group of passages that answer them, E times."""
        self.query_Q = query_Q
        self.passage_P = passage_P
        self.form_P = form_P
        self._size = 1 + max(int(one.max(initial=-1)) for one in (query_Q, passage_P, answers_E2))
        asked = np.unique(np.concatenate([query_Q, answers_E2[:, 0]]))
        self._answers_A = np.unique(
            np.concatenate([asked * self._size + asked, answers_E2 @ np.array([self._size, 1])])
        )

    def known_answers(self, query_N: Numbers, passage_N: Numbers) -> NDArray[np.bool_]:
        """Whether each passage is known to answer the query; both are positions, broadcast."""
        wanted_N = self.query_Q[query_N] * self._size + self.passage_P[passage_N]
        place_N = np.searchsorted(self._answers_A, wanted_N)
        return self._answers_A[np.minimum(place_N, len(self._answers_A) - 1)] == wanted_N

    def false_negatives(self, query_B: Numbers, passage_P: Numbers) -> Numbers:
        """`cells_E2`: each place in `query_B` with each place in `passage_P` (both hold positions)
        whose passage is known to answer the query, but for the query's own place."""
        group_U, distinct_B = np.unique(self.query_Q[query_B], return_inverse=True)
        of_answer_A, place_A = _spans(
            np.searchsorted(self._answers_A, group_U * self._size),
            np.searchsorted(self._answers_A, (group_U + 1) * self._size),
        )
        answer_A = self._answers_A[place_A] % self._size
        order_P = np.argsort(self.passage_P[passage_P], kind="stable")
        sorted_P = self.passage_P[passage_P][order_P]
        of_cell_C, place_C = _spans(
            np.searchsorted(sorted_P, answer_A), np.searchsorted(sorted_P, answer_A, side="right")
        )
        distinct_C, column_C = of_answer_A[of_cell_C], order_P[place_C]
        row_E, place_E = _spans(
            np.searchsorted(distinct_C, distinct_B),
            np.searchsorted(distinct_C, distinct_B, side="right"),
        )
        cells_E2 = np.stack([row_E, column_C[place_E]], axis=1)
        return cells_E2[cells_E2[:, 0] != cells_E2[:, 1]]


def content_groups(
    items: Sequence[Item], *, queries: Sequence[str], passages: Sequence[str]
) -> ContentGroups:
    """The groups of `queries` and `passages` by all texts of `items`, in all their languages."""
    forms = _Forms()
    form_Q, form_P = (_numbers(map(forms.__getitem__, texts)) for texts in (queries, passages))
    asked_E2, given_E2 = (
        _numbers(chain.from_iterable(_forms_of(fields, forms))).reshape(-1, 2)
        for fields in ([item.queries for item in items], [item.passages for item in items])
    )
    translated_I = np.array([_is_translated(item) for item in items], dtype=np.bool_)
    linked_E2 = np.concatenate(
        [given_E2, asked_E2[translated_I[asked_E2[:, 0]]] + np.array([len(items), 0])]
    )
    nodes = 2 * len(items) + len(forms)
    group_N = linked(linked_E2 + np.array([0, 2 * len(items)]), nodes=nodes)
    group_I, _, group_F = np.split(group_N, [len(items), 2 * len(items)])
    return ContentGroups(
        query_Q=group_F[form_Q],
        passage_P=group_F[form_P],
        form_P=form_P,
        answers_E2=np.stack([group_F[asked_E2[:, 1]], group_I[asked_E2[:, 0]]], axis=1),
    )


def linked(edges_E2: Numbers, *, nodes: int) -> Numbers:
    """The number of the component that each node of an undirected graph is in."""
    edges = (np.ones(len(edges_E2)), (edges_E2[:, 0], edges_E2[:, 1]))
    graph = coo_array(edges, shape=(nodes, nodes))
    return connected_components(graph, directed=False)[1].astype(np.int64)


class _Forms(dict[str, int]):
    """Numbers texts, those that are equal folded alike; a digest of each form is kept, as the forms
    themselves are as long as the texts."""

    def __init__(self) -> None:
        super().__init__()
        self._digests: dict[bytes, int] = {}

    def __missing__(self, text: str) -> int:
        form = (folded(text) or text).encode(errors="surrogatepass")
        digest = blake2b(form, digest_size=16).digest()
        number = self[text] = self._digests.setdefault(digest, len(self._digests))
        return number


def _forms_of(fields: Sequence[Texts], forms: _Forms) -> Iterator[tuple[int, int]]:
    for number, field in enumerate(fields):
        for text in chain.from_iterable(field.values()):
            yield number, forms[text]


def _is_translated(item: Item) -> bool:
    return all(len(texts) == 1 for texts in item.queries.values())


def _numbers(values: Iterator[int]) -> Numbers:
    return np.fromiter(values, dtype=np.int64)


def _spans(begin_S: Numbers, end_S: Numbers) -> tuple[Numbers, Numbers]:
    """All numbers of S ranges, one range after the other, and the range that each is of."""
    count_S = end_S - begin_S
    range_N = np.arange(len(count_S)).repeat(count_S)
    return range_N, np.arange(len(range_N)) + (begin_S - count_S.cumsum() + count_S)[range_N]
