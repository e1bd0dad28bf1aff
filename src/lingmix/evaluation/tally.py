"""Counts what ranks and first places need in a chunk's scores, a block of columns at a time."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lingmix.evaluation.entropy import Negatives
from lingmix.evaluation.pools import LISTED, Chunk, Matrix, Pool, Positions
from lingmix.evaluation.result_lists import ResultLists

LANES = 8
"""Flags of a byte that are added at once, as one 64-bit word."""

MOST_WORDS = 255
"""Words that can be added before a byte overflows."""


class Tally:
    """Counts, over all blocks of a pool, the passages of each language ahead of each relevant one
    (`ahead_JX`) and those in the queries' first places; collects their negatives' scores and their
    result lists."""

    def __init__(
        self, pool: Pool, chunk: Chunk, relevant_J: Matrix, negatives: Sequence[Negatives]
    ) -> None:
        C, X = len(chunk.queries), len(pool.languages)
        self.pool, self.chunk = pool, chunk
        self.relevant_J = relevant_J
        self.negatives = negatives
        self.ahead_JX = np.zeros((len(relevant_J), X), dtype=np.int64)
        self.lists = ResultLists(pool, queries=C)
        self.negative_scores = [np.zeros(drawn.column_GN.shape, np.float32) for drawn in negatives]
        self._top_CR = np.full((C, chunk.count_C[0]), -np.inf, dtype=np.float32)
        self._language_CR = np.full(self._top_CR.shape, -1, dtype=np.int64)
        self._last_C1 = np.full((C, 1), -np.inf, dtype=np.float32)
        self._above_CX = np.zeros((C, X), dtype=np.int64)
        self._tied_CX = np.zeros((C, X), dtype=np.int64)

    def add(self, scores_CB: Matrix, columns: slice) -> None:
        """Adds the next block: the scores of all queries in these columns."""
        block = Block(self.pool, columns, scores_CB)
        self._add_ahead(block, columns)
        self._add_best(block, scores_CB, columns)
        for scores_GN, (row_G, column_GN, _) in zip(
            self.negative_scores, self.negatives, strict=True
        ):
            flat_GN = row_G[:, None] * scores_CB.shape[1] + column_GN - columns.start
            if scores_CB.shape[1] == len(self.pool.passages_P):
                scores_GN[:] = scores_CB.ravel().take(flat_GN)
            else:
                in_block_GN = (column_GN >= columns.start) & (column_GN < columns.stop)
                scores_GN[in_block_GN] = scores_CB.ravel()[flat_GN[in_block_GN]]

    def first_places(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns which share of a query's first places, as many as it has relevant passages, each
        language takes (`share_CX`) and each relevant passage (`share_J`). Ties over the last place
        share it."""
        free_C1 = self.chunk.count_C[:, None] - self._above_CX.sum(1, keepdims=True)
        chance_C1 = free_C1 / self._tied_CX.sum(1, keepdims=True)
        places_CX = self._above_CX + chance_C1 * self._tied_CX
        row_J = self.chunk.row_J
        last_J, chance_J = self._last_C1[row_J, 0], chance_C1[row_J, 0]
        places_J = (self.relevant_J > last_J) + chance_J * (self.relevant_J == last_J)
        return places_CX / self.chunk.count_C[:, None], places_J / self.chunk.count_C[row_J]

    def _add_ahead(self, block: "Block", columns: slice) -> None:
        chunk, tie_P = self.chunk, self.pool.tie_P
        for slot in range(chunk.column_CR.shape[1]):
            of_slot_J = chunk.slot_J == slot
            score_C1, column_C = self.relevant_J[of_slot_J, None], chunk.column_J[of_slot_J]
            ahead_CX = block.above(score_C1)
            itself_C = (column_C >= columns.start) & (column_C < columns.stop)
            tied = np.flatnonzero(block.equal(score_C1).sum(1) > itself_C)
            if len(tied):
                tie_C1 = tie_P[column_C[tied], None]
                ahead_CX[tied] += block.equal_ahead(tied, score_C1[tied], tie_C1)
            self.ahead_JX[of_slot_J] += ahead_CX

    def _add_best(self, block: "Block", scores_CB: Matrix, columns: slice) -> None:
        N = min(max(self._top_CR.shape[1], LISTED + 1), scores_CB.shape[1])
        best = torch.from_numpy(scores_CB).topk(N, dim=1)
        best_CN, index_CN = best.values.numpy(), best.indices.numpy()
        self._add_places(block, best_CN, self.pool.language_of(index_CN + columns.start))
        self.lists.add(scores_CB, columns, best_CN, index_CN)

    def _add_places(self, block: "Block", best_CN: Matrix, language_CN: Positions) -> None:
        R = self._top_CR.shape[1]
        top_CR = np.hstack([self._top_CR, best_CN[:, :R]])
        language_CR = np.hstack([self._language_CR, language_CN[:, :R]])
        order_CR = np.argsort(-top_CR, axis=1, kind="stable")[:, :R]
        top_CR = np.take_along_axis(top_CR, order_CR, axis=1)
        last_C1 = np.take_along_axis(top_CR, self.chunk.count_C[:, None] - 1, axis=1)
        above_CX = self._count_earlier(self._top_CR > last_C1)
        tied_CX = np.where(
            last_C1 == self._last_C1, self._tied_CX, self._count_earlier(self._top_CR == last_C1)
        )
        self._above_CX = above_CX + block.above(last_C1)
        self._tied_CX = tied_CX + block.equal(last_C1)
        self._top_CR, self._last_C1 = top_CR, last_C1
        self._language_CR = np.take_along_axis(language_CR, order_CR, axis=1)

    def _count_earlier(self, flags_CR: NDArray[np.bool_]) -> Positions:
        """Counts the flagged top scores of earlier blocks by language."""
        languages = range(len(self.pool.languages))
        return np.stack([(flags_CR & (self._language_CR == x)).sum(1) for x in languages], axis=1)


