"""The contrastive loss over a hybrid batch."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, Protocol

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from lingmix.data.batches import Batch
from lingmix.data.tokens import Texts, Tokens
from lingmix.errors import InputError, require_number

CELLS = 2**20
"""Scores held at once."""


TRIED = 8
"""Pairs of the batch that a loss is tried on."""


class Loss(Protocol):
    """What the encoder is trained by: what `loss` names. A module's own weights are trained too."""

    def __call__(
        self, queries_BD: torch.Tensor, passages_PD: torch.Tensor, batch: Batch
    ) -> torch.Tensor:
        """One number, of unit vectors: those of the passages are the B queries' own, in their
        order, then P - B given negatives. On several devices each has the whole batch's."""
        ...


class InfoNCE(nn.Module):
    """Cross-entropy of each query's passage among the passages of the batch.

    With `both` directions, also of each passage's query among the queries; the two are averaged.
    Source: arXiv 2408.10536, equation 1, with cosine scores, and three departures. The cosines are
    divided by `temperature`; the paper prints none (1 would be literal). The denominator has all
    passages of the batch, other queries' own and given negatives; the paper prints the own passage
    and the given negatives, though it speaks of in-batch negatives. False negatives are left out.

    `margin` is taken off the cosine of a query and its own passage (arXiv 2007.01852). The loss is
    the mean of those of the vectors' first `dimensions`, each cut normalised anew, and of the
    whole vectors (arXiv 2205.13147); None: of the whole vectors alone.
    """

    def __init__(
        self,
        *,
        temperature: float,
        directions: Literal["query", "both"],
        margin: float,
        dimensions: Sequence[int] | None,
    ) -> None:
        super().__init__()
        require_number("loss.temperature", temperature, "above 0 and finite", lambda one: one > 0)
        if directions not in ("query", "both"):
            raise InputError(f"loss.directions: must be query or both, got {directions!r}")
        require_number("loss.margin", margin, "in [0, 1], of a cosine", lambda one: 0 <= one <= 1)
        listed = dimensions is None or isinstance(dimensions, Sequence)
        if not listed or any(type(one) is not int for one in dimensions or ()):
            raise InputError(
                f"loss.dimensions: must be a list of whole numbers, or null, got {dimensions!r}"
            )
        self.temperature = temperature
        self._both = directions == "both"
        self._margin = margin
        self._dimensions = dimensions or ()

    def forward(
        self, queries_BD: torch.Tensor, passages_PD: torch.Tensor, batch: Batch
    ) -> torch.Tensor:
        """In float32, also under autocast; no more than `CELLS` scores are held at once."""
        with torch.autocast(queries_BD.device.type, enabled=False):
            losses = [
                self._of(_cut(queries_BD, first), _cut(passages_PD, first), batch)
                for first in self._cuts(queries_BD.shape[1])
            ]
            return torch.stack(losses).mean()

    def _cuts(self, dimension: int) -> list[int]:
        """How many dimensions each part of the loss sees of vectors of so many."""
        cuts = sorted({*self._dimensions, dimension})
        if cuts[0] < 1 or cuts[-1] > dimension:
            raise InputError(
                f"loss.dimensions: must be within [1, {dimension}], the encoder's vectors, got "
                f"{list(self._dimensions)}"
            )
        return cuts

    def _of(
        self, queries_BD: torch.Tensor, passages_PD: torch.Tensor, batch: Batch
    ) -> torch.Tensor:
        queries_BD, passages_PD = queries_BD.float(), passages_PD.float()
        cells_E2 = batch.false_negatives_E2
        if self._both and len(queries_BD) * len(passages_PD) <= CELLS:
            of_all = partial(self._both_ways, cells_E2=cells_E2)
            return _InBlocks.apply(queries_BD, passages_PD, of_all) / (2 * len(queries_BD))
        loss = self._rows(queries_BD, passages_PD, cells_E2)
        if not self._both:
            return loss
        of_passages = self._rows(passages_PD[: len(queries_BD)], queries_BD, cells_E2.flip(1))
        return (loss + of_passages) / 2

    def _rows(
        self, rows_BD: torch.Tensor, columns_PD: torch.Tensor, cells_E2: torch.Tensor
    ) -> torch.Tensor:
        """Of each row to find the column in its place."""
        of_block = partial(self._one_way, cells_E2=cells_E2)
        return _InBlocks.apply(rows_BD, columns_PD, of_block) / len(rows_BD)

    def _one_way(
        self,
        rows_RD: torch.Tensor,
        columns_PD: torch.Tensor,
        first: int,
        *,
        cells_E2: torch.Tensor,
    ) -> torch.Tensor:
        return _to_find_own(self._scores(rows_RD, columns_PD, first, cells_E2), first)

    def _both_ways(
        self,
        queries_BD: torch.Tensor,
        passages_PD: torch.Tensor,
        first: int,
        *,
        cells_E2: torch.Tensor,
    ) -> torch.Tensor:
        """The same scores serve both: a passage that is no negative of a query has a query that is
        no negative of it."""
        scores_BP = self._scores(queries_BD, passages_PD, first, cells_E2)
        scores_BB = scores_BP[:, : len(queries_BD)].T
        return _to_find_own(scores_BP, first) + _to_find_own(scores_BB, first)

    def _scores(
        self,
        rows_RD: torch.Tensor,
        columns_PD: torch.Tensor,
        first: int,
        cells_E2: torch.Tensor,
    ) -> torch.Tensor:
        cosines_RP = rows_RD @ columns_PD.T
        cosines_RP.diagonal(first).sub_(self._margin)
        return masked(cosines_RP / self.temperature, cells_E2, first)


