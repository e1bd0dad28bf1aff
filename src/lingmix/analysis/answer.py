"""What the recorded runs answer on one evaluation set, and how sure it is."""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl


class Answer(NamedTuple):
    """The answer of one group of comparable runs (see `groups.groups`) on one evaluation set.

    Scores are means over languages or language pairs; `<name>_low` and `<name>_high` bound the
    interval of `level` over seeds and questions. The frames:

    - `frontier`: a row per scale and alpha: `seeds`, `questions`, and `monolingual`,
      `crosslingual`, `multilingual` with bounds; `front`, the probability of being on the Pareto
      front of monolingual and cross-lingual scores; `best`, that of being best by the preference;
      `utility` with bounds, the preference's value, null where its floor is not kept.
    - `pairs`: a row per scale, language `pair` and alpha: its `setting`, and `score` with bounds.
    - `region`: the attainment surface, a row per scale and `monolingual` score: the `crosslingual`
      score that some alpha attains with it, with bounds.
    - `hypervolume`: a row per scale: `hypervolume` with bounds, above the point (0, 0).
    - `exchange`: a row per scale and step between neighbouring alphas, from `alpha_from` down to
      `alpha_to`: `paid` (monolingual points lost) and `gained` (cross-lingual points gained) with
      bounds, and `rate`, paid for each point gained, with bounds; null where undefined.
    - `comparisons`: a row per scale, language `pair` and contest of an `alpha` `against` another
      (the largest, and for those between the smallest):
      `difference` with bounds, `effect` (in standard deviations over questions), `p`, `p_holm`,
      `p_max_t`, `verdict` (`gains`, `loses`, `cannot be told apart`), and `seeds_needed` and
      `questions_needed`, how many would decide it (null: none would).
    - `components`: a row per scale, setting and `alpha`, and per contest of it `against` another:
      `mean` with bounds (of the score, or of the difference), `seed`, `question` and `rest`, the
      standard deviations of the noise, with bounds, and for contests `seeds_needed` and
      `questions_needed`.
    - `predictors`: a row per scale, contest and `predictor` of language pairs (`one_language`,
      `one_script`, `trained`, `fertility`, `resource`): `effect` with bounds, what pairs with it
      gain beyond others, or for twice as much of it, and `p`; null where the languages do not tell.
    - `laws`: a row per setting (`utility` is the preference's) and alpha: the `status` of the power
      law in scale, `exponent` (shared by the alphas) and `limit` with bounds, null unless it
      converged; `enough` with bounds, the scale beyond which doubling all data gains less than a
      point, null where unbounded; `miss`, what the law of the other scales predicts for the largest
      less what was measured.
    - `law_curves`: a row per setting, alpha and scale: `score` with bounds, within the measured
      scales (`measured` is 1) or foretold (0).
    - `moves`: a row per setting, the test that the best alpha moves with scale (see
      `surface.Moves`).
    - `best_alphas`: a row per setting and scale, `measured` (1) or foretold (0): `best`, with
      bounds.
    """

    set_name: str
    metric: str
    group: str
    level: float
    said: list[str]
    not_found: list[str]
    frontier: pl.DataFrame
    pairs: pl.DataFrame
    region: pl.DataFrame
    hypervolume: pl.DataFrame
    exchange: pl.DataFrame
    comparisons: pl.DataFrame
    components: pl.DataFrame
    predictors: pl.DataFrame
    laws: pl.DataFrame
    law_curves: pl.DataFrame
    moves: pl.DataFrame
    best_alphas: pl.DataFrame


def contests(answers: Sequence[Answer]) -> pl.DataFrame:
    """Returns a row a contest of two alphas: group, scale, alpha, against, and the difference in
    each setting, `<setting>` with its bounds."""
    rows = [
        answer.components.drop_nulls("against")
        .select(
            pl.lit(answer.group).alias("group"), "scale", "alpha", "against", "setting",
            pl.col("mean").alias(""), pl.col("mean_low").alias("_low"),
            pl.col("mean_high").alias("_high"),
        )
        for answer in answers
        if answer.components.height
    ]  # fmt: skip
    if not rows:
        return pl.DataFrame()
    place = ["group", "scale", "alpha", "against"]
    long = pl.concat(rows).unpivot(index=[*place, "setting"], variable_name="bound")
    named = long.with_columns(pl.col("setting") + pl.col("bound"))
    return named.pivot("setting", index=place, values="value", maintain_order=True)
