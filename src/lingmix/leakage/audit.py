"""The audit of training data against evaluation sets."""

from collections.abc import Sequence

from lingmix.data.columns.columns import Columns
from lingmix.data.columns.numbering import Rows
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.leakage.equal import equal_texts
from lingmix.leakage.near import near_texts
from lingmix.leakage.overlap import Overlap
from lingmix.leakage.parallel_ids import translations


def audit_leakage(
    columns: Columns,
    *,
    items: Rows | None,
    evaluation_sets: Sequence[EvaluationSet],
    near_duplicates: float | None,
) -> list[Overlap]:
    """All overlaps of the `items` that are trained on (see `scaled_items`) with the sets: equal
    texts, translations by their ids and, with a similarity from which texts count as
    `near_duplicates`, those."""
    overlaps = equal_texts(columns, items=items, evaluation_sets=evaluation_sets)
    overlaps += translations(columns, items=items, evaluation_sets=evaluation_sets)
    if near_duplicates is not None:
        overlaps += near_texts(
            columns, items=items, evaluation_sets=evaluation_sets, similarity=near_duplicates
        )
    return overlaps
