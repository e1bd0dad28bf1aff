"""A hybrid schedule whose alpha follows what the development scores gain."""

from math import exp

from lingmix.data.schedule import Homogeneous, HybridSchedule
from lingmix.data.training_pairs import TrainingPairs
from lingmix.errors import InputError, require_number
from lingmix.ranges import Count, NotNegative, Share


class AdaptiveSchedule(HybridSchedule):
    """Hybrid batches whose alpha is moved at each validation, by a controller without gradients.

    The monolingual share of the batches between two validations was alpha, and the monolingual and
    the cross-lingual score gained m and c meanwhile. A kind of batch is worth what its setting
    gains by its share: m / alpha, and c / (1 - alpha). From the second validation on, alpha moves
    to the kind that is worth more, on the scale of log odds:

        logit(alpha) += rate * (m / alpha - c / (1 - alpha)) / (|m / alpha| + |c / (1 - alpha)|)

    and stays in [least, 1 - least], so that both kinds are always tried. It rests where another
    batch of either kind is worth the same, which is the best mixture if each setting gains from
    its own kind alone, less and less. The first validation only says where the scores start.

    Learning progress as the reward is that of arXiv 1704.03003, section 2.3; its bandit draws arms
    at random, and needs more rounds than a fine-tuning has validations. Alpha is a function of the
    scores alone and the batches one of the seed and the scores: a run that is resumed with the
    recorded scores goes on with the same batches, and so does every rank.
    """

    def __init__(
        self,
        pairs: TrainingPairs,
        *,
        alpha: float,
        rate: NotNegative,
        least: Share,
        steps: int,
        batch_size: Count,
        size_exponent: Share,
        homogeneous: Homogeneous,
        min_size: Count,
        seed: int,
        set_exponent: Share | None = None,
        size_cap: Count | None = None,
    ) -> None:
        require_number("sampler.rate", rate, "at least 0 and finite", lambda one: one >= 0)
        require_number("sampler.least", least, "in (0, 0.5]", lambda one: 0 < one <= 0.5)
        if not least <= alpha <= 1 - least:
            raise InputError(
                f"sampler.alpha: must be in [{least:g}, {1 - least:g}], as sampler.least says, got "
                f"{alpha}"
            )
        super().__init__(
            pairs,
            alpha=alpha,
            alpha_end=None,
            alpha_schedule="constant",
            steps=steps,
            batch_size=batch_size,
            size_exponent=size_exponent,
            homogeneous=homogeneous,
            min_size=min_size,
            seed=seed,
            set_exponent=set_exponent,
            size_cap=size_cap,
        )
        self._rate, self._least = rate, least
        self._moves = [(0, alpha)]
        self._scores: tuple[float, float] | None = None

    def alpha(self, step: int) -> float:
        """The alpha of the last validation before the batch of `step`."""
        return next(alpha for first, alpha in reversed(self._moves) if first <= step)

    def observe(self, step: int, *, monolingual: float, crosslingual: float) -> float:
        """Takes the scores of the validation before the batch of `step`; returns the alpha of the
        batches from there on. Validations come in order."""
        before, self._scores = self._scores, (monolingual, crosslingual)
        alpha = self._moves[-1][1]
        if before is not None:
            gains = (monolingual - before[0], crosslingual - before[1])
            alpha = moved(alpha, gains, rate=self._rate, least=self._least)
        self._moves.append((step, alpha))
        self.redraw(step)
        return alpha


def moved(alpha: float, gains: tuple[float, float], *, rate: float, least: float) -> float:
    """Alpha after the monolingual and the cross-lingual score have gained `gains` with it."""
    worth = (gains[0] / alpha, gains[1] / (1 - alpha))
    total = abs(worth[0]) + abs(worth[1])
    if not total:
        return alpha
    odds = alpha / (1 - alpha) * exp(rate * (worth[0] - worth[1]) / total)
    return min(max(odds / (1 + odds), least), 1 - least)
