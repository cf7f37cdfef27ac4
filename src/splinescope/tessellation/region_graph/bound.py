r"""How many cells a domain can have at most, from the units that can fold on it.

Within a cell of all earlier nodes, the folds of a node are hyperplanes. If its input is of rank $r$ there and $K$ of
its folds can meet the domain, the cell is cut into at most $\sum_{j \le r} \binom{K}{j}$ parts (Zaslavsky 1975), and
into no more than there are combinations of pieces. The product over all folding nodes bounds the number of cells
(Montúfar 2017, arXiv 1703.02930 for sequential networks). Which folds can meet the domain follows from bounds of each
unit's value there: a linear function of the domain's coordinates, plus a remainder between bounds, sent through the
network node by node.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from splinescope.network.copies import linear_part as linear
from splinescope.network.ops import Activation, Affine, Input, Maximum, Op, Sum
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.domains.samples import bounding_box, sample
from splinescope.tessellation.rounding import running_bounds

if TYPE_CHECKING:
    from splinescope.tessellation.branches.layout import Folding
    from splinescope.tessellation.region_graph.search.explore import Explorer


@dataclass(frozen=True, eq=False)
class _Form:
    """A node on the domain: `centre + slopes.T @ s`, give or take `radius`, for `s` in a box `[-half, half]`.

    Attributes:
        centre: [n].
        slopes: [d, n].
        radius: [n], not negative.
        rank: What the rank of its slopes cannot exceed on any cell.
    """

    centre: np.ndarray
    slopes: np.ndarray
    radius: np.ndarray
    rank: int

    def ends(self, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds [n]."""
        spread = half @ np.abs(self.slopes) + self.radius
        return self.centre - spread, self.centre + spread


@dataclass(frozen=True)
class Stability:
    """What can fold at one node.

    Attributes:
        node: Index of the node.
        folds: Number of folds that may meet the domain.
        combinations: Number of combinations of pieces that its units may have, as a logarithm to base 2.
        rank: What the rank of its input cannot exceed on a cell.
    """

    node: int
    folds: int
    combinations: float
    rank: int

    @property
    def parts(self) -> int:
        """Into how many parts the node can cut a cell at most."""
        if self.rank >= self.folds:
            arrangement = 2**self.folds
        else:
            arrangement = sum(math.comb(self.folds, j) for j in range(self.rank + 1))
        return min(arrangement, math.ceil(2.0**self.combinations)) if self.combinations < 1000 else arrangement


def upper_bound(explorer: Explorer) -> int:
    """What the number of cells on the domain cannot exceed.

    Args:
        explorer: The network on its domain.
    """
    return math.prod(stability.parts for stability in stabilities(explorer))


@torch.no_grad()
def stabilities(explorer: Explorer) -> tuple[Stability, ...]:
    """For each folding node, how much of it can fold on the domain.

    Args:
        explorer: The network on its domain.
    """
    network, domain = explorer.network, explorer.domain
    foldings = {folding.node: folding for folding in explorer.layout.foldings}
    low, high = bounding_box(domain)
    half = (high - low) / 2
    forms: dict[int, _Form] = {}
    found = []
    errors = running_bounds(network, domain.embed(sample(domain, np.random.default_rng(0))))
    for index, node in enumerate(network.nodes):
        if isinstance(node.op, Input):
            centre = domain.embed((low + high)[None] / 2).ravel()
            slopes = domain.basis.reshape(domain.dimension, -1)
            forms[0] = _Form(centre, slopes, np.zeros(len(centre)), domain.dimension)
        elif index in foldings:
            doubt = explorer.tolerance.safety * errors[node.inputs[0]].error + np.finfo(np.float64).tiny
            forms[index], stability = _fold(foldings[index], node.op, forms[node.inputs[0]], half, doubt)
            found.append(stability)
        else:
            shapes = [network.nodes[source].shape for source in node.inputs]
            forms[index] = _through(node.op, [forms[source] for source in node.inputs], shapes)
    return tuple(found)


