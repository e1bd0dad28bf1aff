"""What a grid of scores says about scale: its law, whether the best alpha moves, and to where."""

from typing import NamedTuple

import numpy as np

from lingmix.analysis.inference.grid import Floats
from lingmix.analysis.inference.laws import Estimate, Law, fit_law
from lingmix.analysis.inference.pooled import pooled_draws
from lingmix.analysis.inference.power_law import Sizes
from lingmix.analysis.inference.surface import Moves, best_alpha, moves, polynomials


class Scaling(NamedTuple):
    """`law` has a row for each alpha. `joint` and `moves` are None below three alphas. With one
    seed, whose noise no draw has, the `p` of `moves` is that of its F test."""

    alphas_A: Floats
    sizes: Sizes
    law: Law
    joint: Law | None
    moves: Moves | None

    @property
    def foretells(self) -> bool:
        """Two scales have a law of any exponent, which tells nothing of a third."""
        return len(self.sizes.sizes_C) > 2

    def best_alpha(self, scale: float, *, lowest: bool = False) -> Estimate:
        """That of the highest score, or the lowest, by the joint law, which holds whether or not
        the best alpha moves."""
        assert self.joint is not None
        return best_alpha(self.joint, self.alphas_A, self.sizes.log_of(scale), lowest=lowest)


def scaling(
    scores_ACSQ: Floats,
    alphas_A: Floats,
    sizes: Sizes,
    *,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> Scaling:
    """Fits the laws of a full design of two scales or more."""
    mean_AC, means_NAC = scores_ACSQ.mean((2, 3)), pooled_draws(scores_ACSQ, draws, rng)
    law = fit_law(mean_AC, means_NAC, sizes, level=level)
    if len(alphas_A) < 3:
        return Scaling(alphas_A, sizes, law, None, None)
    basis_AP = polynomials(alphas_A)
    joint = fit_law(basis_AP.T @ mean_AC, basis_AP.T @ means_NAC, sizes, level=level)
    test = moves(mean_AC, means_NAC, alphas_A, sizes.logs_C)
    if scores_ACSQ.shape[2] == 1:
        test = test._replace(p=test.p_f)
    return Scaling(alphas_A, sizes, law, joint, test)