def require_loss(loss: Loss, *, dimension: int) -> None:
    """Tries the loss on a made-up batch, before anything is recorded.

    Raises InputError where the result is not one number with a gradient, and whatever the loss
    itself raises on vectors of `dimension` numbers.
    """
    generator = torch.Generator().manual_seed(0)
    vectors_BD = functional.normalize(torch.randn(TRIED, dimension, generator=generator), dim=1)
    each_B = torch.arange(TRIED)
    texts = Texts(Tokens(each_B, torch.ones_like(each_B)), each_B)
    batch = Batch(
        queries=texts,
        passages=texts,
        passage_count=TRIED,
        false_negatives_E2=torch.zeros(0, 2, dtype=torch.int64),
        pair_B=each_B,
        monolingual=True,
        drawn=None,
    )
    value = loss(vectors_BD.requires_grad_(), vectors_BD.flip(0), batch)
    if not isinstance(value, torch.Tensor) or value.numel() != 1 or not value.requires_grad:
        raise InputError(
            f"loss: must return one number with a gradient, got {value!r:.80} from "
            f"{type(loss).__name__}"
        )


def _to_find_own(scores_RP: torch.Tensor, first: int) -> torch.Tensor:
    """Summed over the rows, the first of which is that of so many before it."""
    own_R = torch.arange(first, first + len(scores_RP), device=scores_RP.device)
    return functional.cross_entropy(scores_RP, own_R, reduction="sum")


class _InBlocks(torch.autograd.Function):
    """A loss summed over blocks of rows. Each block gives its gradient at once and is dropped, so
    that no scores are kept for the backward or made again in it."""

    @staticmethod
    def forward(
        ctx: Any,
        rows_BD: torch.Tensor,
        columns_PD: torch.Tensor,
        of_block: Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor],
    ) -> torch.Tensor:
        step = max(1, CELLS // len(columns_PD))
        columns_PD = columns_PD.detach().requires_grad_()
        total = columns_PD.new_zeros(())
        of_rows_BD, of_columns_PD = torch.empty_like(rows_BD), torch.zeros_like(columns_PD)
        for first in range(0, len(rows_BD), step):
            part_RD = rows_BD[first : first + step].detach().requires_grad_()
            with torch.enable_grad():
                loss = of_block(part_RD, columns_PD, first)
                of_part_RD, of_these_PD = torch.autograd.grad(loss, (part_RD, columns_PD))
            total += loss.detach()
            of_rows_BD[first : first + step] = of_part_RD
            of_columns_PD += of_these_PD
            del loss, of_part_RD, of_these_PD
        ctx.save_for_backward(of_rows_BD, of_columns_PD)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        of_rows_BD, of_columns_PD = ctx.saved_tensors
        return gradient * of_rows_BD, gradient * of_columns_PD, None


def _cut(vectors_ND: torch.Tensor, first: int) -> torch.Tensor:
    """Whole vectors are of length 1 already."""
    if first == vectors_ND.shape[1]:
        return vectors_ND
    return functional.normalize(vectors_ND[:, :first].float(), dim=-1)


def masked(scores_RP: torch.Tensor, false_negatives_E2: torch.Tensor, first: int) -> torch.Tensor:
    """The scores without those of false negatives, given by row and column, where the first row is
    that of so many before it. Others' rows and columns are passed over, without asking the device
    how many they are, which would wait for it."""
    R, P = scores_RP.shape
    row_E, column_E = false_negatives_E2[:, 0] - first, false_negatives_E2[:, 1]
    here_E = (row_E >= 0) & (row_E < R) & (column_E < P)
    cell_E = torch.where(here_E, row_E * P + column_E, R * P)
    mask_C = torch.zeros(R * P + 1, dtype=torch.bool, device=scores_RP.device)
    mask_RP = mask_C.index_fill_(0, cell_E, True)[:-1].view(R, P)
    return scores_RP.masked_fill(mask_RP, -torch.inf)
