"""What the user wants of the trade-off: weights of the settings, and a floor."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lingmix.analysis.inference.grid import Floats
from lingmix.analysis.metric_columns import LABELS


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

    def utility(self, scores: Mapping[str, Floats]) -> Floats:
        """Returns the weighted mean of scores, N x A by name; -inf where below the floor."""
        weights = self.weights()
        total = sum(abs(weight) for weight in weights.values())
        utility_NA = sum(weight / total * scores[name] for name, weight in weights.items())
        assert isinstance(utility_NA, np.ndarray)
        if self.floor is None:
            return utility_NA
        monolingual_NA = scores["monolingual"]
        least_N = monolingual_NA.max(-1, keepdims=True) - self.floor / 100
        return np.where(monolingual_NA >= least_N, utility_NA, -np.inf)

    def __str__(self) -> str:
        names = LABELS | {"language_preference": "language preference"}
        parts = [f"{names[name]} ({weight:g})" for name, weight in self.weights().items()]
        floor = f", at most {self.floor:g} monolingual points lost" if self.floor else ""
        return f"weights {', '.join(parts)}{floor}"
