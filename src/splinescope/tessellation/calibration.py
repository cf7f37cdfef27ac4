"""Rounding errors measured anew where those measured on the whole domain are coarse.

Behind many layers an error that is measured once, as the largest of each unit at some points of the domain, has grown
far beyond what float64 makes at any one of them: a unit that is dead at all of these points passes on what its error is
where it wakes, and so for each layer. At the vertices at hand it is known which units are dead there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import torch

from splinescope.network.evaluate import last_uses, products
from splinescope.network.graph import Network
from splinescope.network.ops import Fold
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.rounding import Bounds, Trial

_POINTS, _LEAST = 256, 16
"""Points at which that is done, at most and at least."""
_CHEAP = 1 << 24
"""Products that it may take at one node; and as many as a sixth of what the network takes at all points at hand."""
_TWINS = 2
"""Evaluations with rounding errors made anew that are compared with the first one."""
_ROOM = 1 << 23
"""Bytes that the values of the widest node may take: points are tried in parts."""


@dataclass(frozen=True)
class Calibration:
    """How near to zero the values of each node may be for their signs to be in doubt.

    Attributes:
        network: The network.
        bounds: For each node its magnitude and doubtful distances, on the whole domain.
        safety: Multiple of a measured error.
        terms: [*input_shape] to what inputs are rounded relatively (`Domain.terms`).
        coarse: Doubtful distance, relative to a unit's magnitude, from which half of the units are looked at again.
    """

    network: Network
    bounds: tuple[Bounds, ...]
    safety: float
    terms: np.ndarray
    coarse: float = 2.0**-30
    _coarse: dict[int, bool] = field(default_factory=dict)

    @classmethod
    def of(
        cls, trial: Trial, longer: Mapping[int, int] = MappingProxyType({}), coarse: float = 2.0**-30
    ) -> Calibration:
        """That of a trial on the whole domain; `longer` as of `Trial.bounds`."""
        return cls(trial.network, trial.bounds(longer), trial.safety, trial.terms, coarse)

    def is_coarse(self, node: int) -> bool:
        """Whether half of the doubtful distances of a node on the whole domain are coarse."""
        if node not in self._coarse:
            known = self.bounds[node]
            alive = known.magnitude > 0
            coarse = alive & (known.error > self.coarse * known.magnitude)
            self._coarse[node] = 2 * int(np.count_nonzero(coarse)) > int(np.count_nonzero(alive))
        return self._coarse[node]

    def at(self, node: int, points: np.ndarray, embed: Callable[[np.ndarray], np.ndarray]) -> Bounds:
        """Bounds of a node at some points of the domain.

        Args:
            node: Index of the node.
            points: [k, ...] all the points that matter; some of them are tried.
            embed: The inputs at points.

        Returns:
            Those of the whole domain, or smaller ones where these are coarse.
        """
        return self.near(node, points, embed) if self.is_coarse(node) else self.bounds[node]

    def near(self, node: int, points: np.ndarray, embed: Callable[[np.ndarray], np.ndarray]) -> Bounds:
        """Bounds of a node as measured at some points of the domain, where they are smaller; arguments as of `at`."""
        known = self.bounds[node]
        most = min(_POINTS, self._affordable(node, len(points)))
        if most < min(_LEAST, len(points)):
            return known
        some = points[:: max(1, -(-len(points) // most))]
        x = torch.from_numpy(np.ascontiguousarray(embed(some), np.float64)).reshape(-1, *self.network.input_shape)
        local = self.safety * local_errors(self.network, node, x, self.terms, self.safety)
        return Bounds(known.magnitude, np.minimum(known.error, np.maximum(local, np.finfo(np.float64).tiny)))

    def _affordable(self, node: int, points: int) -> int:
        """Number of points at which the errors of a node may be measured."""
        counts = products(self.network)
        here, folding = sum(counts[: node + 1]), max(1, len(self.network.folds))
        allowed = max(_CHEAP, points * sum(counts) // (6 * folding))
        return allowed // ((1 + _TWINS) * here)


def local_errors(network: Network, node: int, x: torch.Tensor, terms: np.ndarray, safety: float) -> np.ndarray:
    """Largest rounding error of each unit of a node among some points, as measured at each of them.

    The network is evaluated again, with every op's rounding error made anew at random. A unit passes on all of
    its error where it is within `safety` times that of a fold, even if evaluations don't show it.

    Args:
        network: The network.
        node: Index of the node.
        x: [k, *input_shape] points.
        terms: [*input_shape] to what inputs are rounded relatively.
        safety: Multiple of its error from which a unit is sure to be on one side of a fold.

    Returns:
        [n] errors.
    """
    generator = np.random.default_rng(0)
    found = np.zeros(network.nodes[node].size)
    sizes = torch.from_numpy(np.array(terms, np.float64)).reshape(1, *network.input_shape)
    for part in x.split(max(1, _ROOM // (8 * max(one.size for one in network.nodes)))):
        error = _errors_at(network, node, part, sizes, safety, generator).amax(dim=0)
        np.maximum(found, error.reshape(-1).numpy(), out=found)
    return found


@torch.no_grad()
def _errors_at(
    network: Network, node: int, x: torch.Tensor, sizes: torch.Tensor, safety: float, generator: np.random.Generator
) -> torch.Tensor:
    """[k, *shape] error of a node at each point."""
    last = last_uses(network)
    values: dict[int, torch.Tensor] = {}
    twins: dict[int, torch.Tensor] = {}
    errors: dict[int, torch.Tensor] = {}
    for index, one in enumerate(network.nodes[: node + 1]):
        before = [values[source] for source in one.inputs]
        value = one.op.evaluate(*before) if before else x
        twin = one.op.evaluate(*(twins[source] for source in one.inputs)) if before else torch.cat([x] * _TWINS)
        terms = one.op.terms(before, value) if before else sizes
        size = 2 * UNIT_ROUNDOFF * terms
        if one.fold is not None:
            size = size + _passed(one.fold, before[0], errors[one.inputs[0]], safety)
        size = size.expand_as(value)
        shape = (_TWINS, *value.shape)
        noise = torch.from_numpy(generator.uniform(-1.0, 1.0, shape)).mul_(size)
        twins[index] = twin + noise.reshape(twin.shape)
        errors[index] = torch.maximum((twins[index].reshape(shape) - value).abs_().amax(dim=0), size)
        values[index] = value
        for source in set(one.inputs):
            if last[source] == index:
                del values[source], twins[source], errors[source]
    return errors[node]


def _passed(op: Fold, before: torch.Tensor, error: torch.Tensor, safety: float) -> torch.Tensor:
    """What units pass on of errors near their folds."""
    flat, doubt = (part.reshape(len(part), -1).numpy() for part in (before, safety * error))
    passed = op.carried(error)
    near = op.open_bits(flat, doubt).reshape(len(flat), op.levels, -1).any(axis=1)
    return torch.where(torch.from_numpy(near).reshape(passed.shape), passed, 0.0)
