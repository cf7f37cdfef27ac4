r"""The preimage of what a layer with ReLU returns, in closed form.

A layer $y = \max(W x + b, 0)$ with a square matrix of full rank has $d$ planes $w_i \cdot x + b_i = 0$. All planes but
the $i$-th meet in a line, whose direction $e_i$ to the negative side of plane $i$ is the $i$-th column of $-W^{-1}$:
these are the dual basis. With $x^* = W^{-1}(y - b)$ and the units $I$ that are zero, the preimage of $y$ is
$$P(y) = \{x^* + \sum_{i \in I} \alpha_i e_i : \alpha_i \ge 0\},$$
cut with the orthant $x \ge 0$ where the layer follows another one with ReLU. (Carlsson, "Geometry of deep
convolutional networks", arXiv 1905.08922, eq. 15; Carlsson, Azizpour and Razavian, "The preimage of rectifier network
activities", 2017.) Rectangular and singular layers have the same set by its half-spaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import LinAlgError, lu_factor, lu_solve

from splinescope.errors import InvalidInputError
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.preimage.polytopes import Polytope, polytope
from splinescope.shown import Shown


@dataclass(frozen=True, eq=False)
class Fan(Shown):
    """A point and the rays from it: the preimage of one output of a layer of full rank, not cut with the orthant.

    Attributes:
        point: [d] the point $x^*$, at which the zero units are just zero.
        zeros: [k] the units that are zero.
        rays: [k, d] one ray for each; they are independent, so that `k` is the dimension.
    """

    point: Float[np.ndarray, " d"]
    zeros: Int[np.ndarray, " k"]
    rays: Float[np.ndarray, "k d"]

    @property
    def dimension(self) -> int:
        """Dimension of the preimage, which is the number of zeros."""
        return len(self.zeros)

    def sample(self, count: int, generator: np.random.Generator, scale: float = 1.0) -> Float[np.ndarray, "count d"]:
        """Points of the fan, with exponential coefficients.

        Args:
            count: How many.
            generator: Of random numbers.
            scale: Mean of the coefficients, which are minus the pre-activations of the zero units.

        Returns:
            The points, one in each row.
        """
        return self.point + scale * generator.standard_exponential((count, len(self.zeros))) @ self.rays


@dataclass(frozen=True, eq=False)
class DualBasis(Shown):
    """The dual basis of one square layer of full rank; see `dual_basis`.

    Attributes:
        weight: [d, d] the matrix $W$.
        bias: [d] the offset $b$.
        apex: [d] where all planes meet, $-W^{-1} b$.
        rays: [d, d] the dual basis: row `i` is $e_i$, so that `weight @ rays[i]` is minus the i-th unit vector.
    """

    weight: Float[np.ndarray, "d d"]
    bias: Float[np.ndarray, " d"]
    apex: Float[np.ndarray, " d"]
    rays: Float[np.ndarray, "d d"]

    def preimage(self, output: Any) -> Fan:
        """The inputs that the layer takes to one output, negative ones too.

        Args:
            output: [d] an output, not negative.

        Returns:
            The point and the rays.

        Raises:
            InvalidInputError: If it has another size, or a negative number.
        """
        y = outputs_of(output, len(self.weight))
        zeros = np.flatnonzero(y == 0)
        return Fan(self.apex - y @ self.rays, zeros, self.rays[zeros])

    def clipped(self, output: Any) -> Polytope | None:
        """The inputs without negative numbers that the layer takes to one output; see `layer_preimage`.

        Args:
            output: [d] an output, not negative.

        Returns:
            The polytope, or None if there are none.
        """
        return layer_preimage(self.weight, self.bias, output)


def dual_basis(W: Any, b: Any) -> DualBasis:
    """The dual basis of a square layer of full rank, of which preimages are made in closed form.

    Args:
        W: [d, d] matrix.
        b: [d] offset, or one number for all units.

    Returns:
        The basis. Cost: one inverse.

    Raises:
        InvalidInputError: If the layer is not square, or of less than full rank (see `layer_preimage` and `Circulant`).

    Example:
        A unit that is zero leaves a ray, along which only its own pre-activation changes:

        >>> fan = dual_basis([[1.0, 0.0], [-1.0, 2.0]], [0.0, 0.0]).preimage([3.0, 0.0])
        >>> fan.point.tolist(), fan.rays.tolist(), fan.dimension
        ([3.0, 1.5], [[0.0, -0.5]], 1)
    """
    weight, bias = layer_of(W, b)
    if weight.shape[0] != weight.shape[1]:
        raise InvalidInputError(
            f"`W`: got shape {weight.shape}; expected a square matrix; `layer_preimage` takes any layer"
        )
    singular = np.linalg.svd(weight, compute_uv=False)
    if singular[-1] <= len(weight) * 2 * UNIT_ROUNDOFF * singular[0]:
        raise InvalidInputError(
            f"`W`: its least singular value is {singular[-1]:.3g} and its largest {singular[0]:.3g}; expected full "
            "rank; `layer_preimage` takes any layer"
        )
    try:
        factors = lu_factor(weight)
    except LinAlgError as error:  # pragma: no cover, singular values were looked at
        raise InvalidInputError("`W`: it is singular") from error
    inverse = lu_solve(factors, np.eye(len(weight)))
    return DualBasis(weight, bias, -lu_solve(factors, bias) + 0.0, -inverse.T + 0.0)


def layer_preimage(W: Any, b: Any, output: Any, *, clipped: bool = True) -> Polytope | None:
    r"""The inputs that any layer with ReLU takes to one output, by half-spaces.

    With units $J$ that are not zero and $I$ that are, $P(y) = \{x : W_J x = y_J - b_J,\; W_I x \le -b_I\}$. It needs no
    inverse: layers may be rectangular (connections without a counterpart, several channels, strides) or singular, in
    which case the set has a lineality, the null space of $W$.

    Args:
        W: [out, in] matrix.
        b: [out] offset, or one number for all units.
        output: [out] an output, not negative.
        clipped: Whether inputs must not be negative, as those of a layer behind another one with ReLU.

    Returns:
        The polyhedron, or None if no input gives that output. Cost: one linear program; see `polytope`.

    Raises:
        InvalidInputError: If sizes don't agree, or the output has a negative number.

    Example:
        >>> found = layer_preimage([[1.0, 1.0]], [-1.0], [2.0])
        >>> found.dimension, sorted(found.vertices.round(9).tolist())
        (1, [[0.0, 3.0], [3.0, 0.0]])
    """
    weight, bias = layer_of(W, b)
    y = outputs_of(output, len(weight))
    positive = y > 0
    rows = np.column_stack([weight, bias - y])
    below = rows[~positive]
    if clipped:
        inputs = weight.shape[1]
        below = np.vstack([below, np.column_stack([-np.eye(inputs), np.zeros(inputs)])])
    return polytope(below, rows[positive])


def layer_of(W: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    """A matrix and an offset as float64; refuses what is none.

    Args:
        W: [out, in] matrix.
        b: [out] offset, or one number for all.

    Returns:
        Both.

    Raises:
        InvalidInputError: If the shapes don't agree, or a number is not finite.
    """
    weight, bias = (np.asarray(_detached(value), np.float64) for value in (W, b))
    if weight.ndim != 2 or not weight.size or bias.shape not in ((), (len(weight),)):
        raise InvalidInputError(
            f"`W`, `b`: got shapes {weight.shape} and {bias.shape}; expected [out, in] and [out], or one number"
        )
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise InvalidInputError("`W`, `b`: some numbers are NaN or infinite; expected finite numbers")
    return weight, np.broadcast_to(bias, len(weight)).copy()


def outputs_of(output: Any, count: int) -> np.ndarray:
    """One output of a layer with ReLU; refuses what can be none.

    Args:
        output: [count] numbers.
        count: Units of the layer.

    Returns:
        The output as float64.

    Raises:
        InvalidInputError: If it has another size, or a negative number.
    """
    y = np.asarray(_detached(output), np.float64)
    if y.shape != (count,):
        raise InvalidInputError(f"`output`: got shape {y.shape}; expected ({count},)")
    if not (np.isfinite(y).all() and (y >= 0).all()):
        raise InvalidInputError("`output`: expected numbers that are not negative, as a layer with ReLU returns them")
    return y


def _detached(value: Any) -> Any:
    return value.detach().cpu() if hasattr(value, "detach") else value
