r"""Programs over second-order cones, $\max\,\langle c, x\rangle$ with $\|G_i x\| \le 1$, by Clarabel."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.sparse import csc_array, csr_array, vstack

Watch = Callable[[float], object]
"""A function of the share of the way that is done."""

_LOOK = 0.05
"""Seconds after which it is looked whether somebody interrupted."""


@dataclass(frozen=True, eq=False)
class Optimum:
    """What Clarabel found.

    Attributes:
        values: The numbers x, which keep the constraints up to about the tolerance; nobody has proved that.
        multipliers: For each component of the gradients and each constraint: how hard it binds.
        finished: Whether Clarabel ended by itself; else somebody interrupted it (Ctrl-C), and this is how far it was.
    """

    values: Float[np.ndarray, " V"]
    multipliers: Float[np.ndarray, "d constraints"]
    finished: bool = True


def climb(
    components: tuple[csr_array, ...],
    load: Float[np.ndarray, " V"],
    *,
    tolerance: float = 1e-6,
    steps: int = 80,
    watch: Watch | None = None,
) -> Optimum:
    r"""The largest $\langle c, x\rangle$ such that all gradients have norms of at most one.

    Args:
        components: For each coordinate, from numbers to one component of the gradient for each constraint.
        load: What is to be large; zero for constants, which must have no gradient.
        tolerance: Gap between both sides, relative to the value, at which it ends.
        steps: After how many steps it ends in any case.
        watch: Called now and then with the share done, by the decimal places of the gap.

    Returns:
        Where it ended; interrupting (Ctrl-C) ends it early, after the step that it is in. Cost: a sparse factorization
        for each of some twenty steps.
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
    solver = clarabel.DefaultSolver(csc_array((number, number)), load / -weight, rows, ones, cones, settings)
    found, finished = _solved(solver, tolerance, watch)
    duals = np.asarray(found.z).reshape(count, dimension + 1).T[1:]
    return Optimum(np.asarray(found.x) / size, -duals * (weight / size), finished)


def _solved(solver: Any, tolerance: float, watch: Watch | None) -> tuple[Any, bool]:
    """What a solver finds, in a thread of its own, since Python hears of Ctrl-C between its own steps only.

    Returns:
        The solution, and whether nobody interrupted.
    """
    stopped, ended, reached, out = threading.Event(), threading.Event(), [0.0], []

    def after_step(info: Any) -> bool:
        gap = min(max(float(info.gap_rel), tolerance), 1.0)
        reached[0] = max(reached[0], math.log(gap) / math.log(tolerance))
        return stopped.is_set()

    def work() -> None:
        try:
            out.append(solver.solve())
        finally:
            ended.set()

    solver.set_termination_callback(after_step)
    threading.Thread(target=work, daemon=True).start()
    while not ended.is_set():
        try:
            ended.wait(_LOOK)
            if watch is not None:
                watch(reached[0])
        except KeyboardInterrupt:
            stopped.set()
    return out[0], not stopped.is_set()
