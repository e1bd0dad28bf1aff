"""Which texts of the training data say the same, and which passages are known to answer a query."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Numbers = NDArray[np.int64]
Texts = NDArray[np.integer]


class ContentGroups:
    """The groups of T texts, queries as well as passages; texts of one group say the same.

    Texts are of one group that are equal `folded`, that are passages of one item, or that are the
    queries of an item that has one a language (translations; several are different questions),
    and so are texts that a chain of such texts links.

    A passage is known to answer a query if it is of the query's group, or of the group of an item's
    passages where one of the item's queries is of the query's group. Answers are not chained: two
    passages that answer one query need not be of one group. Every other passage is a negative.
    """

    def __init__(
        self,
        group_T: NDArray[np.int32],
        *,
        form_T: NDArray[np.int32],
        answers_A: Numbers,
        groups: int,
    ) -> None:
        """`form_T` numbers the folded texts. `answers_A`, sorted, has a query's group * `groups` +
        another group that answers it."""
        self.group_T = group_T
        self.form_T = form_T
        self._answers_A, self._groups = answers_A, groups

    def known_answers(self, query_N: Texts, passage_N: Texts) -> NDArray[np.bool_]:
        """Whether each passage is known to answer the query; both are texts, broadcast."""
        asked_N = self.group_T[query_N].astype(np.int64)
        given_N = self.group_T[passage_N]
        wanted_N = asked_N * self._groups + given_N
        if not len(self._answers_A):
            return asked_N == given_N
        place_N = np.searchsorted(self._answers_A, wanted_N)
        found_N = self._answers_A[np.minimum(place_N, len(self._answers_A) - 1)] == wanted_N
        return found_N | (asked_N == given_N)

    def false_negatives(self, query_B: Texts, passage_P: Texts) -> Numbers:
        """`cells_E2`: each place in `query_B` with each place in `passage_P` (both hold texts)
        whose passage is known to answer the query, but for the query's own place."""
        group_U, distinct_B = np.unique(self.group_T[query_B].astype(np.int64), return_inverse=True)
        of_answer_A, answer_A = self._answers(group_U)
        given_P = self.group_T[passage_P]
        order_P = np.argsort(given_P, kind="stable")
        sorted_P = given_P[order_P]
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

    def _answers(self, group_U: Numbers) -> tuple[Numbers, Numbers]:
        """The groups that answer each group of queries, itself among them: places in `group_U`,
        ascending, and groups."""
        of_answer_A, place_A = _spans(
            np.searchsorted(self._answers_A, group_U * self._groups),
            np.searchsorted(self._answers_A, (group_U + 1) * self._groups),
        )
        of_answer_A = np.concatenate([np.arange(len(group_U)), of_answer_A])
        answer_A = np.concatenate([group_U, self._answers_A[place_A] % self._groups])
        order_A = np.argsort(of_answer_A, kind="stable")
        return of_answer_A[order_A], answer_A[order_A]


def linked(edges_E2: Numbers, *, nodes: int) -> Numbers:
    """The number of the component that each node of an undirected graph is in."""
    edges = (np.ones(len(edges_E2)), (edges_E2[:, 0], edges_E2[:, 1]))
    graph = coo_array(edges, shape=(nodes, nodes))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _spans(begin_S: Numbers, end_S: Numbers) -> tuple[Numbers, Numbers]:
    """All numbers of S ranges, one range after the other, and the range that each is of."""
    count_S = end_S - begin_S
    range_N = np.arange(len(count_S)).repeat(count_S)
    return range_N, np.arange(len(range_N)) + (begin_S - count_S.cumsum() + count_S)[range_N]
