r"""Circulant layers by the Fourier transform: convolutions of one channel that wrap around.

Row $i$ of $C$ is the kernel $c$ shifted by $i$, $C_{ij} = c_{(j - i) \bmod d}$. Everything follows from the transform
$\hat c_k$ in $O(d \log d)$: singular values $|\hat c_k|$, the inverse, the null space. With one bias $b$ the planes
$C x + b = 0$ are a regular cone around the identity line: all meet it in the apex $-(b / a)\,1$, $a = \sum_j c_j$, each
at the angle $\sin\theta = |a| / (\sqrt d\,\|c\|)$, and the rays of the dual basis are at the angle
$\cos\theta = 1 / (|a| \sqrt d\,\|c^{-1}\|)$ to it. (Carlsson, arXiv 1905.08922, section 3.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Complex, Float, Int

from splinescope.errors import InvalidInputError
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.preimage.layers.dual_basis import outputs_of
from splinescope.shown import Shown


@dataclass(frozen=True, eq=False)
class Circulant(Shown):
    """A circulant layer with one bias.

    Attributes:
        kernel: [d] first row of the matrix, wrapped around: entries behind the diagonal are at its end.
        bias: The bias of all units.

    Raises:
        InvalidInputError: If the kernel is no row of finite numbers.

    Example:
        The identity is the coordinate cone:

        >>> layer = Circulant(np.array([1.0, 0.0, 0.0]), 0.0)
        >>> [round(math.degrees(angle), 2) for angle in (layer.plane_angle, layer.ray_angle)]
        [35.26, 54.74]
    """

    kernel: Float[np.ndarray, " d"]
    bias: float = 0.0

    def __post_init__(self) -> None:
        kernel = np.asarray(self.kernel, np.float64)
        if kernel.ndim != 1 or not kernel.size or not np.isfinite(kernel).all() or not math.isfinite(self.bias):
            raise InvalidInputError(f"`kernel`: got shape {kernel.shape}; expected a row of finite numbers, and a bias")
        object.__setattr__(self, "kernel", kernel)

    @classmethod
    def of(cls, kernel: Any, size: int, bias: float = 0.0) -> Circulant:
        """A layer of any size with a short kernel.

        Args:
            kernel: At most `size` numbers, the first one on the diagonal.
            size: Number of inputs, and of units.
            bias: The bias.

        Returns:
            The layer.

        Raises:
            InvalidInputError: If the kernel is longer than that.
        """
        given = np.asarray(kernel, np.float64)
        if given.ndim != 1 or len(given) > size:
            raise InvalidInputError(f"`kernel`: got shape {given.shape}; expected at most {size} numbers in a row")
        return cls(np.append(given, np.zeros(size - len(given))), bias)

    @property
    def matrix(self) -> Float[np.ndarray, "d d"]:
        """The matrix, written out."""
        places = np.arange(len(self.kernel))
        return self.kernel[(places[None] - places[:, None]) % len(places)]

    @cached_property
    def eigenvalues(self) -> Complex[np.ndarray, " d"]:
        """Eigenvalue for each frequency, that of a wave; the conjugate transform of the kernel."""
        return np.conj(np.fft.fft(self.kernel))

    @property
    def singular_values(self) -> Float[np.ndarray, " d"]:
        """Singular values, by frequency."""
        return np.abs(self.eigenvalues)

    @cached_property
    def present(self) -> np.ndarray:
        """[d] whether each frequency passes; those that don't are in the null space."""
        size = len(self.kernel)
        # A transform is right up to about log2(d) roundings of the kernel's norm.
        doubt = 4 * UNIT_ROUNDOFF * (2 + math.log2(size)) * float(np.abs(self.kernel).sum())
        return self.singular_values > doubt

    @property
    def rank(self) -> int:
        """Rank of the matrix."""
        return int(self.present.sum())

    @property
    def row_sum(self) -> float:
        """Sum of the kernel, by which the layer stretches the identity line."""
        return math.fsum(self.kernel)

    @property
    def apex(self) -> Float[np.ndarray, " d"]:
        """Where the identity line meets all planes; infinite if it is parallel to them.

        Raises:
            InvalidInputError: If all of the line lies in all planes.
        """
        if not self.present[0]:
            if self.bias == 0:
                raise InvalidInputError("`kernel`: its sum and the bias are 0; all of the identity line is apex")
            return np.full(len(self.kernel), math.inf)
        return np.full(len(self.kernel), -self.bias / self.row_sum)

    @property
    def plane_angle(self) -> float:
        """Angle between each plane and the identity line, in radians."""
        length = math.sqrt(len(self.kernel)) * float(np.linalg.norm(self.kernel))
        return math.asin(min(1.0, abs(self.row_sum) / length))

    @property
    def ray_angle(self) -> float:
        """Angle between each ray of the dual basis and the identity line, in radians.

        Raises:
            InvalidInputError: If the layer is not of full rank.
        """
        inverse = self._full("ray_angle").inverse_kernel
        length = math.sqrt(len(inverse)) * float(np.linalg.norm(inverse))
        return math.acos(min(1.0, 1 / (abs(self.row_sum) * length)))

    @property
    def inverse_kernel(self) -> Float[np.ndarray, " d"]:
        """First row of the inverse; of the pseudo-inverse where the rank is less than full."""
        scale = np.where(self.present, self.eigenvalues, 1.0)
        return np.fft.ifft(np.conj(np.where(self.present, 1 / scale, 0.0))).real

    def __call__(self, x: Float[np.ndarray, "*n d"]) -> Float[np.ndarray, "*n d"]:
        """Outputs of the layer with its ReLU."""
        return np.maximum(self.affine(x), 0.0)

    def affine(self, x: Float[np.ndarray, "*n d"]) -> Float[np.ndarray, "*n d"]:
        """Pre-activations.

        Args:
            x: [..., d] inputs.

        Returns:
            As many rows.
        """
        return np.fft.ifft(self.eigenvalues * np.fft.fft(x, axis=-1), axis=-1).real + self.bias

    def solve(self, y: Float[np.ndarray, "*n d"]) -> Float[np.ndarray, "*n d"]:
        """The shortest inputs with given pre-activations; the nearest ones where there are none.

        Args:
            y: [..., d] pre-activations.

        Returns:
            As many rows.
        """
        scale = np.where(self.present, self.eigenvalues, 1.0)
        values = np.where(self.present, np.fft.fft(np.asarray(y) - self.bias, axis=-1) / scale, 0.0)
        return np.fft.ifft(values, axis=-1).real

    def ray(self, unit: int) -> Float[np.ndarray, " d"]:
        """Ray of the dual basis along which only one unit's pre-activation falls; all are shifts of one another.

        Args:
            unit: The unit.

        Returns:
            The ray.

        Raises:
            InvalidInputError: If the layer is not of full rank.
        """
        return np.roll(-self._full("ray").inverse_kernel[(-np.arange(len(self.kernel))) % len(self.kernel)], unit)

    def lineality(self) -> Float[np.ndarray, "nullity d"]:
        """Orthonormal directions that the layer does not see; preimages go on along them for ever."""
        size = len(self.kernel)
        waves = []
        for k in np.flatnonzero(~self.present):
            if k > size - k:
                continue
            phase = 2 * math.pi * k * np.arange(size) / size
            waves += [np.cos(phase)] if k in (0, size - k) else [np.cos(phase), np.sin(phase)]
        found = np.array(waves).reshape(len(waves), size)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def preimage(self, output: Any) -> CirculantPreimage:
        """The inputs that the layer takes to one output, by Fourier transforms: a thousand units in milliseconds.

        Args:
            output: [d] an output, not negative.

        Returns:
            A point and, asked for, the rays. Where the rank is less than full see `CirculantPreimage`.

        Raises:
            InvalidInputError: If it has another size, or a negative number.
        """
        y = outputs_of(output, len(self.kernel))
        return CirculantPreimage(self, y, self.solve(y), np.flatnonzero(y == 0))

    def _full(self, name: str) -> Circulant:
        if self.rank < len(self.kernel):
            raise InvalidInputError(
                f"`{name}`: the kernel has rank {self.rank} of {len(self.kernel)}; expected full rank; "
                "`layer_preimage(layer.matrix, ...)` takes any layer"
            )
        return self


