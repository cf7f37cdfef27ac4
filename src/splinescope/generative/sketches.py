"""Random projections of outputs: what they do to volumes, and how they are made where nothing large is held."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.special import polygamma, psi
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.generative.arguments import MOST
from splinescope.numerics import check_number

HELD = 1 << 26
"""Numbers of a projection that are held; those of a larger one are drawn again for each use."""

_DRAWN = 1 << 21
"""Numbers that are drawn at once."""


@dataclass(frozen=True)
class SketchBias:
    """What a random orthonormal projection of the outputs does to log volumes.

    For a generator with d latents and n outputs, the squared factor by which a projection to k dimensions shrinks a
    d-dimensional volume is a product of independent Beta((k - i)/2, (n - k)/2), i = 0, ..., d - 1, whatever the
    generator: so the bias is known.

    Attributes:
        mean: Mean of the projected log volume minus the full one; `log_volume` takes it off.
        deviation: Its standard deviation, which is left as the error. One projection serves all latents.
        measured: Mean difference that was found on a sample, before the mean is taken off; None if not measured.
    """

    mean: float
    deviation: float
    measured: float | None = None


def sketch_bias(outputs: int, sketch: int, latents: int) -> SketchBias:
    r"""What a projection of outputs to a random subspace does to log volumes, in closed form.

    Args:
        outputs: Number of outputs, n.
        sketch: Dimension of the subspace, k.
        latents: Dimension of the latents, d.

    Returns:
        Mean $\frac12\sum_{i<d}\psi(\frac{k-i}2)-\psi(\frac{n-i}2)$ and deviation. Cost: linear in the
        dimension of the latents.

    Raises:
        InvalidInputError: If not d <= k <= n, all of them whole numbers.

    Example:
        >>> sketch_bias(100, 100, 3).mean
        0.0
    """
    outputs, sketch = check_number("outputs", outputs, 1, MOST), check_number("sketch", sketch, 1, MOST)
    latents = check_number("latents", latents, 1, MOST)
    if not latents <= sketch <= outputs:
        raise InvalidInputError(
            f"`sketch`: got {sketch}; expected from {latents}, the dimension of the latents, to {outputs} outputs"
        )
    i = np.arange(latents)
    low, high = (sketch - i) / 2, (outputs - i) / 2
    mean = 0.5 * float(np.sum(psi(low) - psi(high)))
    return SketchBias(mean, 0.5 * math.sqrt(max(0.0, float(np.sum(polygamma(1, low) - polygamma(1, high))))))


@dataclass(frozen=True, eq=False)
class RandomProjection:
    r"""The orthonormal projection to the span of independent Gaussian vectors, which is uniform among subspaces.

    With [n, k] Gaussian numbers G and $G^TG=R^TR$ it is $R^{-T}G^T$: so only $G^TJ$ and R are needed of it, and G can
    be drawn again, some outputs at a time, where it is too large to be held.

    Attributes:
        outputs: Number of outputs, n.
        size: Dimension of the subspace, k.
        seed: Of the Gaussian numbers.
        like: A tensor of the wanted type and device.
    """

    outputs: int
    size: int
    seed: int
    like: Tensor

    def of_columns(self, blocks: Iterator[Tensor]) -> Tensor:
        """See `OutputProjection` of `splinescope.network.differentials`."""
        products = [self._products(J) for J in self._grouped(blocks)]
        return self.of_rows(torch.cat(products, dim=2))

    def of_rows(self, products: Tensor) -> Tensor:
        """See `OutputProjection` of `splinescope.network.differentials`."""
        projected = torch.linalg.solve_triangular(self._triangle.mT, products.double(), upper=False)
        return projected.to(self.like.dtype)

    def _grouped(self, blocks: Iterator[Tensor]) -> Iterator[Tensor]:
        """Columns of Jacobians, more of them at a time where vectors are drawn again for each."""
        if self.outputs * self.size <= HELD:
            yield from blocks
            return
        group: list[Tensor] = []
        for block in blocks:
            group.append(block)
            if sum(part.numel() for part in group) > HELD // 2:
                yield torch.cat(group, dim=2)
                group = []
        if group:
            yield torch.cat(group, dim=2)

    def _products(self, J: Tensor) -> Tensor:
        """[rows, k, columns] products of the vectors with [rows, n, columns] of Jacobians."""
        total = J.new_zeros(len(J), self.size, J.shape[2])
        start = 0
        for part in self._parts():
            total += part.T @ J[:, start : start + len(part)]
            start += len(part)
        return total

    def vectors(self, start: int, stop: int) -> Tensor:
        """See `OutputProjection` of `splinescope.network.differentials`."""
        return torch.cat([part[:, start:stop] for part in self._parts()]).T.contiguous()

    def _parts(self) -> Iterator[Tensor]:
        """The [n, k] Gaussian numbers, some outputs at a time."""
        if self.outputs * self.size > HELD:
            yield from self._drawn()
        else:
            yield self._held

    @cached_property
    def _held(self) -> Tensor:
        return torch.cat(list(self._drawn()))

    def _drawn(self) -> Iterator[Tensor]:
        rng = np.random.default_rng(self.seed)
        step = max(1, _DRAWN // self.size)
        for start in range(0, self.outputs, step):
            numbers = rng.standard_normal((min(step, self.outputs - start), self.size))
            yield torch.from_numpy(numbers).to(self.like)

    @cached_property
    def _triangle(self) -> Tensor:
        """R; the numbers are far from dependent, unless there are hardly more outputs than dimensions."""
        if self.outputs < 2 * self.size:
            return torch.linalg.qr(torch.cat(list(self._drawn())).double(), mode="r")[1]
        gram = self.like.new_zeros(self.size, self.size, dtype=torch.float64)
        for part in self._parts():
            for few in part.split(max(1, _DRAWN // self.size)):
                gram += few.double().T @ few.double()
        return torch.linalg.cholesky(gram, upper=True)
