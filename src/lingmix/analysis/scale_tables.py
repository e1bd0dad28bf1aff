"""The laws of scale as text."""

from lingmix.analysis.answer import Answer
from lingmix.analysis.frontier_rows import Row
from lingmix.analysis.scale_words import NAMES
from lingmix.analysis.table import ABSENT, TextTable, p_value, ranged, signed, text_table

LAW_NOTE = (
    "Exponent: of the power law of the data's size by which scores approach their limit, shared by "
    "the alphas of a setting. Enough: the scale beyond which doubling all data gains less than a "
    "point. Miss: what the law of the other scales predicts for the largest less what was measured."
)
BEST_NOTE = "By the joint law, in which the best alpha may move with scale."
MOVES_NOTE = (
    "p: by draws around the law in which the best alpha does not move; F and its p: noise that is "
    "independent from run to run."
)


def law_table(answer: Answer) -> TextTable:
    """Returns a line per setting and alpha; a law that is not told has its status for a number."""
    lines = [
        (
            NAMES[row["setting"]],
            f"{row['alpha']:g}",
            row["status"] if row["exponent"] is None else ranged(row, "exponent", 2),
            ranged(row, "limit"),
            _enough(row),
            signed(row["miss"]),
        )
        for row in answer.laws.iter_rows(named=True)
    ]
    return text_table(("score", "alpha", "exponent", "limit", "enough", "miss"), lines)


def best_alpha_table(answer: Answer) -> TextTable:
    """Returns a line per setting and scale."""
    lines = [
        (
            NAMES[row["setting"]],
            f"{row['scale']:,}{'' if row['measured'] else ' (foretold)'}",
            ranged(row, "best", 2),
        )
        for row in answer.best_alphas.iter_rows(named=True)
    ]
    return text_table(("score", "scale", "best alpha"), lines)


def moves_table(answer: Answer) -> TextTable:
    """Returns a line per setting."""
    lines = [
        (
            NAMES[row["setting"]],
            p_value(row["p"]),
            ABSENT if row["f"] is None else f"{row['f']:.2f}",
            p_value(row["p_f"]),
        )
        for row in answer.moves.iter_rows(named=True)
    ]
    return text_table(("score", "p", "F", "p of F"), lines)


def _enough(row: Row) -> str:
    """Unbounded beyond what is foretold, see `laws.FAR`."""
    if row["exponent"] is None:
        return ABSENT
    value, low, high = (_scale(row[f"enough{end}"]) for end in ("", "_low", "_high"))
    return value if low == high else f"{value} ({low} to {high})"


def _scale(value: float | None) -> str:
    return "unbounded" if value is None else f"{value:,.0f}"
