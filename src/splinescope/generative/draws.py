"""Exact samples of the manifold that a piecewise affine generator makes of a bounded domain of latents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from splinescope.errors import InvalidInputError
from splinescope.generative.manifold import cell_log_volumes, check_whole, latent_measures, law
from splinescope.generative.samples import LatentSamples
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.simplices import Simplices, simplices, uniform_weights

_NUMBERS = 1 << 15
"""Numbers of latents and outputs that are made at once, few enough for the caches of a processor."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ManifoldSamples(LatentSamples):
    """Latents drawn exactly from a law on cells.

    Attributes:
        cells: The cell of each.
    """

    cells: Int[np.ndarray, " n"]


def sample(
    cells: PolyhedralComplex, number: int, rho: float = 1.0, generator: np.random.Generator | int | None = None
) -> ManifoldSamples:
    r"""Draw latents with density proportional to $v^\rho$, exactly: a cell by its mass, then a point uniform in it.

    There is no pool, no chain and no Monte Carlo error; samples are independent.

    Args:
        cells: A complex with vertices, of a generator: of a segment, a plane, or a space of three or four dimensions.
        number: How many.
        rho: 0 for uniform latents, 1 for uniform on the manifold, more for what is rarely made, less for modes.
        generator: Of random numbers, or its seed.

    Returns:
        Latents and outputs. Cost: the affine maps once, then less than a microsecond and one output each.

    Raises:
        InvalidInputError: If the complex has no vertices, or cells are missing.

    Example:
        >>> import splinescope, torch
        >>> cells = splinescope.tessellate(torch.nn.ReLU(), splinescope.Segment([-1.0], [1.0]))
        >>> bool((sample(cells, 100, generator=0).outputs >= 0).all())
        True
    """
    parts = simplices(cells)
    check_whole(cells)
    logs = cell_log_volumes(cells)
    return _drawn(cells, parts, law(latent_measures(cells), logs, rho), logs, number, generator)


def draw_from(
    cells: PolyhedralComplex,
    masses: Float[np.ndarray, " cells"],
    number: int,
    generator: np.random.Generator | int | None = None,
) -> ManifoldSamples:
    """Draw latents from a law that is uniform within each cell.

    Args:
        cells: A complex with vertices, of a generator.
        masses: Probability of each cell, with sum 1.
        number: How many.
        generator: Of random numbers, or its seed.

    Returns:
        Latents and outputs. Cost: that of `sample`.

    Raises:
        InvalidInputError: If the complex has no vertices, or the number is negative.

    Example:
        >>> import splinescope, torch
        >>> cells = splinescope.tessellate(torch.nn.ReLU(), splinescope.Segment([-1.0], [1.0]))
        >>> float(draw_from(cells, np.array([1.0, 0.0]), 10, 0).outputs.max())
        0.0
    """
    return _drawn(cells, simplices(cells), masses, cell_log_volumes(cells), number, generator)


def _drawn(
    cells: PolyhedralComplex,
    parts: Simplices,
    masses: np.ndarray,
    logs: np.ndarray,
    number: int,
    generator: np.random.Generator | int | None,
) -> ManifoldSamples:
    """A simplex by its share of its cell's mass, then a point uniform in it."""
    if number < 0:
        raise InvalidInputError(f"`number`: got {number}; expected how many to draw, at least 0")
    rng = np.random.default_rng(generator)
    ends = np.cumsum(_spread(masses, parts))
    chosen = np.searchsorted(ends, rng.random(number) * ends[-1], side="right")
    weights = uniform_weights(number, parts.corners.shape[1], rng)
    corners = parts.corners[chosen]
    # latents and outputs of vertices side by side, so that they are looked up together
    table = np.concatenate([cells.vertices, cells.vertex_outputs], axis=1)  # type: ignore[attr-defined]
    latents, outputs = np.empty((number, cells.dimension)), np.empty((number, table.shape[1] - cells.dimension))
    step = max(1, _NUMBERS // table.shape[1])
    for start in range(0, number, step):
        rows = slice(start, start + step)
        points = weights[rows, :1] * table[corners[rows, 0]]
        for corner in range(1, corners.shape[1]):
            points += weights[rows, corner, None] * table[corners[rows, corner]]
        latents[rows], outputs[rows] = points[:, : cells.dimension], points[:, cells.dimension :]
    owners = parts.cells[chosen]
    return ManifoldSamples(
        latents=latents,
        outputs=outputs.reshape(number, *cells.network.output_shape),
        log_volumes=logs[owners],
        cells=owners,
    )


def shares(cells: PolyhedralComplex, parts: Simplices, rho: float) -> np.ndarray:
    """Probability of each simplex under a law.

    Args:
        cells: A complex.
        parts: Its simplices.
        rho: The law.

    Returns:
        One number for each simplex, with sum 1.
    """
    check_whole(cells)
    return _spread(law(latent_measures(cells), cell_log_volumes(cells), rho), parts)


def _spread(masses: np.ndarray, parts: Simplices) -> np.ndarray:
    """Masses of cells shared out among their simplices."""
    totals = np.bincount(parts.cells, parts.measures, len(masses))
    return parts.measures * (masses / np.where(totals > 0, totals, 1.0))[parts.cells]