@dataclass(frozen=True, eq=False)
class CirculantPreimage(Shown):
    """The preimage of one output of a circulant layer, not cut with the orthant.

    Attributes:
        layer: The layer.
        output: [d] the output.
        point: [d] the shortest input with the output as its pre-activations, $x^*$. Below full rank there may be none:
            then it is the nearest one, see `residual`, and `layer_preimage` decides by a linear program.
        zeros: [k] the units that are zero.
    """

    layer: Circulant
    output: Float[np.ndarray, " d"]
    point: Float[np.ndarray, " d"]
    zeros: Int[np.ndarray, " k"]

    @property
    def dimension(self) -> int:
        """Dimension, the number of zeros at full rank.

        Raises:
            InvalidInputError: Below full rank, where it depends on more.
        """
        self.layer._full("dimension")
        return len(self.zeros)

    @property
    def residual(self) -> float:
        """Largest distance of the point's pre-activations from the output; no more than rounding at full rank."""
        return float(np.abs(self.layer.affine(self.point) - self.output).max())

    @property
    def rays(self) -> Float[np.ndarray, "k d"]:
        """One ray for each zero unit."""
        first = self.layer.ray(0)
        places = np.arange(len(first))
        return first[(places[None] - self.zeros[:, None]) % len(first)]
