"""What the user wants of the trade-off: weights of the settings, and a floor."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from lingmix.analysis.inference.grid import Floats
from lingmix.analysis.metric_columns import LABELS
from lingmix.evaluation.metric_names import Range


@dataclass(frozen=True, kw_only=True)
class Preference:
    """Weights of the settings' scores, and of the language preference: above 0 where results in
    the query's language are wanted, below 0 where they are not.

    `floor` is how many points of monolingual score may be lost against the best alpha's.
    """

    monolingual: float
    crosslingual: float
    multilingual: float
    language_preference: float
    floor: float | None

    def weights(self) -> dict[str, float]:
        """Returns those that are not 0."""
        weights = {name: getattr(self, name) for name in (*LABELS, "language_preference")}
        return {name: weight for name, weight in weights.items() if weight}

    @property
    def with_language(self) -> bool:
        """Whether it weighs the language preference."""
        return bool(self.language_preference)

    def applies(self, scores: Iterable[str]) -> bool:
        """Whether all that it weighs has been measured."""
        asked = {*self.weights()} | ({"monolingual"} if self.floor is not None else set())
        return asked <= {*scores}

    def weighted(self, scores: Mapping[str, Floats]) -> Floats:
        """Returns the weighted mean of scores, which are arrays of one shape by name."""
        return np.sum([share * scores[name] for name, share in self._shares()], axis=0)

    def range(self, ranges: Mapping[str, Range]) -> Range:
        """Returns the range of the weighted mean of scores in these ranges."""
        ends = [sorted(share * end for end in ranges[name]) for name, share in self._shares()]
        return sum(low for low, _ in ends), sum(high for _, high in ends)

    def utility(self, scores: Mapping[str, Floats]) -> Floats:
        """Returns the weighted mean of scores, ... x A; -inf where below the floor."""
        utility_NA = self.weighted(scores)
        if self.floor is None:
            return utility_NA
        monolingual_NA = scores["monolingual"]
        least_N = monolingual_NA.max(-1, keepdims=True) - self.floor / 100
        return np.where(monolingual_NA >= least_N, utility_NA, -np.inf)

    def words(self, metric: str) -> str:
        """Says what is highest for the best alpha, by the metric's label."""
        names = {setting: f"{label} {metric}" for setting, label in LABELS.items()}
        names["language_preference"] = "language preference"
        weights = self.weights()
        if {*weights.values()} == {1}:
            parts = [names[name] for name in weights]
            said = parts[0] if len(parts) == 1 else f"the mean of {' and '.join(parts)}"
        else:
            parts = [f"{weight:g} x {names[name]}" for name, weight in weights.items()]
            said = f"the weighted mean of {', '.join(parts)}"
        if self.floor is None:
            return said
        return f"{said}, with at most {self.floor:g} monolingual points lost,"

    def _shares(self) -> list[tuple[str, float]]:
        weights = self.weights()
        total = sum(abs(weight) for weight in weights.values())
        return [(name, weight / total) for name, weight in weights.items()]
