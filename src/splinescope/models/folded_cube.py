r"""Networks that fold the unit cube onto itself, and so have as many cells as the lower bounds promise.

A layer that folds each of $d$ coordinates $p$ times onto [0, 1] maps $p^d$ small cubes onto the whole cube; whatever
the layers after it do to the cube is then done to every small cube.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.models.layers import affine_layer


def coordinate_folding(inputs: int, depth: int, *, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    r"""Coordinate-wise folding by absolute values: $x \mapsto |2 x - 1|$, `depth` times.

    Each layer reflects at the middle of every coordinate. The weights are a multiple of the identity, so that the
    pieces of any later hyperplane are mirror images of one another.

    Args:
        inputs: Number $d$ of coordinates.
        depth: Number $L$ of layers.
        dtype: Type of the weights.

    Returns:
        A module that maps [N, d] to [N, d]. On the cube $[0, 1]^d$ it has exactly $2^{L d}$ cells, equal cubes.

    Raises:
        InvalidInputError: If a number is not positive.

    Cost: $2 L d^2$ weights.

    Example:
        >>> folded = coordinate_folding(2, depth=2)
        >>> folded(torch.tensor([[0.125, 0.5]], dtype=torch.float64)).tolist()
        [[0.5, 1.0]]
    """
    if inputs < 1 or depth < 1:
        raise InvalidInputError(f"`inputs`, `depth`: got {inputs} and {depth}; expected positive numbers")
    layers: list[nn.Module] = []
    for _ in range(depth):
        eye = torch.eye(inputs, dtype=torch.float64)
        layers += [affine_layer(2 * eye, torch.full((inputs,), -1.0), dtype), _Absolute()]
    return nn.Sequential(*layers)


def montufar_network(inputs: int, widths: Sequence[int], *, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    r"""The network that attains the lower bound of Montufar et al. for the largest number of cells.

    Every hidden layer but the last folds each of the $d$ coordinates $p_l = \lfloor n_l / d \rfloor$ times onto
    [0, 1]; the last layer is an arrangement of hyperplanes in general position all of whose vertices lie inside the
    cube. On the cube $[0, 1]^d$ it has exactly
    $\prod_{l<L} \lfloor n_l/d \rfloor^d \cdot \sum_{j \le d} \binom{n_L}{j}$ cells. Source: Montufar, Pascanu, Cho and
    Bengio, "On the number of linear regions of deep neural networks" (2014).

    Args:
        inputs: Number $d$ of inputs.
        widths: Number of units $n_1, \dots, n_L$ of each hidden layer, at least $d$ in all but the last. Units that
            exceed a multiple of $d$ are never active.
        dtype: Type of the weights.

    Returns:
        A module that maps [N, d] to [N, 1].

    Raises:
        InvalidInputError: If there is no layer, or one is too narrow.

    Cost: the weights, of which layer $l$ has $n_{l - 1} n_l$.

    Example:
        >>> [layer.out_features for layer in montufar_network(2, [4, 6]) if isinstance(layer, nn.Linear)]
        [4, 6, 1]
    """
    _check_widths(inputs, widths, 1)
    return _folding_network(inputs, widths, [_pleats(width // inputs) for width in widths[:-1]], dtype)


def serra_network(inputs: int, widths: Sequence[int], *, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    r"""The network that attains the larger lower bound of Serra et al.: $p$ units fold a coordinate $p + 1$ times.

    As `montufar_network`, but no unit is spent on the piece that begins at 0: two of the $p$ units look the other way,
    and one of the $p + 1$ pieces is half as long as the others, so that the slopes work out. On the cube $[0, 1]^d$ it
    has exactly $\prod_{l<L} (\lfloor n_l/d \rfloor + 1)^d \cdot \sum_{j \le d} \binom{n_L}{j}$ cells. Source of the
    bound: Serra, Tjandraatmadja and Ramalingam, "Bounding and counting linear regions of deep neural networks" (2018).

    Args:
        inputs: Number $d$ of inputs.
        widths: Number of units of each hidden layer, at least $3 d$ in all but the last.
        dtype: Type of the weights.

    Returns:
        A module that maps [N, d] to [N, 1].

    Raises:
        InvalidInputError: If there is no layer, or one is too narrow.

    Cost: the weights, of which layer $l$ has $n_{l - 1} n_l$.

    Example:
        >>> [layer.out_features for layer in serra_network(1, [3, 3]) if isinstance(layer, nn.Linear)]
        [3, 3, 1]
    """
    _check_widths(inputs, widths, 3)
    return _folding_network(inputs, widths, [_more_pleats(width // inputs) for width in widths[:-1]], dtype)


class _Absolute(nn.Module):
    """The absolute value."""

    def forward(self, x: Tensor) -> Tensor:
        return x.abs()


@dataclass(frozen=True)
class _Pleats:
    """A map of [0, 1] onto itself that goes up and down: $z(x) = c + sum_i w_i relu(s_i (x - t_i))$."""

    breakpoints: Tensor
    signs: Tensor
    weights: Tensor
    constant: float


def _pleats(units: int) -> _Pleats:
    """As many pieces of equal length as there are units."""
    numbers = torch.arange(units, dtype=torch.float64)
    weights = 2.0 * units * (-1.0) ** numbers
    weights[0] = units
    return _Pleats(numbers / units, torch.ones_like(numbers), weights, 0.0)


def _more_pleats(units: int) -> _Pleats:
    r"""One piece more than there are units.

    Piece $i$ has the slope $s_i = (-1)^i / w_i$, and the unit between two pieces adds their difference, whichever way
    it looks. Units 2 and 3 look to the left, so that the slope before the first breakpoint is
    $-(s_2 - s_1) - (s_3 - s_2) = s_1 - s_3$, which is $s_0$ for $w_0 = w_1 = 2 w_3$.
    """
    lengths = torch.full((units + 1,), 1 / (units + 0.5), dtype=torch.float64)
    lengths[3] /= 2
    breakpoints = lengths.cumsum(0)[:-1]
    slopes = (-1.0) ** torch.arange(units + 1, dtype=torch.float64) / lengths
    signs = torch.ones(units, dtype=torch.float64)
    signs[1:3] = -1
    weights = slopes.diff()
    return _Pleats(breakpoints, signs, weights, -float(weights[1:3] @ breakpoints[1:3]))


def _folding_network(inputs: int, widths: Sequence[int], folds: Sequence[_Pleats], dtype: torch.dtype) -> nn.Sequential:
    """Folds of every coordinate, then an arrangement."""
    read, offset = torch.eye(inputs, dtype=torch.float64), torch.zeros(inputs, dtype=torch.float64)
    layers: list[nn.Module] = []
    for width, pleats in zip(widths, folds, strict=False):
        units = len(pleats.breakpoints)
        weight, following = (torch.zeros(shape, dtype=torch.float64) for shape in ((width, inputs), (inputs, width)))
        bias = torch.full((width,), -1.0, dtype=torch.float64)  # units left over are never active
        for coordinate in range(inputs):
            rows = slice(coordinate * units, (coordinate + 1) * units)
            weight[rows, coordinate] = pleats.signs
            bias[rows] = -pleats.signs * pleats.breakpoints
            following[coordinate, rows] = pleats.weights
        layers += [affine_layer(weight @ read, weight @ offset + bias, dtype), nn.ReLU()]
        read, offset = following, torch.full((inputs,), pleats.constant, dtype=torch.float64)
    weight, bias = _arrangement(inputs, widths[-1])
    mixture = 1 + torch.arange(1, widths[-1] + 1, dtype=torch.float64) * (5**0.5 - 1) / 2 % 1
    layers += [affine_layer(weight @ read, weight @ offset + bias, dtype), nn.ReLU()]
    return nn.Sequential(*layers, affine_layer(mixture[None], torch.zeros(1), dtype))


def _arrangement(dimension: int, count: int) -> tuple[Tensor, Tensor]:
    r"""Hyperplanes in general position all of whose vertices lie inside the unit cube.

    With $y = x - 1/2$ hyperplane $i$ is $\sum_{k<d} t_i^k y_k = \varepsilon t_i^d$. A point on $d$ of them gives a
    polynomial in $t$ with their $t_i$ as its roots, so that its coordinates are $\varepsilon$ times elementary
    symmetric polynomials of numbers in [-1, 1], and no further hyperplane goes through it. The simplex that the first
    $d + 1$ hyperplanes bound is a cell: all units are made inactive there, away from the faces of the cube, so that
    cells on two sides of a fold of earlier layers differ in their gradients.
    """
    parameters = (2 * torch.arange(count, dtype=torch.float64) + 1 - count) / max(1, count)
    radius = 0.4 / math.comb(dimension, dimension // 2)
    powers = parameters[:, None] ** torch.arange(dimension, dtype=torch.float64)
    heights = radius * parameters**dimension
    signs = torch.ones(count, dtype=torch.float64)
    if count > dimension:
        bounding = list(itertools.combinations(range(dimension + 1), dimension))
        corners = [torch.linalg.solve(powers[list(rows)], heights[list(rows)]) for rows in bounding]
        signs = -torch.sign(powers @ torch.stack(corners).mean(0) - heights)
    weight = signs[:, None] * powers
    return weight, -signs * heights - 0.5 * weight.sum(1)


def _check_widths(inputs: int, widths: Sequence[int], per_input: int) -> None:
    if inputs < 1:
        raise InvalidInputError(f"`inputs`: got {inputs}; expected at least 1")
    if not len(widths) or min([*widths[:-1], per_input * inputs]) < per_input * inputs or widths[-1] < 1:
        raise InvalidInputError(
            f"`widths`: got {list(widths)}; expected at least one layer, with at least {per_input * inputs} units in "
            "all but the last"
        )
