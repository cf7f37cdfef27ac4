"""How many cells a plane will have, how long they take and how much memory: from a few patches of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from splinescope.network.graph import Network
from splinescope.network.load import ModelLike
from splinescope.numerics import Tolerance, available_memory
from splinescope.tessellation.arguments import question
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.planar.engine import cells_and_crossings
from splinescope.tessellation.planar.plan import Plan
from splinescope.tessellation.planar.slices import Slices
from splinescope.tessellation.planar.work import NodeWork

_PATCHES = 6
"""Patches of one size."""
_ENOUGH = 60
"""Cells of a patch, on average, from which it is large enough to count on."""
_MOST = 4_000
"""Cells of a patch, at most: larger ones are left for smaller ones."""
_FIRST, _LARGEST = 1 / 64, 1 / 4
"""Size of the first patches and of the largest ones, as a share of the domain's."""
_BYTES = 700
"""Bytes of a cell with its edges and vertices while it is made, checked and drawn, patterns and outputs not counted."""
_LONG = 3e8
"""Products of a forward pass from which patches take so long themselves that nothing is forecast."""
_POINTS = 256
"""Points of the forward pass whose time is taken."""
_PASSES = {"topology": 1.0, "values": 2.0, "calibrated": 8.0, "proof": 8.0}
"""Forward passes of a cell, by level of the certificate: for its vertices, and for what is checked."""
_OF_A_CELL = 3e-5
"""Seconds that a cell takes beside them."""


@dataclass(frozen=True)
class Forecast:
    """What a tessellation will take.

    Attributes:
        cells: Number of cells, about.
        seconds: Seconds on this machine as it is now, about.
        nbytes: Bytes of memory, about.
        patches: Patches that were looked at.
    """

    cells: float
    seconds: float
    nbytes: float
    patches: int


def forecast(network: ModelLike, domain: Slice, *, verify: str = "values", patience: float = 3.0) -> Forecast | None:
    """How many cells a network has in a plane, about, and what it takes to find them.

    Small copies of the domain are cut at random places. Of a patch of $F$ cells whose border is crossed $B$ times,
    $F - 1 - B / 2$ cells are due to what is inside, which grows with the area, and $B / 2$ to its border.

    Args:
        network: The network, or a module or file of one.
        domain: A slice of two dimensions.
        verify: Level of the certificate.
        patience: Seconds after which no further patches are looked at.

    Returns:
        The forecast; None for networks so large that patches would take as long as an answer. Where cells gather in few
        places it may be off by a factor of two or more.

    Raises:
        InvalidInputError: As `tessellate`.

    Cost: that of some patches of a few hundred cells.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> round(forecast(relu, splinescope.Slice.box([-1, -1], [1, 1])).cells) <= 8
        True
    """
    asked = question(network, domain, verify, None, None)
    network, domain = asked.network, asked.domain
    if NodeWork.of(network).left[0] > _LONG:
        return None
    plan = Plan.of(network, Slices((domain,)), Tolerance(), _MOST, available_memory() // 4)
    end, size, generator = time.monotonic() + patience, _FIRST, np.random.default_rng(0)
    found = _sample(plan, size, generator, end)
    while found.cells < _ENOUGH * found.patches and size < _LARGEST and time.monotonic() < end:
        size *= 2
        found = _sample(plan, size, generator, end)
    cells = 1 + found.inside / (found.patches * size**2) + found.crossings / (2 * found.patches * size)
    outputs = network.nodes[network.output].size
    seconds = cells * (_PASSES[verify] * _seconds_of_a_pass(network, domain) + _OF_A_CELL)
    return Forecast(cells, seconds, cells * (_BYTES + network.num_units / 4 + 16 * outputs), found.patches)


def _seconds_of_a_pass(network: Network, domain: Slice) -> float:
    """Seconds that a forward pass takes for one point of many."""
    weights = np.random.default_rng(0).dirichlet(np.ones(len(domain.polygon)), _POINTS)
    points = domain.embed(weights @ domain.polygon)
    started = time.perf_counter()
    network(points)
    return (time.perf_counter() - started) / _POINTS


@dataclass(frozen=True)
class _Sample:
    """Patches of one size: how many, their cells, and how often folds cross their borders."""

    patches: int
    cells: int
    crossings: int

    @property
    def inside(self) -> float:
        """Cells that are due to what is inside."""
        return self.cells - self.patches - self.crossings / 2


def _sample(plan: Plan, size: float, generator: np.random.Generator, end: float) -> _Sample:
    """Cut patches, one at least, until the time is over; those of very many cells count as far as they are cut."""
    patches, cells, crossings = 0, 0, 0
    while patches < _PATCHES and (not patches or time.monotonic() < end):
        patch = _patch(plan.slices.domains[0], size, generator)
        found = cells_and_crossings(replace(plan, slices=Slices((patch,))))
        patches, cells, crossings = patches + 1, cells + found[0], crossings + found[1]
    return _Sample(patches, cells, crossings)


def _patch(domain: Slice, size: float, generator: np.random.Generator) -> Slice:
    """A small copy of the domain somewhere within it."""
    low, high = domain.polygon.min(axis=0), domain.polygon.max(axis=0)
    place = domain.polygon.mean(axis=0)
    for _ in range(64):  # so that it is in the polygon
        point = generator.uniform(low, high)
        if (domain.halfspaces[:, :2] @ point + domain.halfspaces[:, 2] <= 0).all():
            place = point
            break
    return replace(domain, polygon=size * domain.polygon + (1 - size) * place, anchors=None)