class Block:
    """Counts by language in how many columns of a block's row a comparison holds.

    Eight flags of a byte are added as one 64-bit word, several times faster than one by one; so
    each language begins at a multiple of eight columns, after NaN, which no comparison holds for.
    Three columns of en and two of de, where the scores above 0.5 are counted:

        scores   .9 .1 .7  -  -  -  -  - | .2 .8  -  -  -  -  -  -
        flags     1  0  1  0  0  0  0  0 |  0  1  0  0  0  0  0  0
        words             en: 2          |          de: 1
    """

    def __init__(self, pool: Pool, columns: slice, scores_CB: Matrix) -> None:
        segments = pool.segments(columns)
        sizes = [segment.stop - segment.start for _, segment in segments]
        widths = [-(-size // LANES) * LANES for size in sizes]
        begins = np.cumsum([0, *widths])
        self._scores_CW = np.full((len(scores_CB), begins[-1]), np.nan, dtype=np.float32)
        self._tie_W = np.zeros(begins[-1], dtype=np.int64)
        for begin, size, (_, segment) in zip(begins, sizes, segments, strict=False):
            self._scores_CW[:, begin : begin + size] = scores_CB[:, segment]
            self._tie_W[begin : begin + size] = pool.tie_P[columns][segment]
        words = [
            np.arange(begin, begin + width, MOST_WORDS * LANES) // LANES
            for begin, width in zip(begins, widths, strict=False)
        ]
        self._words = np.concatenate(words)
        self._pieces = np.cumsum([0, *map(len, words)])[:-1]
        self._languages = [language for language, _ in segments]
        self._X = len(pool.languages)
        self._flags = np.empty(self._scores_CW.shape, dtype=np.bool_)

    def above(self, score_C1: Matrix) -> Positions:
        """Counts scores above that of the row, in as many rows as are given."""
        flags = self._flags[: len(score_C1)]
        return self._by_language(np.greater(self._scores_CW[: len(score_C1)], score_C1, out=flags))

    def equal(self, score_C1: Matrix) -> Positions:
        """Counts scores equal to that of the row, in as many rows as are given."""
        flags = self._flags[: len(score_C1)]
        return self._by_language(np.equal(self._scores_CW[: len(score_C1)], score_C1, out=flags))

    def equal_ahead(self, rows: Positions, score_C1: Matrix, tie_C1: Positions) -> Positions:
        """Counts, in these rows, equal scores that are ahead of the tie rank `tie_C1`."""
        equal_CW = self._scores_CW[rows] == score_C1
        return self._by_language(equal_CW & (self._tie_W < tie_C1))

    def _by_language(self, flags_CW: NDArray[np.bool_]) -> Positions:
        # a piece of at most MOST_WORDS words becomes one word of eight byte sums
        lanes = np.add.reduceat(flags_CW.view(np.uint64), self._words, axis=1)
        lanes = lanes.view(np.uint8).reshape(len(lanes), len(self._words), LANES)
        counts_CX = np.zeros((len(lanes), self._X), dtype=np.int64)
        sums = lanes.sum(2, dtype=np.int64)
        counts_CX[:, self._languages] = np.add.reduceat(sums, self._pieces, axis=1)
        return counts_CX
