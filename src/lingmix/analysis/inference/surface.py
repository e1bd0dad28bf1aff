"""Laws of scores in alpha and scale, and whether the best alpha moves with the scale.

    score(alpha, scale) = limit(alpha) - drop(alpha) * (size / middle) ** -exponent

Limit and drop are polynomials of alpha of degree `DEGREE`, or of as many as the alphas allow. In
the *additive* law the drop is a constant: alphas differ by as much at every scale, and the best
does not move. In the *joint* law it is a polynomial too, and the additive law is nested in it
(arXiv 2507.09404 has the two for mixtures of domains). Both are linear but for the exponent.

Letters as in `power_law`; A alphas, P polynomials of alpha, orthonormal, the first a constant.
"""

from typing import NamedTuple

import numpy as np
from scipy import special

from lingmix.analysis.inference.grid import Floats
from lingmix.analysis.inference.laws import Estimate, Law, estimate
from lingmix.analysis.inference.power_law import fit_curves
from lingmix.errors import InputError

DEGREE = 3
"""Scores fall off steeply towards alpha 1, which a parabola does not follow."""

FINE_ALPHAS = np.linspace(0, 1, 1001)


class Moves(NamedTuple):
    """The test of the additive law: `explained` is the sum of squares that the joint law explains
    beyond it, `p` the share of draws around the additive law that it would explain as much of. `f`
    and `p_f` are the F test, whose noise is what the joint law leaves unexplained, independent from
    cell to cell; not a number where it leaves no degree of freedom."""

    explained: float
    p: float
    f: float
    p_f: float


def polynomials(alphas_A: Floats, degree: int = DEGREE) -> Floats:
    """AP. Raises InputError for fewer than three alphas, among which there is no best to move."""
    if len(alphas_A) < 3:
        raise InputError(f"laws in alpha need three alphas, got {len(alphas_A)}")
    powers_AP = np.vander(alphas_A, min(degree, len(alphas_A) - 1) + 1, increasing=True)
    return np.linalg.qr(powers_AP)[0]


def moves(mean_AC: Floats, means_NAC: Floats, alphas_A: Floats, logs_C: Floats) -> Moves:
    """Tests the additive law against the joint one, given means and draws of what they may be."""
    basis_AP = polynomials(alphas_A)
    rows_PC, noise_NPC = basis_AP.T @ mean_AC, basis_AP.T @ (means_NAC - mean_AC)
    found = _gained(rows_PC[None], logs_C)[0]
    by_chance_N = _gained(_additive(rows_PC, logs_C) + noise_NPC, logs_C)
    p = (1 + (by_chance_N >= found).sum()) / (1 + len(by_chance_N))
    extra, cells = basis_AP.shape[1] - 1, mean_AC.size
    limits = len(logs_C) * (rows_PC.mean(-1) ** 2).sum()
    left = (mean_AC**2).sum() - limits - fit_curves(rows_PC[None], logs_C).explained_N[0]
    return Moves(float(found), float(p), *f_test(found, left, extra, cells - 2 * extra - 3))


def f_test(gained: float, left: float, extra: int, degrees: int) -> tuple[float, float]:
    """F and its p of nested least squares: `gained` is what the larger law's `extra` parameters
    explain, `left` what it leaves of `degrees` of freedom. Not a number where these are none."""
    if degrees < 1:
        return np.nan, np.nan
    f = gained / extra / (left / degrees)
    return float(f), float(special.fdtrc(extra, degrees, f))


def best_alpha(joint: Law, alphas_A: Floats, log_size: float, *, lowest: bool = False) -> Estimate:
    """The alpha in [0, 1] of the highest score at a size, or of the lowest, by joint laws of
    `polynomials` rows."""
    basis_AP = polynomials(alphas_A)
    _, P = basis_AP.shape
    powers_AP, powers_FP = (np.vander(some, P, increasing=True) for some in (alphas_A, FINE_ALPHAS))
    fine_FP = powers_FP @ np.linalg.pinv(powers_AP) @ basis_AP
    score_NF = joint.curves.at(log_size) @ fine_FP.T
    return estimate(_peaks(-score_NF if lowest else score_NF), joint.level)


def _peaks(score_NF: Floats) -> Floats:
    """The highest points, between those of `FINE_ALPHAS` on a parabola."""
    peak_N = score_NF.argmax(-1)
    inner_N = np.clip(peak_N, 1, len(FINE_ALPHAS) - 2)
    draws_N = np.arange(len(score_NF))
    before, at, after = (score_NF[draws_N, inner_N + by] for by in (-1, 0, 1))
    bend_N = before - 2 * at + after
    shift_N = np.where(bend_N < 0, (before - after) / (2 * np.where(bend_N < 0, bend_N, 1)), 0)
    step = FINE_ALPHAS[1]
    vertex_N = FINE_ALPHAS[inner_N] + np.clip(shift_N, -1, 1) * step
    return np.where(peak_N == inner_N, vertex_N, FINE_ALPHAS[peak_N])


def _additive(rows_PC: Floats, logs_C: Floats) -> Floats:
    """The additive law's values."""
    constant = fit_curves(rows_PC[None, :1], logs_C)
    fitted_PC = np.repeat(rows_PC.mean(-1, keepdims=True), len(logs_C), axis=-1)
    fitted_PC[0] = [constant.at(log)[0, 0] for log in logs_C]
    return fitted_PC


def _gained(rows_NPC: Floats, logs_C: Floats) -> Floats:
    """What the joint law explains beyond the additive one."""
    joint, additive = (fit_curves(some, logs_C) for some in (rows_NPC, rows_NPC[:, :1]))
    return joint.explained_N - additive.explained_N
