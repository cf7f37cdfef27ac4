"""Toy data in the plane whose density is known."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp


def centres(problem: str) -> Float[np.ndarray, "modes 2"]:
    """Centres of the Gaussians of a problem.

    Args:
        problem: "ring" (8 of them), "grid" (25), or "spiral" (120, close to one another).

    Returns:
        The centres, within the square [-1, 1]^2.
    """
    if problem == "ring":
        angles = 2 * np.pi * np.arange(8) / 8
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if problem == "grid":
        line = np.linspace(-1, 1, 5)
        return np.stack(np.meshgrid(line, line), axis=2).reshape(-1, 2)
    radii = np.sqrt(np.linspace(0.03, 1, 120))
    return np.stack([radii * np.cos(9 * radii), radii * np.sin(9 * radii)], axis=1)


def draw(problem: str, number: int, deviation: float, seed: int) -> Float[np.ndarray, "number 2"]:
    """Data of a problem: Gaussians of equal weight."""
    rng = np.random.default_rng(seed)
    modes = centres(problem)
    return modes[rng.integers(len(modes), size=number)] + deviation * rng.standard_normal((number, 2))


def distances(problem: str, points: np.ndarray) -> Float[np.ndarray, "n modes"]:
    """Distance of each point to each centre."""
    return np.linalg.norm(points[:, None] - centres(problem), axis=2)


def log_density(problem: str, points: np.ndarray, deviation: float) -> Float[np.ndarray, " n"]:
    """Logarithm of the density that data are drawn from."""
    squares = distances(problem, points) ** 2
    return logsumexp(-squares / (2 * deviation**2), axis=1) - np.log(2 * np.pi * deviation**2 * squares.shape[1])
