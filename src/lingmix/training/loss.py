"""The contrastive loss over the in-batch negatives of a hybrid batch."""

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

BLOCK_SCORES = 2**20
"""The most scores in memory at once."""

TRIAL_PAIRS = 8
"""Pairs of the batch that a loss is tried on."""


class Loss(Protocol):
    """What `loss` names in a configuration. A module's weights are trained with the encoder's."""

    def __call__(
        self, queries_BD: torch.Tensor, passages_PD: torch.Tensor, batch: Batch
    ) -> torch.Tensor:
        """Returns one number. The vectors are of norm 1; passage n of the first B is the positive
        of query n, the other P - B are given negatives. Each device gets the whole batch's."""
        ...


class InfoNCE(nn.Module):
    """Cross-entropy of each query's positive passage against the in-batch and given negatives.

    With `both` directions, also of each passage's query among the queries; the two are averaged.
    Source: arXiv 2408.10536, equation 1, with cosine scores, and three departures. Cosines are
    divided by `temperature`; the paper prints none. The denominator has all passages of the batch;
    the paper prints the positive and the given negatives, though it speaks of in-batch negatives.
    False negatives are masked; `mask_false_negatives` is false for a study of that alone.

    `margin` is subtracted from the cosine of a query and its positive (arXiv 2007.01852). The loss
    is the mean over the vectors truncated to each of `dimensions` and normalised again, and the
    whole vectors (arXiv 2205.13147); None: the whole only. Raises InputError for bad arguments.
    """

    def __init__(
        self,
        *,
        temperature: float,
        directions: Literal["query", "both"],
        margin: float,
        dimensions: Sequence[int] | None,
        mask_false_negatives: bool,
    ) -> None:
        super().__init__()
        require_number("loss.temperature", temperature, "above 0 and finite", lambda t: t > 0)
        if directions not in ("query", "both"):
            raise InputError(f"loss.directions: must be query or both, got {directions!r}")
        require_number("loss.margin", margin, "in [0, 1], of a cosine", lambda m: 0 <= m <= 1)
        listed = dimensions is None or isinstance(dimensions, Sequence)
        if not listed or any(type(size) is not int for size in dimensions or ()):
            raise InputError(
                f"loss.dimensions: must be a list of whole numbers, or null, got {dimensions!r}"
            )
        self.temperature = temperature
        self._both = directions == "both"
        self._margin, self._masks = margin, mask_false_negatives
        self._dimensions = dimensions or ()

    def forward(
        self, queries_BD: torch.Tensor, passages_PD: torch.Tensor, batch: Batch
    ) -> torch.Tensor:
        """Computes in float32, also under autocast, on at most `BLOCK_SCORES` scores at once."""
        with torch.autocast(queries_BD.device.type, enabled=False):
            losses = [
                self._loss(_truncated(queries_BD, size), _truncated(passages_PD, size), batch)
                for size in self._truncations(queries_BD.shape[1])
            ]
            return torch.stack(losses).mean()

    def _truncations(self, dimension: int) -> list[int]:
        sizes = sorted({*self._dimensions, dimension})
        if sizes[0] < 1 or sizes[-1] > dimension:
            raise InputError(
                f"loss.dimensions: must be within [1, {dimension}], the encoder's vectors, got "
                f"{list(self._dimensions)}"
            )
        return sizes

    def _loss(
        self, queries_BD: torch.Tensor, passages_PD: torch.Tensor, batch: Batch
    ) -> torch.Tensor:
        queries_BD, passages_PD = queries_BD.float(), passages_PD.float()
        false_negatives_E2 = batch.false_negatives_E2[: None if self._masks else 0]
        if self._both and len(queries_BD) * len(passages_PD) <= BLOCK_SCORES:
            whole_loss = partial(self._block_both_ways, false_negatives_E2=false_negatives_E2)
            return _BlockwiseLoss.apply(queries_BD, passages_PD, whole_loss) / (2 * len(queries_BD))
        loss = self._one_direction(queries_BD, passages_PD, false_negatives_E2)
        if not self._both:
            return loss
        passages_loss = self._one_direction(
            passages_PD[: len(queries_BD)], queries_BD, false_negatives_E2.flip(1)
        )
        return (loss + passages_loss) / 2

    def _one_direction(
        self, rows_BD: torch.Tensor, columns_PD: torch.Tensor, false_negatives_E2: torch.Tensor
    ) -> torch.Tensor:
        """The positive of row n is column n."""
        block_loss = partial(self._block_one_way, false_negatives_E2=false_negatives_E2)
        return _BlockwiseLoss.apply(rows_BD, columns_PD, block_loss) / len(rows_BD)

    def _block_one_way(
        self,
        rows_RD: torch.Tensor,
        columns_PD: torch.Tensor,
        first: int,
        *,
        false_negatives_E2: torch.Tensor,
    ) -> torch.Tensor:
        return _cross_entropy(self._scores(rows_RD, columns_PD, first, false_negatives_E2), first)

    def _block_both_ways(
        self,
        queries_BD: torch.Tensor,
        passages_PD: torch.Tensor,
        first: int,
        *,
        false_negatives_E2: torch.Tensor,
    ) -> torch.Tensor:
        """One matrix of scores serves both directions: false negatives are symmetric."""
        scores_BP = self._scores(queries_BD, passages_PD, first, false_negatives_E2)
        scores_BB = scores_BP[:, : len(queries_BD)].T
        return _cross_entropy(scores_BP, first) + _cross_entropy(scores_BB, first)

    def _scores(
        self,
        rows_RD: torch.Tensor,
        columns_PD: torch.Tensor,
        first: int,
        false_negatives_E2: torch.Tensor,
    ) -> torch.Tensor:
        cosines_RP = rows_RD @ columns_PD.T
        cosines_RP.diagonal(first).sub_(self._margin)
        return mask_false_negatives(cosines_RP / self.temperature, false_negatives_E2, first)


