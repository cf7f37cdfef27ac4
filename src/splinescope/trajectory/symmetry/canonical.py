"""One network for all that are equal up to symmetry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.load import ModelLike, as_network
from splinescope.shown import Shown
from splinescope.trajectory.symmetry.symmetries import Symmetries, Symmetry, symmetries
from splinescope.trajectory.symmetry.weights import weights_of


@dataclass(frozen=True, eq=False)
class CanonicalForm(Shown):
    """A network in canonical form.

    Attributes:
        network: The network, with channels in order and, where they can be rescaled, weights of norm 1 going in.
        symmetry: The symmetry that made it; its inverse gives the original back.
    """

    network: Network
    symmetry: Symmetry


def canonical_form(network: ModelLike) -> CanonicalForm:
    r"""The canonical one among the networks that differ from a network by permutations and positive rescalings.

    Group by group from the input: each channel is scaled so that the weights and the bias of the first layer that makes
    it have norm 1, then channels are sorted by a fixed generic linear function of these. Channels whose weights are the
    same stay in their order, and channels without any keep their scale.

    Args:
        network: A network, or a module that tells its input shape, or the path of a file.

    Returns:
        The form. Two networks that are equal up to symmetry have the same one to round-off, unless two channels of a
        group have proportional incoming weights, or one has none. Cost: one pass over the weights for each group.

    Example:
        >>> import numpy as np, torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
        >>> group = symmetries(net)
        >>> other = group.apply(group.random(np.random.default_rng(0)))
        >>> equal_up_to_symmetry(net, other)
        True
    """
    among = symmetries(network)
    current = among.identity()
    for group, size in enumerate(among.groups):
        rows = _rows(among, current, group)
        norms = np.linalg.norm(rows, axis=1)
        factors = np.where(norms > 0, 1.0 / np.where(norms > 0, norms, 1.0), 1.0)
        factors = factors if among.rescalable[group] else np.ones(size)
        keys = (rows * factors[:, None]) @ np.random.default_rng(0).standard_normal(rows.shape[1])
        order = np.argsort(keys, kind="stable")
        orders, scales = list(current.permutations), list(current.factors)
        orders[group], scales[group] = order, factors[order]
        current = Symmetry(tuple(orders), tuple(scales))
    return CanonicalForm(among.apply(current), current)


def equal_up_to_symmetry(a: ModelLike, b: ModelLike, tolerance: float = 1e-9) -> bool:
    """Whether two networks of one graph differ by permutations of channels and positive rescalings alone.

    Args:
        a: A network, a module that tells its input shape, or the path of a file.
        b: Another.
        tolerance: Largest difference of two weights in canonical form, relative to the largest weight of their layer.

    Returns:
        Whether their canonical forms agree: True is certain to within the tolerance. Networks of one function need not:
        a unit may be dead, or doubled. Nor need networks that are equal up to symmetry if two channels of a group have
        proportional incoming weights, or one has none: what tells these apart comes later in the network.

    Raises:
        InvalidInputError: If their graphs differ, or `tolerance` is no number from 0 on.

    Cost: linear in the weights, and a sort of the units of each layer.

    Example:
        >>> import torch
        >>> a = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
        >>> b = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
        >>> equal_up_to_symmetry(a, a), equal_up_to_symmetry(a, b)
        (True, False)
    """
    if not tolerance >= 0:
        raise InvalidInputError(f"`tolerance`: got {tolerance}; expected a number from 0 on")
    one, other = as_network(a), as_network(b)
    check_same_graph(one, other)
    forms = [canonical_form(network).network for network in (one, other)]
    for index in range(len(one.nodes)):
        for first, second in zip(*(weights_of(form, index) for form in forms), strict=True):
            scale = max(np.abs(first.value).max(initial=0.0), np.abs(second.value).max(initial=0.0))
            if np.abs(first.value - second.value).max(initial=0.0) > tolerance * scale:
                return False
    return True


def check_same_graph(a: Network, b: Network) -> None:
    """Refuse two networks that differ in more than their numbers.

    Args:
        a: A network.
        b: Another.

    Raises:
        InvalidInputError: If their nodes differ in number, op, inputs or shape.
    """
    if len(a.nodes) != len(b.nodes) or a.output != b.output:
        raise InvalidInputError(f"`b`: it has {len(b.nodes)} nodes, and `a` {len(a.nodes)}; expected the same graph")
    for one, other in zip(a.nodes, b.nodes, strict=True):
        if (type(one.op), one.inputs, one.shape) != (type(other.op), other.inputs, other.shape):
            raise InvalidInputError(
                f"`b`: its node `{other.name}` of shape {other.shape} is not `{one.name}` of shape {one.shape} of `a`; "
                "expected two networks of the same graph"
            )


def _rows(among: Symmetries, current: Symmetry, group: int) -> np.ndarray:
    """[C, k] weights and biases of the first layer that makes a group, with what came before in canonical form."""
    network = among.apply(current)
    index = next(
        index
        for index, node in enumerate(network.nodes)
        if hasattr(node.op, "weight") and any(run.group == group for run in among.layouts.runs[index])
    )
    parts = []
    for weight in weights_of(network, index):
        (axis,) = (axis.axis for axis in weight.axes if axis.node == index)
        parts.append(np.moveaxis(weight.value, axis, 0).reshape(among.groups[group], -1))
    return np.concatenate(parts, axis=1)
