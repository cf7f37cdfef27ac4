r"""Programs over second-order cones, $\max\,\langle c, x\rangle$ with $\|G_i x\| \le 1$, by Clarabel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.sparse import csc_array, csr_array, vstack


@dataclass(frozen=True, eq=False)
class Optimum:
    """What Clarabel found.

    Attributes:
        values: The numbers x, which keep the constraints up to about the tolerance; nobody has proved that.
        multipliers: For each component of the gradients and each constraint: how hard it binds.
    """

    values: Float[np.ndarray, " V"]
    multipliers: Float[np.ndarray, "d constraints"]


def climb(
    components: tuple[csr_array, ...], load: Float[np.ndarray, " V"], *, tolerance: float = 1e-6, steps: int = 80
) -> Optimum:
    r"""The largest $\langle c, x\rangle$ such that all gradients have norms of at most one.

    Args:
        components: For each coordinate, from numbers to one component of the gradient for each constraint.
        load: What is to be large; zero for constants, which must have no gradient.
        tolerance: Gap between both sides, relative to the value, at which it ends.
        steps: After how many steps it ends in any case.

    Returns:
        Where it ended. Cost: a sparse factorization for each of some twenty steps.
    """
    import clarabel

    dimension, (count, number) = len(components), components[0].shape
    size = max((float(np.abs(part.data).max(initial=0.0)) for part in components), default=1.0) or 1.0
    weight = float(np.abs(load).max(initial=0.0)) or 1.0
    # for each constraint a one, then its gradient
    none = csr_array((count, number))
    order = (np.arange(dimension + 1) * count + np.arange(count)[:, None]).ravel()
    rows = csc_array(csr_array(vstack([none, *(part / -size for part in components)]))[order])
    ones = np.zeros(len(order))
    ones[:: dimension + 1] = 1.0
    settings = clarabel.DefaultSettings()
    settings.verbose, settings.max_threads, settings.max_iter = False, 1, steps
    settings.tol_gap_rel, settings.tol_gap_abs, settings.tol_feas = tolerance, 1e-3 * tolerance, 1e-2 * tolerance
    cones = [clarabel.SecondOrderConeT(dimension + 1)] * count
    found = clarabel.DefaultSolver(csc_array((number, number)), load / -weight, rows, ones, cones, settings).solve()
    duals = np.asarray(found.z).reshape(count, dimension + 1).T[1:]
    return Optimum(np.asarray(found.x) / size, -duals * (weight / size))
