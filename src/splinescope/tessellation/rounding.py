"""Running-error analysis: how large values are on a domain, and how well float64 knows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType

import numpy as np
import torch

from splinescope.network.evaluate import last_uses, products, walk
from splinescope.network.graph import Network, Node
from splinescope.network.ops import Fold, Op
from splinescope.numerics import UNIT_ROUNDOFF


@dataclass(frozen=True)
class Bounds:
    """Magnitude and rounding error of the elements of a node.

    Attributes:
        magnitude: [n] largest absolute value on the domain.
        error: [n] estimated absolute rounding error.
    """

    magnitude: np.ndarray
    error: np.ndarray


def input_bounds(inputs: np.ndarray) -> Bounds:
    """Bounds of inputs that are given as they are: [k, n]."""
    magnitude = np.abs(inputs).max(axis=0)
    return Bounds(magnitude, 2 * UNIT_ROUNDOFF * np.full_like(magnitude, magnitude.max(initial=0.0)))


_ALIKE = 16.0
"""Largest ratio of magnitudes in a group: signs are in doubt at most so much farther from zero than alone."""


def groups_alike(magnitude: np.ndarray) -> list[np.ndarray]:
    """Domains whose inputs are of similar size together: rounding errors are estimated for all of a group at once.

    Args:
        magnitude: [n] largest absolute value of the inputs of each domain.

    Returns:
        Groups of ascending numbers; usually there is only one.
    """
    order = np.argsort(-magnitude, kind="stable")
    groups: list[np.ndarray] = []
    while len(order):
        size = int(np.count_nonzero(magnitude[order] * _ALIKE >= magnitude[order[0]]))
        groups.append(np.sort(order[:size]))
        order = order[size:]
    return groups


_SOUND = 2.0**-33
"""Share of a unit's magnitude up to which a proved bound is small enough to route its signs by."""


_SHOWN = 8.0
"""Ratio of a unit's errors behind a fold to those in front of it from which those behind are not all there are."""

