"""What the recorded runs answer on one evaluation set, and how sure it is."""

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
    - `region`: the attainment surface, a row per scale and `monolingual` score: the `crosslingual`
      score that some alpha attains with it, with bounds.
    - `hypervolume`: a row per scale: `hypervolume` with bounds, above the point (0, 0).
    - `exchange`: a row per scale and step between neighbouring alphas, from `alpha_from` down to
      `alpha_to`: `paid` (monolingual points lost) and `gained` (cross-lingual points gained) with
      bounds, and `rate`, paid for each point gained, with bounds; null where undefined.
    - `comparisons`: a row per scale, language `pair`, hybrid `alpha` and pure strategy `against`:
      `difference` with bounds, `effect` (in standard deviations over questions), `p`, `p_holm`,
      `p_max_t`, `verdict` (`gains`, `loses`, `cannot be told apart`), and `seeds_needed` and
      `questions_needed`, how many would decide it (null: none would).
    - `components`: a row per scale, setting and `contrast` (one alpha, or a hybrid against a pure
      strategy): `difference`, and `seed`, `question` and `rest`, standard deviations with bounds,
      `seeds_needed` and `questions_needed`.
    """

    set_name: str
    group: str
    level: float
    said: list[str]
    not_found: list[str]
    frontier: pl.DataFrame
    region: pl.DataFrame
    hypervolume: pl.DataFrame
    exchange: pl.DataFrame
    comparisons: pl.DataFrame
    components: pl.DataFrame
