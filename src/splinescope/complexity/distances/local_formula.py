r"""The usual local formula for distances to folds and to the decision boundary, and where it can be trusted.

The formula is $\min_k |h_k(x)| / \|\nabla h_k(x)\|$ over some units $k$, or over differences of outputs. Three things
are true of it, for a point $x$ in the interior of a cell.

1. *Over all units of all layers it is exact.* The cell is the set where the affine forms of all units keep their signs,
   so that its boundary, which consists of folds, is as far as the nearest of these hyperplanes: the foot point on the
   nearest one is in the closed cell, since the segment to it crosses no other hyperplane; and a segment to any fold
   outside the cell leaves the cell first. Hyperplanes that are not facets don't matter: they are behind the boundary.
2. *Over the units of one layer it is neither an upper nor a lower bound.* The forms hold on the cell of the layers
   before, and the foot point may lie outside. Let $\rho$ be the distance to the nearest fold of the layers before,
   which is their own formula. If the formula gives at most $\rho$ it is exact; otherwise the truth is at least $\rho$.
   So `lower` is a true lower bound and `certain` says where the formula is proven.
3. The same holds for the decision boundary, with $\rho$ from all layers.

On a domain distances are within its affine hull, in the metric of the input space, and folds outside of it count too.

Source: the formula is that of Balestriero et al. (2019), arXiv 1905.08443, and of Hanin and Rolnick (2019), arXiv
1901.09021.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from splinescope.complexity.branches import folds_before
from splinescope.complexity.metric import frame_of
from splinescope.complexity.walls import BranchForms, branch_forms, in_chunks
from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.inputs import in_shape
from splinescope.network.load import ModelLike, as_network
from splinescope.shown import Shown
from splinescope.tessellation.branches.walk import pieces_at
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.metric import check_choice


@dataclass(frozen=True, eq=False)
class LocalDistances(Shown):
    """What the local formula gives at some points, in the metric of the input space.

    Attributes:
        ops: The nodes that fold.
        layers: Formula over the units of each of these nodes; infinite where no unit of it has a gradient.
        units: Unit that attains it.
        lower: True lower bound for the distance to the nearest fold of each node.
        boundary: Formula for the decision boundary; infinite where outputs differ by a constant.
        boundary_lower: True lower bound for the distance to the decision boundary.
        classes: Class of each point.
    """

    ops: tuple[int, ...]
    layers: Float[np.ndarray, "n layers"]
    units: Int[np.ndarray, "n layers"]
    lower: Float[np.ndarray, "n layers"]
    boundary: Float[np.ndarray, " n"]
    boundary_lower: Float[np.ndarray, " n"]
    classes: Int[np.ndarray, " n"]

    @property
    def fold(self) -> Float[np.ndarray, " n"]:
        """Distance to the nearest fold of any unit, which is exact; infinite for a network without folds."""
        return self.layers.min(axis=1, initial=math.inf)

    @property
    def certain(self) -> Bool[np.ndarray, "n layers"]:
        """Where the formula for one node is proven to be exact."""
        return self.layers <= self.lower

    @property
    def boundary_certain(self) -> Bool[np.ndarray, " n"]:
        """Where the formula for the decision boundary is proven to be exact."""
        return self.boundary <= self.boundary_lower


def local_distances(
    network: ModelLike,
    points: ArrayLike,
    domain: Domain | None = None,
    *,
    space: str = "input",
    classes: tuple[int, ...] | None = None,
) -> LocalDistances:
    r"""Evaluate the local formula for the folds of each layer and for the decision boundary.

    Args:
        network: The network; or a module or the path of a file, which is imported with the points' shape where it does
            not tell its own. With one output the classes are those of its sign.
        points: Inputs [n, *input_shape], each may be flat, or with a domain their coordinates [n, d].
        domain: Distances are measured within the affine hull of this domain; in the whole input space if None.
        space: "input" for the metric of the input space, "domain" for that of the domain's coordinates.
        classes: Outputs that compete for the decision boundary; all if None.

    Returns:
        The distances, and what is certain of them. Cost: d + 1 forward passes for each point.

    Raises:
        InvalidInputError: If `points` has another shape.

    Example:
        The fold of one ReLU unit is the line x + y = 1:

        >>> import splinescope, torch
        >>> module = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.ReLU(), torch.nn.Linear(1, 1)).double()
        >>> _ = torch.nn.init.constant_(module[0].weight, 1.0), torch.nn.init.constant_(module[0].bias, -1.0)
        >>> found = local_distances(splinescope.load(module), [[0.0, 0.0], [2.0, 0.0]])
        >>> found.fold.round(6).tolist()
        [0.707107, 0.707107]
    """
    check_choice("space", space, ("domain", "input"))
    network = network_at(network, points, domain)
    inputs = inputs_of(network, points, domain)
    frame = frame_of(network, domain, space)
    folding = [i for i, node in enumerate(network.nodes[: network.output + 1]) if node.units]
    n = len(inputs)
    layers, units = np.full((n, len(folding)), np.inf), np.full((n, len(folding)), -1, dtype=np.int64)
    boundary, labels = np.full(n, np.inf), np.zeros(n, dtype=np.int64)
    for rows in in_chunks(network, n, frame):
        forms = branch_forms(network, pieces_at(network, inputs[rows]), inputs[rows], frame)
        for column, wall in enumerate(forms.walls):
            ratios = _ratios(np.where(wall.present, np.maximum(wall.margins, 0.0), np.inf), wall.gradients)
            best = ratios.argmin(axis=1)
            layers[rows, column] = ratios[np.arange(len(ratios)), best]
            units[rows, column] = wall.units[best]
        boundary[rows], labels[rows] = _boundary(forms, classes)
    lower = layers.copy()
    for column, node in enumerate(folding):
        before = [folding.index(i) for i in folds_before(network, node)]
        lower[:, column] = layers[:, [column, *before]].min(axis=1)
    nearest = layers.min(axis=1, initial=np.inf)
    return LocalDistances(tuple(folding), layers, units, lower, boundary, np.minimum(boundary, nearest), labels)


def unit_distances(
    network: ModelLike, points: ArrayLike, op: int, unit: int, domain: Domain | None = None, *, space: str = "input"
) -> Float[np.ndarray, " n"]:
    r"""Evaluate the local formula $|h(x)| / \|\nabla h(x)\|$ for one unit.

    Args:
        network: As in `local_distances`.
        points: As in `local_distances`.
        op: Node of the unit.
        unit: Flat index of the unit in that node's output.
        domain: As in `local_distances`.
        space: As in `local_distances`.

    Returns:
        Distances, infinite where the unit is constant.

    Raises:
        InvalidInputError: If the points have another shape, or `space` is another word.

    Cost: d + 1 forward passes for each point.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> unit_distances(relu, [[3.0, 4.0]], op=1, unit=1).tolist()  # the fold of the second unit is the first axis
        [4.0]
    """
    check_choice("space", space, ("domain", "input"))
    network = network_at(network, points, domain)
    inputs = inputs_of(network, points, domain)
    frame = frame_of(network, domain, space)
    out = np.full(len(inputs), np.inf)
    for rows in in_chunks(network, len(inputs), frame):
        forms = branch_forms(network, pieces_at(network, inputs[rows]), inputs[rows], frame)
        wall = next(wall for wall in forms.walls if wall.node == op)
        mine = np.flatnonzero(wall.units == unit)
        margins = np.where(wall.present, np.maximum(wall.margins, 0.0), np.inf)[:, mine]
        out[rows] = _ratios(margins, wall.gradients[:, :, mine]).min(axis=1, initial=np.inf)
    return out


def network_at(model: ModelLike, points: ArrayLike, domain: Domain | None) -> Network:
    """The network that a user means, with the input shape of a domain or of points where it does not tell its own.

    Args:
        model: A network, or a module or file of one.
        points: Inputs [n, *input_shape], or coordinates.
        domain: The domain, or None.

    Returns:
        The network.

    Raises:
        InvalidInputError: If there is no network.
    """
    return as_network(model, np.array(points, np.float64).shape[1:] if domain is None else domain.input_shape)


def inputs_of(network: Network, points: ArrayLike, domain: Domain | None) -> torch.Tensor:
    """Inputs as a batch of tensors.

    Args:
        network: The network.
        points: Inputs, or coordinates of a domain.
        domain: The domain, or None.

    Returns:
        [n, *input_shape] in float64.

    Raises:
        InvalidInputError: If `points` has another shape, or a number is not finite.
    """
    array = np.array(points, dtype=np.float64)
    expected = network.input_shape if domain is None else (domain.dimension,)
    shaped = in_shape(array, expected, batched=True) if array.ndim > 1 else None
    if shaped is None:
        raise InvalidInputError(
            f"`points`: got shape {array.shape}; expected [n, {', '.join(map(str, expected))}] "
            f"{'inputs' if domain is None else 'coordinates of the domain'}"
        )
    if not np.isfinite(array).all():
        raise InvalidInputError("`points`: some numbers are NaN or infinite; expected finite numbers")
    return torch.from_numpy(shaped if domain is None else domain.embed(array).reshape(-1, *network.input_shape))


def _ratios(margins: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Margins divided by the norms of their gradients; infinite where there is no gradient."""
    norms = np.sqrt(np.einsum("ndk,ndk->nk", gradients, gradients))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios: np.ndarray = np.where(norms > 0, margins / norms, np.inf)
    return ratios


def _boundary(forms: BranchForms, classes: tuple[int, ...] | None) -> tuple[np.ndarray, np.ndarray]:
    """Formula for the decision boundary, and classes."""
    values, slopes = forms.outputs, forms.slopes
    if values.shape[1] == 1:
        return _ratios(np.abs(values), slopes)[:, 0], (values[:, 0] > 0).astype(np.int64)
    labels = np.arange(values.shape[1]) if classes is None else np.array(classes)
    values, slopes = values[:, labels], slopes[:, :, labels]
    rows = np.arange(len(values))
    best = values.argmax(axis=1)
    ratios = _ratios(values[rows, best][:, None] - values, slopes[rows, :, best][:, :, None] - slopes)
    ratios[rows, best] = np.inf
    return ratios.min(axis=1), labels[best]