def _through(op: Op, inputs: list[_Form], shapes: list[tuple[int, ...]]) -> _Form:
    """An op without folds."""
    d = len(inputs[0].slopes)

    def applied(op: Op, arrays: list[np.ndarray]) -> np.ndarray:
        parts = [torch.from_numpy(a.copy()).reshape(-1, *shape) for a, shape in zip(arrays, shapes, strict=True)]
        return op.evaluate(*parts).reshape(len(parts[0]), -1).numpy()

    centre = applied(op, [form.centre[None] for form in inputs])[0]
    slopes = applied(linear(op), [form.slopes for form in inputs])
    if isinstance(op, Affine):
        sizes = torch.from_numpy(inputs[0].radius).reshape(1, *shapes[0])
        radius = linear(op).magnitude(sizes).reshape(-1).numpy()
    elif isinstance(op, Sum):
        radius = np.abs(np.asarray(op.coefficients)) @ np.stack([form.radius for form in inputs])
    else:
        radius = applied(op, [form.radius[None] for form in inputs])[0]
    return _Form(centre, slopes, np.asarray(radius), min(d, len(centre), sum(form.rank for form in inputs)))


def _fold(folding: Folding, op: Op, form: _Form, half: np.ndarray, doubt: np.ndarray) -> tuple[_Form, Stability]:
    low, high = form.ends(half)
    doubt = doubt + 4 * UNIT_ROUNDOFF * (np.abs(low) + np.abs(high))
    low, high = low - doubt, high + doubt
    if isinstance(op, Activation):
        return _bend(folding, op, form, low, high)
    assert isinstance(op, Maximum)
    return _contest(folding, op, form, low, high)


def _bend(folding: Folding, op: Activation, form: _Form, low: np.ndarray, high: np.ndarray) -> tuple[_Form, Stability]:
    """An activation as the chord of its graph between the bounds, give or take what the graph deviates from it."""
    count = len(op.breakpoints)
    places = np.asarray(op.breakpoints, np.float64).reshape(count, -1)
    bends = np.diff(np.asarray(op.slopes, np.float64).reshape(count + 1, -1), axis=0) != 0
    inside = bends & (places > low) & (places < high)
    at = np.stack([low, high, *np.broadcast_to(np.clip(places, low, high), (count, len(low)))])
    graph = op.evaluate(torch.from_numpy(at)).reshape(at.shape).numpy()
    slope = (graph[1] - graph[0]) / (high - low)
    above = graph - slope * at
    least, most = above.min(axis=0), above.max(axis=0)
    bent = _Form(
        slope * form.centre + (least + most) / 2,
        slope * form.slopes,
        np.abs(slope) * form.radius + (most - least) / 2,
        form.rank,
    )
    per_unit = inside.sum(axis=0)
    combinations = float(np.log2(1.0 + per_unit).sum())
    return bent, Stability(folding.node, int(per_unit.sum()), combinations, form.rank)


def _contest(folding: Folding, op: Maximum, form: _Form, low: np.ndarray, high: np.ndarray) -> tuple[_Form, Stability]:
    """A max node: where only one member can win it is that member, else something between the bounds."""
    groups = np.asarray(op.index)
    present, index = groups >= 0, np.maximum(groups, 0)
    least = np.where(present, low[index], -np.inf).max(axis=1)
    contends = present & (high[index] >= least[:, None])
    most = np.where(present, high[index], -np.inf).max(axis=1)
    contenders = contends.sum(axis=1)
    winner = index[np.arange(len(index)), contends.argmax(axis=1)]
    single = contenders == 1
    best = _Form(
        np.where(single, form.centre[winner], (least + most) / 2),
        np.where(single, form.slopes[:, winner], 0.0),
        np.where(single, form.radius[winner], (most - least) / 2),
        min(form.rank, len(index)),
    )
    folds = int((contenders * (contenders - 1) // 2).sum())
    return best, Stability(folding.node, folds, float(np.log2(contenders).sum()), form.rank)