def require_loss(loss: Loss, *, dimension: int) -> None:
    """Tries the loss on a made-up batch, before anything is recorded.

    Raises InputError where the result is not one number with a gradient, and whatever the loss
    itself raises on vectors of `dimension` numbers.
    """
    generator = torch.Generator().manual_seed(0)
    vectors_BD = functional.normalize(
        torch.randn(TRIAL_PAIRS, dimension, generator=generator), dim=1
    )
    each_B = torch.arange(TRIAL_PAIRS)
    texts = Texts(Tokens(each_B, torch.ones_like(each_B)), each_B)
    batch = Batch(
        queries=texts,
        passages=texts,
        passage_count=TRIAL_PAIRS,
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


def _cross_entropy(scores_RP: torch.Tensor, first: int) -> torch.Tensor:
    """Sums over rows `first`, `first` + 1, ...; the positive of row n is column n."""
    positive_R = torch.arange(first, first + len(scores_RP), device=scores_RP.device)
    return functional.cross_entropy(scores_RP, positive_R, reduction="sum")


class _BlockwiseLoss(torch.autograd.Function):
    """Sums a loss over blocks of rows. The gradient of each block is computed in the forward, so
    that the backward needs no scores, neither stored nor computed again."""

    @staticmethod
    def forward(
        ctx: Any,
        rows_BD: torch.Tensor,
        columns_PD: torch.Tensor,
        block_loss: Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor],
    ) -> torch.Tensor:
        step = max(1, BLOCK_SCORES // len(columns_PD))
        columns_PD = columns_PD.detach().requires_grad_()
        total = columns_PD.new_zeros(())
        rows_gradient_BD, columns_gradient_PD = (
            torch.empty_like(rows_BD),
            torch.zeros_like(columns_PD),
        )
        for first in range(0, len(rows_BD), step):
            part_RD = rows_BD[first : first + step].detach().requires_grad_()
            with torch.enable_grad():
                loss = block_loss(part_RD, columns_PD, first)
                part_gradient_RD, added_gradient_PD = torch.autograd.grad(
                    loss, (part_RD, columns_PD)
                )
            total += loss.detach()
            rows_gradient_BD[first : first + step] = part_gradient_RD
            columns_gradient_PD += added_gradient_PD
            del loss, part_gradient_RD, added_gradient_PD
        ctx.save_for_backward(rows_gradient_BD, columns_gradient_PD)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        rows_gradient_BD, columns_gradient_PD = ctx.saved_tensors
        return gradient * rows_gradient_BD, gradient * columns_gradient_PD, None


def _truncated(vectors_ND: torch.Tensor, size: int) -> torch.Tensor:
    """Whole vectors are of norm 1 already."""
    if size == vectors_ND.shape[1]:
        return vectors_ND
    return functional.normalize(vectors_ND[:, :size].float(), dim=-1)


def mask_false_negatives(
    scores_RP: torch.Tensor, false_negatives_E2: torch.Tensor, first: int
) -> torch.Tensor:
    """Sets the scores of false negatives, given by row and column of the whole matrix, to minus
    infinity in the R rows from `first`.

    Entries outside these rows and columns are all directed to one spare cell behind the matrix:
    selecting the others would have to wait for the device to count them.

        first 2, R 2, P 3            rows 2 and 3        cells        spare
        false negatives              (2, 1)  (3, 0)      . x . x . .  |  x
        (0, 1) (2, 1) (3, 0)         (0, 1) -> spare     0 1 2 3 4 5  |  6
    """
    R, P = scores_RP.shape
    row_E, column_E = false_negatives_E2[:, 0] - first, false_negatives_E2[:, 1]
    inside_E = (row_E >= 0) & (row_E < R) & (column_E < P)
    cell_E = torch.where(inside_E, row_E * P + column_E, R * P)
    mask_N = torch.zeros(R * P + 1, dtype=torch.bool, device=scores_RP.device)
    mask_RP = mask_N.index_fill_(0, cell_E, True)[:-1].view(R, P)
    return scores_RP.masked_fill(mask_RP, -torch.inf)
