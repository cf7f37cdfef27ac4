"""The symmetries of a network: permutations of its channels and positive rescalings, counted, applied, undone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.load import ModelLike, as_network
from splinescope.shown import Shown
from splinescope.trajectory.symmetry.layouts import Layouts, layouts
from splinescope.trajectory.symmetry.weights import along, permuted, weights_of, with_weights


@dataclass(frozen=True, eq=False)
class Symmetry(Shown):
    r"""One symmetry: for each group of channels a permutation and positive factors.

    The new channel $j$ of a group is the old channel `permutations[g][j]`, times `factors[g][j]`.

    Attributes:
        permutations: For each group the old channel at each new place.
        factors: For each group one positive factor for each new channel.
    """

    permutations: tuple[Int[np.ndarray, " _"], ...]
    factors: tuple[Float[np.ndarray, " _"], ...]

    def inverse(self) -> Symmetry:
        """The symmetry that undoes this one."""
        back = tuple(np.argsort(permutation) for permutation in self.permutations)
        factors = tuple(1.0 / factor[order] for factor, order in zip(self.factors, back, strict=True))
        return Symmetry(back, factors)

    def after(self, first: Symmetry) -> Symmetry:
        """Both in one, `first` and then this one.

        Args:
            first: A symmetry of the same network.

        Returns:
            The symmetry.
        """
        pairs = list(zip(first.permutations, self.permutations, strict=True))
        factors = zip(self.factors, first.factors, self.permutations, strict=True)
        return Symmetry(
            tuple(inner[outer] for inner, outer in pairs), tuple(own * old[order] for own, old, order in factors)
        )


@dataclass(frozen=True, eq=False)
class Symmetries(Shown):
    r"""All permutations and positive rescalings that leave a network's function as it is.

    Attributes:
        groups: For each group of channels that are permuted together its number of channels.
        names: Names of the nodes that make each group: one, or several that skips tie.
        rescalable: Whether channels of each group can be rescaled: all its activations commute with positive factors.
        permutations: Number of permutations, $\prod_g C_g!$, an exact integer.
        network: The network.
        layouts: How the values of its nodes are made of the groups.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
        >>> symmetries(net).permutations, symmetries(net).rescalings
        (120, 5)
    """

    groups: tuple[int, ...]
    names: tuple[tuple[str, ...], ...]
    rescalable: tuple[bool, ...]
    permutations: int
    network: Network
    layouts: Layouts

    @property
    def log2_permutations(self) -> float:
        """Binary logarithm of the number of permutations, to round-off, however large that is."""
        return math.fsum(math.lgamma(size + 1) for size in self.groups) / math.log(2)

    @property
    def rescalings(self) -> int:
        """Number of positive factors that can be chosen freely, the dimension of the group of rescalings."""
        return sum(size for size, free in zip(self.groups, self.rescalable, strict=True) if free)

    def identity(self) -> Symmetry:
        """The symmetry that changes nothing."""
        return Symmetry(tuple(np.arange(size) for size in self.groups), tuple(np.ones(size) for size in self.groups))

    def random(self, generator: np.random.Generator, spread: float = 1.0) -> Symmetry:
        """A uniform permutation of each group, and factors whose logarithms are normal where they are free.

        Args:
            generator: Of random numbers.
            spread: Standard deviation of the logarithms; 0 for permutations alone.

        Returns:
            The symmetry.
        """
        orders = tuple(generator.permutation(size) for size in self.groups)
        logs = (spread * generator.standard_normal(size) for size in self.groups)
        factors = (np.exp(log) if free else np.ones(len(log)) for log, free in zip(logs, self.rescalable, strict=True))
        return Symmetry(orders, tuple(factors))

    def apply(self, symmetry: Symmetry, network: Network | None = None) -> Network:
        """The network with its channels permuted and rescaled; what it computes stays, to round-off.

        Args:
            symmetry: What to apply; `symmetry.inverse()` undoes it.
            network: Another network of the same graph; that of the symmetries if None.

        Returns:
            A new network. Permutations alone move numbers and round nothing; cost: one pass over the weights.

        Raises:
            InvalidInputError: If the symmetry is none of this network.
        """
        self._check(symmetry)
        network = self.network if network is None else network
        nodes = list(network.nodes)
        for index, node in enumerate(nodes):
            weights = []
            for weight in weights_of(network, index):
                moved = permuted(network, weight, self.layouts, symmetry.permutations)
                value = moved.value
                for axis in weight.axes:
                    factor = self._factors(axis.node, symmetry.factors)
                    places = along(weight, axis, np.arange(len(factor)), network.nodes[axis.node].shape)
                    factor = factor[places * (len(factor) // max(1, len(places)))] ** float(axis.power)
                    value = value * factor.reshape(-1, *(1,) * (value.ndim - axis.axis - 1))
                weights.append(replace(moved, value=value))
            nodes[index] = with_weights(node, weights)
        return replace(network, nodes=tuple(nodes))

    def _factors(self, node: int, factors: tuple[np.ndarray, ...]) -> np.ndarray:
        """The factor of each number of a node's value."""
        runs = self.layouts.runs[node]
        parts = [np.ones(run.size) if run.group < 0 else np.repeat(factors[run.group], run.block) for run in runs]
        return np.concatenate([np.empty(0), *parts])

    def _check(self, symmetry: Symmetry) -> None:
        sizes = tuple(len(permutation) for permutation in symmetry.permutations)
        if sizes != self.groups or tuple(len(factor) for factor in symmetry.factors) != self.groups:
            raise InvalidInputError(f"`symmetry`: got groups of {sizes} channels; those of the network: {self.groups}")
        for number, (factor, free) in enumerate(zip(symmetry.factors, self.rescalable, strict=True)):
            if not (factor > 0).all() or not (free or (factor == 1).all()):
                wanted = "positive factors" if free else "factors 1, for an activation of it is not homogeneous"
                raise InvalidInputError(
                    f"`symmetry`: group {number} ({', '.join(self.names[number])}): expected {wanted}"
                )
            if not np.array_equal(np.sort(symmetry.permutations[number]), np.arange(len(factor))):
                raise InvalidInputError(f"`symmetry`: the order of group {number} is no permutation")


def symmetries(network: ModelLike) -> Symmetries:
    r"""The symmetries of a network: channels that can be permuted together, and those that can be rescaled.

    Permuting the units of a layer, and the columns of the layers that read them, leaves the function as it is; so does
    a positive factor of a unit whose activation is positively homogeneous. Channels that are added, as by skips, must
    be permuted alike: the groups are found from the graph. The input and the output stay.

    Source: the $\prod_l n_l!$ of Rocke (2019) counts networks without skips; rescalings it leaves out.

    Args:
        network: A network, or a module that tells its input shape, or the path of a file.

    Returns:
        The symmetries. Units that compute the same, or nothing, have more; these are not counted.

    Cost: linear in the nodes and the units.

    Example:
        >>> import torch
        >>> symmetries(torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))).permutations
        24
    """
    network = as_network(network)
    found = layouts(network)
    makers: list[list[str]] = [[] for _ in found.sizes]
    free = [True] * len(found.sizes)
    for index, node in enumerate(network.nodes):
        groups = {run.group for run in found.runs[index]} - {-1}
        for group in groups:
            if hasattr(node.op, "weight"):
                makers[group].append(node.name)
            if node.fold is not None and not node.fold.homogeneous:
                free[group] = False
    count = math.prod(math.factorial(size) for size in found.sizes)
    return Symmetries(found.sizes, tuple(map(tuple, makers)), tuple(free), count, network, found)
