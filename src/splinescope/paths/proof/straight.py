"""Whether a network keeps its class on the straight path between two points, of its input or of a layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.network.load import ModelLike
from splinescope.network.splits import split
from splinescope.numerics import Tolerance
from splinescope.paths.pairs import EXACT_UNITS, ends_of, network_at, targets_of
from splinescope.paths.proof.exact import exact_margins
from splinescope.paths.proof.refinement import BUDGET, margins_at, refine
from splinescope.paths.proof.results import CERTIFIED, REFUTED, UNDECIDED, StraightPaths
from splinescope.paths.proof.rounding import margin_rounding
from splinescope.tessellation.metric import check_choice


def straight(
    network: ModelLike,
    x: Any,
    y: Any,
    target: Any,
    layer: int | str | None = None,
    *,
    method: str = "auto",
    budget: int = BUDGET,
    verify: str = "values",
    keep_cells: bool = False,
    tolerance: Tolerance | None = None,
    progress: bool = False,
) -> StraightPaths:
    r"""Decide for many pairs of points whether a class leads on the whole segment between them.

    With `layer` the segment joins the values of both points at that layer, $z(t) = (1 - t) f_{0:l}(x) + t f_{0:l}(y)$,
    and the rest of the network, $f_{l:L}$, is asked. Two methods, both without sampling:

    * "exact" lists all breakpoints. Between them margins are concave, so that the least one is at a breakpoint; the
      intervals on which other classes lead are exact, however short (arXiv 1908.06214).
    * "refine" bounds the margin from below on sub-intervals, and halves those on which the bound is not positive, until
      all are positive, a point with a margin that is not is found, or the budget is spent (see `refine`).

    Every refutation is confirmed by a forward pass, and so are the margins at all breakpoints; margins within the
    rounding errors of float64 are never certified. These are bounded; in networks so deep that a bound is of no use
    they are estimated, and `proved` says so.

    Args:
        network: The network; or a module or the path of a file, which is imported with the points' shape where it does
            not tell its own.
        x: [S, *input_shape] starts, or one start.
        y: [S, *input_shape] ends, or one end.
        target: The class of all paths, or of each. A network with one output has the classes 0 and 1, by its sign.
        layer: Where the path is straight: what `splinescope.network.split` takes; None for the input.
        method: "exact", "refine", or "auto": exact up to 16384 units.
        budget: Forward passes that the method "refine" may take for each path, give or take the last ones.
        verify: Level of the certificate of the method "exact": see `tessellate`.
        keep_cells: Whether to keep the cells of the method "exact".
        tolerance: What counts as rounding error.
        progress: Whether to show a bar on long work.

    Returns:
        A verdict for each path, with its least margin and where it is.

    Raises:
        InvalidInputError: If shapes don't fit, there is no such class or layer, or both ends of a path are one point.
        CertificateError: If a check of the cells, or of the margins at their ends, fails.

    Cost: "exact" that of `tessellate_segments` and a forward pass at each breakpoint; "refine" at most `budget` forward
    passes for each path.

    Example:
        The function abs(x) - 0.5 has class 1, by its sign, everywhere but around 0:

        >>> import splinescope, torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(1, 2, bias=False), torch.nn.ReLU(), torch.nn.Linear(2, 1))
        >>> for p, v in zip(net.parameters(), ([[1.0], [-1.0]], [[1.0, 1.0]], [-0.5]), strict=True):
        ...     p.data = torch.tensor(v)
        >>> paths = straight(splinescope.load(net), [[-2.0], [1.0]], [[2.0], [3.0]], 1)
        >>> paths.verdicts.tolist(), paths.minimum_margin.tolist(), paths[0].misclassified
        (['refuted', 'certified'], [-0.5, 0.5], ((0.375, 0.625, 0),))
    """
    check_choice("method", method, ("exact", "refine", "auto"))
    if budget < 1:
        raise InvalidInputError(f"`budget`: got {budget}; expected a positive number of forward passes")
    parts = split(network_at(network, x, "x"), 0 if layer is None else layer)
    rest = parts.after
    starts, ends = ends_of(parts, x, y)
    targets = targets_of(rest, target, len(starts))
    known = margin_rounding(rest, starts, ends, targets, tolerance or Tolerance())
    common = (rest, parts.boundary, starts, ends, targets)
    if method == "refine" or (method == "auto" and rest.num_units > EXACT_UNITS):
        if keep_cells:
            raise InvalidInputError("`keep_cells`: got True; the method 'refine' has no cells, expected method='exact'")
        found = refine(rest, starts, ends, targets, budget=budget, rounding=known, progress=progress)
        seen = (found.verdicts, found.minimum, found.bound, found.t, found.rivals)
        return StraightPaths(*common, *seen, known.float32, "refine", found.evaluations)
    cells = exact_margins(rest, starts, ends, targets, known.float64, verify, keep_cells, progress)
    confirmed, _ = margins_at(rest, starts, ends, targets, np.arange(len(starts)), cells.t)
    leads = cells.confirmed.leads & (cells.minimum > cells.confirmed.bound)
    verdicts = np.where(leads, CERTIFIED, np.where(confirmed <= 0, REFUTED, UNDECIDED))
    seen = (verdicts, cells.minimum, cells.minimum - cells.confirmed.bound, cells.t, cells.rivals)
    kept = (cells.misclassified, cells.batch, cells.certificate, cells.confirmed.proved)
    return StraightPaths(*common, *seen, known.float32, "exact", cells.cells, *kept)
