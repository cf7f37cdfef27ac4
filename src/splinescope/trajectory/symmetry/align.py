"""Alignment of two networks, and the barrier of the loss between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.inputs import finite_batch
from splinescope.network.load import ModelLike, as_network
from splinescope.numerics import check_number
from splinescope.shown import Shown
from splinescope.trajectory.symmetry.canonical import check_same_graph
from splinescope.trajectory.symmetry.matching import distance, match_activations, match_weights
from splinescope.trajectory.symmetry.modules import permute_module
from splinescope.trajectory.symmetry.symmetries import Symmetries, Symmetry, symmetries


@dataclass(frozen=True, eq=False)
class Alignment:
    """How the channels of one network were permuted to be those of another.

    Attributes:
        aligned: The permuted copy: a module if one came, else a network.
        symmetry: The permutations.
        symmetries: The symmetries among which it was chosen.
        distance_before: Euclidean distance of the weights, batch-norm folded in, before.
        distance_after: The same after.
    """

    aligned: Any
    symmetry: Symmetry
    symmetries: Symmetries
    distance_before: float
    distance_after: float


def align(
    a: ModelLike,
    b: ModelLike,
    data: Any = None,
    *,
    seed: int = 0,
    sweeps: int = 100,
    input_shape: Sequence[int] | None = None,
) -> Any:
    """The copy of `b` with its channels permuted to be those of `a`; what it computes stays.

    Args:
        a: A network, a module, or the path of a file.
        b: Another of the same graph, which stays as it is.
        data: [N, *input_shape] inputs on which channels are compared; None compares weights.
        seed: Of the order in which groups of channels are matched.
        sweeps: Most passes over the groups.
        input_shape: Shape of one input, for modules with convolutions that are compared without data.

    Returns:
        The permuted copy: a module of the same class if `b` is one, else a network. See `alignment` for more of it.

    Raises:
        InvalidInputError: If their graphs differ, or a module has weights in unknown places.

    Cost: that of `alignment`, and a copy of the module.

    Example:
        >>> import numpy as np, torch
        >>> a = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
        >>> b = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
        >>> order = torch.tensor([3, 1, 4, 0, 2])
        >>> with torch.no_grad():
        ...     for part, values in ((b[0].weight, a[0].weight[order]), (b[0].bias, a[0].bias[order]),
        ...                          (b[2].weight, a[2].weight[:, order]), (b[2].bias, a[2].bias)):
        ...         _ = part.copy_(values)
        >>> torch.equal(align(a, b)[0].weight, a[0].weight)
        True
    """
    return alignment(a, b, data, seed=seed, sweeps=sweeps, input_shape=input_shape).aligned


def alignment(
    a: ModelLike,
    b: ModelLike,
    data: Any = None,
    *,
    seed: int = 0,
    sweeps: int = 100,
    input_shape: Sequence[int] | None = None,
) -> Alignment:
    """Align two networks and say how.

    Channels are matched by `scipy.optimize.linear_sum_assignment`, group by group: by their weights (coordinate
    descent, "Git Re-Basin", Ainsworth et al. 2023) or by their activations on data. Groups are found from the graph:
    channels that skips add go together, batch-norm goes with the layer that it follows.

    Args:
        a: A network, a module, or the path of a file.
        b: Another of the same graph, which stays as it is.
        data: [N, *input_shape] inputs on which channels are compared; None compares weights.
        seed: Of the order in which groups are matched.
        sweeps: Most passes over the groups.
        input_shape: Shape of one input, for modules with convolutions that are compared without data.

    Returns:
        The alignment.

    Raises:
        InvalidInputError: If their graphs differ, or a module has weights in unknown places.

    Cost: for each group and sweep a product of matrices and an assignment; with data one forward pass of each.

    Example:
        >>> import torch
        >>> a = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
        >>> torch.equal(alignment(a, a).aligned[0].weight, a[0].weight)
        True
    """
    shape = None if input_shape is None else tuple(input_shape)
    if data is not None and shape is None:
        shape = tuple(np.shape(data)[1:])
    one = as_network(a, shape, "a")
    other = as_network(b, one.input_shape, "b")
    check_same_graph(one, other)
    among = symmetries(other)
    if data is None:
        orders = match_weights(one, other, among, np.random.default_rng(seed), sweeps)
    else:
        orders = match_activations(one, other, among, finite_batch(data, one.input_shape, "data"))
    symmetry = replace(among.identity(), permutations=orders)
    aligned = permute_module(b, among, orders) if isinstance(b, nn.Module) else among.apply(symmetry)
    before = distance(one, other, among, among.identity().permutations)
    return Alignment(aligned, symmetry, among, before, distance(one, other, among, orders))


@dataclass(frozen=True)
class LossBarrier(Shown):
    r"""The loss on the straight line between two networks.

    Attributes:
        t: Positions, from 0 at the first to 1 at the second.
        losses: Loss at each.
        barrier: $\max_t L(t) - ((1 - t) L(0) + t L(1))$, at least 0.
        where: The position at which it is attained.
    """

    t: Float[np.ndarray, " points"]
    losses: Float[np.ndarray, " points"]
    barrier: float
    where: float


def loss_barrier(
    a: nn.Module | Network,
    b: nn.Module | Network,
    inputs: Any,
    targets: Any,
    loss: Callable[[Tensor, Tensor], Tensor] = nn.functional.cross_entropy,
    *,
    points: int = 25,
    statistics: str = "keep",
) -> LossBarrier:
    """The loss at equal steps of the straight line between the weights of two networks, and its barrier.

    Args:
        a: A module, or a network.
        b: Another of the same kind and graph, such as `align(a, b)`.
        inputs: [N, *input_shape] inputs.
        targets: [N] targets, as the loss takes them.
        loss: Of outputs and targets, the mean over the batch; outputs of networks are those before their heads.
        points: Number of positions.
        statistics: Of batch-norm in modules on the way: "keep" interpolates them, "recompute" measures them anew on the
            inputs (Jordan et al., "REPAIR", 2023).

    Returns:
        The losses.

    Raises:
        InvalidInputError: If the two don't fit, there are no inputs, or an option is unknown or out of range.

    Cost: one forward pass for each position, twice that for "recompute".

    Example:
        >>> import torch
        >>> a = torch.nn.Linear(2, 3)
        >>> abs(loss_barrier(a, a, torch.ones(4, 2), torch.zeros(4, dtype=torch.long)).barrier) < 1e-6
        True
    """
    if statistics not in ("keep", "recompute"):
        raise InvalidInputError(f"`statistics`: got {statistics!r}; expected 'keep' or 'recompute'")
    x, y = torch.as_tensor(inputs), torch.as_tensor(targets)
    if not len(x) or len(x) != len(y):
        raise InvalidInputError(f"`targets`: got {len(y)} for {len(x)} inputs; expected one for each, and at least one")
    at = np.linspace(0.0, 1.0, check_number("points", points, 2))
    with torch.no_grad():
        losses = np.array([float(loss(_outputs(a, b, float(t), x, statistics), y)) for t in at])
    excess = losses - ((1 - at) * losses[0] + at * losses[-1])
    worst = int(excess.argmax())
    return LossBarrier(at, losses, max(0.0, float(excess[worst])), float(at[worst]))


def _outputs(a: nn.Module | Network, b: nn.Module | Network, t: float, x: Tensor, statistics: str) -> Tensor:
    from splinescope.trajectory.symmetry.interpolation import between_modules, between_networks

    if isinstance(a, Network) and isinstance(b, Network):
        return between_networks(a, b, t)(x.double())
    if isinstance(a, nn.Module) and isinstance(b, nn.Module):
        module = between_modules(a, b, t, x if statistics == "recompute" else None)
        return module(x.to(next(module.parameters()).dtype))
    raise InvalidInputError(
        f"`b`: got a {type(b).__name__} beside a {type(a).__name__}; expected two modules, or two networks"
    )
