"""What random vectors tell of a symmetric operator: its trace, and the density of its eigenvalues."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.linalg import eigh_tridiagonal

from splinescope.shown import Shown

Product = Callable[[np.ndarray], np.ndarray]


def hutch_plus_plus(product: Product, size: int, products: int, rng: np.random.Generator) -> float:
    """Estimate a trace: exactly on a random range of a third of the products, by Hutchinson's estimator outside of it.

    Args:
        product: Products with a symmetric operator.
        size: Its number of rows.
        products: How many products may be taken; as many as rows give the exact trace.
        rng: Source of the random signs.

    Returns:
        The estimate, without bias. (R. Meyer, C. Musco, C. Musco, D. Woodruff, "Hutch++", SOSA 2021.)
    """
    if products >= size:
        return float(sum(product(row)[i] for i, row in enumerate(np.eye(size))))
    third = max(1, products // 3)
    signs = rng.choice([-1.0, 1.0], (size, third))
    basis, _ = np.linalg.qr(np.stack([product(column) for column in signs.T], axis=1))
    exact = sum(float(column @ product(column)) for column in basis.T)
    rest = rng.choice([-1.0, 1.0], (size, third))
    rest -= basis @ (basis.T @ rest)
    return exact + sum(float(column @ product(column)) for column in rest.T) / third


@dataclass(frozen=True, eq=False)
class SpectralDensity(Shown):
    """A quadrature of the density of eigenvalues.

    Attributes:
        nodes: Eigenvalues that stand for others, ascending.
        weights: Share of all eigenvalues that each stands for; they sum to 1.
        size: Number of all eigenvalues.
    """

    nodes: Float[np.ndarray, " n"]
    weights: Float[np.ndarray, " n"]
    size: int

    def moment(self, order: int) -> float:
        """Mean of a power of the eigenvalues; the first one times `size` estimates the trace.

        Args:
            order: The power.

        Returns:
            The mean.
        """
        return float(self.weights @ self.nodes**order)

    def at(self, grid: Any, width: float) -> Float[np.ndarray, " g"]:
        """The density on a grid, each node blurred by a normal distribution.

        Args:
            grid: [g] places.
            width: Standard deviation of the blur.

        Returns:
            Share of the eigenvalues per unit.
        """
        distances = (np.asarray(grid, np.float64)[:, None] - self.nodes) / width
        return np.exp(-0.5 * distances**2) @ self.weights / (width * np.sqrt(2 * np.pi))

    def with_zeros(self, count: int) -> SpectralDensity:
        """The same with further eigenvalues that are zero.

        Args:
            count: How many.

        Returns:
            The density of all.
        """
        if not count:
            return self
        total = self.size + count
        nodes = np.append(self.nodes, 0.0)
        weights = np.append(self.weights * self.size, count) / total
        order = np.argsort(nodes, kind="stable")
        return replace(self, nodes=nodes[order], weights=weights[order], size=total)


def lanczos_density(product: Product, size: int, steps: int, probes: int, rng: np.random.Generator) -> SpectralDensity:
    """Stochastic Lanczos quadrature: Gauss quadratures of the spectral measures of random vectors, averaged.

    Args:
        product: Products with a symmetric operator.
        size: Its number of rows.
        steps: Steps of Lanczos' iteration, fully reorthogonalised.
        probes: Random vectors.
        rng: Their source.

    Returns:
        The density.
    """
    nodes, weights = [], []
    for _ in range(probes):
        start = rng.standard_normal(size)
        basis = np.zeros((steps, size))
        basis[0] = start / np.linalg.norm(start)
        diagonal, beside = np.zeros(steps), np.zeros(max(0, steps - 1))
        used = steps
        for step in range(steps):
            vector = product(basis[step])
            diagonal[step] = vector @ basis[step]
            for _again in range(2):
                vector -= basis[: step + 1].T @ (basis[: step + 1] @ vector)
            length = float(np.linalg.norm(vector))
            if step + 1 == steps or length <= 1e-13 * max(1.0, np.abs(diagonal).max()):
                used = step + 1
                break
            beside[step], basis[step + 1] = length, vector / length
        values, vectors = eigh_tridiagonal(diagonal[:used], beside[: used - 1])
        nodes.append(values)
        weights.append(vectors[0] ** 2 / probes)
    every, shares = np.concatenate(nodes), np.concatenate(weights)
    order = np.argsort(every, kind="stable")
    return SpectralDensity(every[order], shares[order], size)
