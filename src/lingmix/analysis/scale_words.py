"""What the laws of scale say, and what they cannot tell, in sentences."""

from collections.abc import Iterable, Iterator

import polars as pl

from lingmix.analysis.answer import Answer
from lingmix.analysis.curve_scores import ENTROPIES
from lingmix.analysis.frontier_rows import Row
from lingmix.analysis.metric_columns import LABELS
from lingmix.analysis.scale_rows import UTILITY
from lingmix.analysis.table import p_value, ranged, score

NAMES = LABELS | {UTILITY: "preferred"}
NAMES |= {name: f"{LABELS[setting]} contrastive entropy" for name, setting in ENTROPIES.items()}

REASONS = {
    "not identifiable": "is not identifiable from these scales and this noise",
    "at bound": "is at a bound: scores follow the logarithm of the size, or are at their limit",
}


def scale_said(answer: Answer) -> Iterator[str]:
    """Yields the law of each setting, and whether the best alpha moves."""
    if answer.laws.height:
        for row in (
            answer.laws.filter(status="converged")
            .unique("setting", maintain_order=True)
            .iter_rows(named=True)
        ):
            setting = row["setting"]
            approach = "approaches" if setting in ENTROPIES else "scores approach"
            yield (
                f"{NAMES[setting].capitalize()} {approach} a limit by a power law of the data's "
                f"size, with exponent {ranged(row, 'exponent', 2)}"
                f"{_miss(answer, setting)}."
            )
    if (test := _test(answer)) and test["p"] <= 1 - answer.level:
        yield f"The {_moves(answer, test)}."


def scale_not_found(answer: Answer) -> Iterator[str]:
    """Yields the settings whose law is not told, and the test that finds nothing."""
    if answer.laws.is_empty() and answer.frontier["scale"].n_unique() > 1:
        yield (
            "How scores grow with scale: the runs of its scales have not recorded how many items "
            "they trained on, or share no alpha and seed."
        )
    for status, reason in REASONS.items() if answer.laws.height else ():
        found = answer.laws.filter(status=status)["setting"].unique(maintain_order=True)
        if len(found):
            yield f"How {_nouns(found)} change with scale: the exponent of a power law {reason}."
    if (test := _test(answer)) and test["p"] > 1 - answer.level:
        yield f"That the {_moves(answer, test)}."


def _nouns(settings: Iterable[str]) -> str:
    scores = [NAMES[setting] for setting in settings if setting not in ENTROPIES]
    others = [LABELS[ENTROPIES[setting]] for setting in settings if setting in ENTROPIES]
    kinds = ((scores, "scores"), (others, "contrastive entropy"))
    return " and ".join(f"{', '.join(names)} {kind}" for names, kind in kinds if names)


def _test(answer: Answer) -> Row | None:
    """That of the preference; of the last setting where there is none."""
    rows = answer.moves
    if rows.height:
        rows = rows.filter(~pl.col("setting").is_in([*ENTROPIES]))
    return rows.row(-1, named=True) if rows.height and rows["p"][-1] is not None else None


def _moves(answer: Answer, test: Row) -> str:
    setting = test["setting"]
    return (
        f"best alpha of {NAMES[setting]} scores moves with scale (p {p_value(test['p'])}): "
        f"{_places(answer, setting)}"
    )


def _places(answer: Answer, setting: str) -> str:
    rows = answer.best_alphas.filter(pl.col("setting") == setting)
    measured = rows.filter(measured=1)
    shown = [measured.row(0, named=True), measured.row(-1, named=True)]
    parts = [f"{ranged(row, 'best', 2)} at scale {row['scale']:,}" for row in shown]
    if (foretold := rows.filter(measured=0)).height:
        row = foretold.row(-1, named=True)
        parts.append(f"foretold, {ranged(row, 'best', 2)} at scale {row['scale']:,}")
    return f"by the joint law it is {'; '.join(parts)}"


def _miss(answer: Answer, setting: str) -> str:
    largest = answer.laws.filter(pl.col("setting") == setting)["miss"].abs().max()
    if not isinstance(largest, float):
        return ""
    return f"; the law of the other scales misses the largest by {score(largest)} at most"