_FEWEST, _MOST, _PROBED = 4, 16, 10**10
"""Probes beside the corners, and products that an evaluation at all of them should not exceed."""
_ROOM = 1 << 23
"""Bytes that the values of the widest node may take: points are tried in parts."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A network as it is at some points of a domain: what bounds of its rounding errors are made of.

    Attributes:
        network: The network.
        inputs: [k, *input_shape] points of the domain.
        terms: [*input_shape] to what inputs are rounded relatively (`Domain.terms`).
        safety: Multiple of the measured error.
    """

    network: Network
    inputs: np.ndarray
    terms: np.ndarray
    safety: float

    @cached_property
    def _parts(self) -> Sequence[torch.Tensor]:
        x = torch.from_numpy(np.ascontiguousarray(self.inputs, np.float64))
        return x.split(max(1, _ROOM // (8 * max(node.size for node in self.network.nodes))))

    @cached_property
    def _sizes(self) -> torch.Tensor:
        return torch.from_numpy(np.array(self.terms, np.float64)).reshape(1, *self.network.input_shape)

    @cached_property
    def _seen(self) -> tuple[list[np.ndarray], dict[int, np.ndarray]]:
        return _seen(self.network, self._parts)

    @cached_property
    def _measured(self) -> list[np.ndarray]:
        return _measured_errors(self.network, self._parts, self._sizes, self._seen[1])

    def bounds(self, longer: Mapping[int, int] = MappingProxyType({})) -> tuple[Bounds, ...]:
        """How near to zero a value of each node may be for its sign to be in doubt.

        Two estimates. A running error bound, which adds up magnitudes and holds for sure; it grows with each layer by
        the norm of the weights' absolute values, and is useless behind some fifteen. And a measured error: the network
        is evaluated twice, the second time with every op's rounding error made anew at random, and the difference is
        taken `safety` times. Neither decides a sign: what is nearer to zero is decided in exact arithmetic.

        Args:
            longer: For some nodes, how many more roundings their values have than a forward pass gives them.

        Returns:
            Magnitude and doubtful distance of each node: the proved bound where it is small, else the measured one.
        """
        network, magnitudes = self.network, self._seen[0]
        proved = _proved_errors(network, magnitudes, self._sizes, longer)
        for error in proved:
            np.maximum(error, np.finfo(np.float64).tiny, out=error)  # products may underflow
        bounds = [Bounds(m, e) for m, e in zip(magnitudes, proved, strict=True)]
        small = [e <= _SOUND * m for m, e in zip(magnitudes, proved, strict=True)]
        folding = {network.nodes[index].inputs[0] for index in network.folds} | {network.output}
        if all(small[index].all() for index in folding):
            return tuple(bounds)
        for index, part in enumerate(small):
            error = np.maximum(
                np.minimum(proved[index], self.safety * self._measured[index]), np.finfo(np.float64).tiny
            )
            bounds[index] = Bounds(magnitudes[index], np.where(part, proved[index], error))
        return tuple(bounds)


def measured_bounds(network: Network, inputs: np.ndarray, terms: np.ndarray, safety: float) -> tuple[Bounds, ...]:
    """The bounds of a `Trial`."""
    return Trial(network, inputs, terms, safety).bounds()


def _seen(network: Network, parts: Sequence[torch.Tensor]) -> tuple[list[np.ndarray], dict[int, np.ndarray]]:
    """Largest absolute value of each unit of each node, and what of each folding node none of some points shows.

    The latter, [pieces, units], are pieces of which the difference of two evaluations tells nothing: not which errors
    they pass on elsewhere.
    """
    readers: dict[int, list[int]] = {}
    for index in network.folds:
        readers.setdefault(network.nodes[index].inputs[0], []).append(index)
    tops = [np.zeros(node.size) for node in network.nodes]
    asleep = {index: np.ones((op.count, network.nodes[index].size), bool) for index, op in network.folds.items()}
    for x in parts:
        for source, value in walk(network, x):
            np.maximum(tops[source], value.abs().amax(dim=0).reshape(-1).numpy(), out=tops[source])
            for index in readers.get(source, ()):
                pieces = network.folds[index].pieces(value).reshape(len(value), -1).numpy()
                asleep[index][pieces, np.arange(pieces.shape[1])] = False
    return tops, asleep


def _proved_errors(
    network: Network, magnitudes: Sequence[np.ndarray], inputs: torch.Tensor, longer: Mapping[int, int]
) -> list[np.ndarray]:
    """A bound of the rounding error of each unit where no value is larger than its magnitude."""
    last = last_uses(network)
    tops: dict[int, torch.Tensor] = {}
    proved: dict[int, torch.Tensor] = {}
    errors = []
    with torch.no_grad():
        for index, node in enumerate(network.nodes):
            top = torch.from_numpy(magnitudes[index]).reshape(1, *node.shape)
            sizes, before = [tops[s] for s in node.inputs], [proved[s] for s in node.inputs]
            if before:
                error = _carried(node.op, sizes, before, top, longer.get(index, 0))
            else:
                error = 2 * UNIT_ROUNDOFF * inputs
            largest = top.max() if top.numel() else 0.0
            tops[index] = torch.where(top > 0, top, largest)  # a unit that no input wakes may be large elsewhere
            proved[index] = error
            errors.append(error.reshape(-1).numpy())
            for source in set(node.inputs):
                if last[source] == index:
                    del proved[source], tops[source]
    return errors


def _measured_errors(
    network: Network, parts: Sequence[torch.Tensor], inputs: torch.Tensor, asleep: Mapping[int, np.ndarray]
) -> list[np.ndarray]:
    """Largest difference of each unit between two evaluations, the second one with rounding errors made anew."""
    generator = np.random.default_rng(0)
    errors = [np.zeros(node.size) for node in network.nodes]
    for x in parts:
        _compare_evaluations(network, x, inputs, asleep, generator, errors)
    return errors


def _compare_evaluations(
    network: Network,
    x: torch.Tensor,
    inputs: torch.Tensor,
    asleep: Mapping[int, np.ndarray],
    generator: np.random.Generator,
    errors: Sequence[np.ndarray],
) -> None:
    """Raise `errors` to the differences of two evaluations at some points."""
    last = last_uses(network)
    values: dict[int, torch.Tensor] = {}
    twins: dict[int, torch.Tensor] = {}
    with torch.no_grad():
        for index, node in enumerate(network.nodes):
            sources = [values[source] for source in node.inputs]
            value = node.op.evaluate(*sources) if sources else x
            size = node.op.terms(sources, value) if sources else inputs.expand_as(x)
            twin = node.op.evaluate(*(twins[source] for source in node.inputs)) if sources else x
            if index in asleep:
                shown = (twin - value).abs_().amax(dim=0).reshape(-1).numpy()
                hidden = torch.from_numpy(_hidden(network.folds[index], errors[node.inputs[0]], asleep[index], shown))
                size = size + hidden.reshape(1, *value.shape[1:]) / (2 * UNIT_ROUNDOFF)
            noise = torch.from_numpy(generator.uniform(-1.0, 1.0, tuple(size.shape)))
            values[index], twins[index] = value, twin + noise.mul_(size).mul_(2 * UNIT_ROUNDOFF)
            local = size.abs().amax(dim=0).mul_(2 * UNIT_ROUNDOFF)
            found = torch.maximum((twins[index] - value).abs_().amax(dim=0), local)
            np.maximum(errors[index], found.reshape(-1).numpy(), out=errors[index])
            for source in set(node.inputs):
                if last[source] == index:
                    del values[source], twins[source]


def _hidden(op: Fold, before: np.ndarray, asleep: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """[n] errors of its input that a folding op passes on where it does what no point has shown.

    A unit may do so at some points, but not at those where its input is off most: what makes its input large may never
    have been awake together with the unit.
    """
    reads = op.reads(np.broadcast_to(np.arange(op.count)[:, None], asleep.shape))
    steep = np.abs(reads.slopes)
    if op.elementwise:  # all pieces read one number, and a steeper one was seen
        asleep = asleep & (steep > np.where(asleep, 0.0, steep).max(axis=0))
    passed = before[reads.places] * steep
    hidden = np.where(asleep, passed, 0.0).max(axis=0)
    most = passed.max(axis=0)
    return np.asarray(np.where(_SHOWN * shown < most, most, hidden))


def _carried(
    op: Op, tops: list[torch.Tensor], errors: list[torch.Tensor], top: torch.Tensor, more: int
) -> torch.Tensor:
    """A bound on the rounding error of an op's value, from the sizes and errors of its inputs.

    Sums may be taken in any order.
    """
    if not op.rounds:
        return op.carried(*errors)
    return op.carried(*errors) * (1 + _SOUND) + (op.addends + 3 + more) * UNIT_ROUNDOFF * op.terms(tops, top)


def probes(corners: np.ndarray, network: Network) -> np.ndarray:
    """Points of the convex hull of some corners: the corners, and others at random.

    Args:
        corners: [m, d] coordinates.
        network: What is to be evaluated there; where that takes long, there are fewer others.

    Returns:
        [m + k, d] coordinates, with k from 4 to 16.
    """
    count = max(_FEWEST, min(_MOST, _PROBED // max(1, sum(products(network)))))
    return np.concatenate([corners, _shares(len(corners), count) @ corners])


@lru_cache(64)
def _shares(corners: int, count: int) -> np.ndarray:
    """[count, corners] shares of corners in points of their hull, at random."""
    return np.random.default_rng(0).dirichlet(np.full(corners, 0.7), count)


def _flat(vector: torch.Tensor) -> np.ndarray:
    return vector.reshape(-1).numpy()


def running_bounds(network: Network, inputs: np.ndarray) -> list[Bounds]:
    """Running-error bounds of every node, with the magnitudes seen at some inputs.

    Args:
        network: The network.
        inputs: [N, *input_shape] the inputs.

    Returns:
        One for each node.
    """
    bounds: list[Bounds] = []
    with torch.no_grad():
        for index, value in walk(network, torch.from_numpy(np.ascontiguousarray(inputs))):
            node, flat = network.nodes[index], value.reshape(len(inputs), -1).numpy()
            if node.inputs:
                shapes = [network.nodes[source].shape for source in node.inputs]
                bounds.append(_propagated(node, [bounds[source] for source in node.inputs], shapes, largest(flat)))
            else:
                bounds.append(input_bounds(flat))
    return bounds


def _propagated(node: Node, inputs: list[Bounds], shapes: list[tuple[int, ...]], magnitude: np.ndarray) -> Bounds:
    """Bounds of a node's output, of the given magnitude, from those of its inputs; errors add in squares."""

    def shaped(vectors: list[np.ndarray]) -> list[torch.Tensor]:
        pairs = zip(vectors, shapes, strict=True)
        return [torch.from_numpy(np.ascontiguousarray(vector)).reshape(1, *shape) for vector, shape in pairs]

    op, errors = node.op, [bounds.error for bounds in inputs]
    if node.affine is not None and op.rounds:
        local = 2 * UNIT_ROUNDOFF * _flat(op.magnitude(*shaped([bounds.magnitude for bounds in inputs])))
        return Bounds(magnitude, np.sqrt(_flat(node.affine.spread(*shaped([error**2 for error in errors]))) + local**2))
    constants = op.magnitude(*shaped([np.zeros_like(error) for error in errors]))
    return Bounds(magnitude, _flat(op.carried(*shaped(errors))) + UNIT_ROUNDOFF * _flat(constants))


def largest(values: np.ndarray) -> np.ndarray:
    """Largest absolute value of each column."""
    return np.maximum(values.max(axis=0), -values.min(axis=0))
