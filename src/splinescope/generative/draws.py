"""Exact samples of the manifold that a piecewise affine generator makes of a bounded domain of latents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from splinescope.errors import InvalidInputError
from splinescope.generative.arguments import MOST, random_numbers
from splinescope.generative.compiled_draws import place
from splinescope.generative.manifold import cell_log_volumes, check_whole, latent_measures, law
from splinescope.generative.samples import LatentSamples
from splinescope.numerics import check_number, in_ranges
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.domains.base import finite
from splinescope.tessellation.simplices import Simplices, simplices

GUIDE = 1 << 12
"""Parts of [0, 1) for each of which it is known about which simplex is meant."""


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
        InvalidInputError: If the complex has no vertices, the number is negative, or masses are no law on its cells.

    Example:
        >>> import splinescope, torch
        >>> cells = splinescope.tessellate(torch.nn.ReLU(), splinescope.Segment([-1.0], [1.0]))
        >>> float(draw_from(cells, np.array([1.0, 0.0]), 10, 0).outputs.max())
        0.0
    """
    parts, shares = simplices(cells), finite("masses", masses)
    if shares.shape != (len(cells),) or shares.min() < 0 or abs(shares.sum() - 1) > 1e-6:
        raise InvalidInputError(
            f"`masses`: got shape {shares.shape} with sum {shares.sum():.6g}; expected one number for each of "
            f"{len(cells)} cells, none negative, 1 in all"
        )
    return _drawn(cells, parts, shares, cell_log_volumes(cells), number, generator)


def _drawn(
    cells: PolyhedralComplex,
    parts: Simplices,
    masses: np.ndarray,
    logs: np.ndarray,
    number: int,
    generator: np.random.Generator | int | None,
) -> ManifoldSamples:
    """A simplex by its share of its cell's mass, then a point uniform in it."""
    number, rng = check_number("number", number, 0, MOST), random_numbers("generator", generator)
    ends = np.cumsum(_spread(masses, parts))
    guide = np.minimum(np.searchsorted(ends, np.arange(GUIDE) / GUIDE * ends[-1]), len(ends) - 1)
    picks, marks = rng.random(number), rng.random((number, parts.corners.shape[1] - 1))
    places, values = (
        np.ascontiguousarray(of, np.float64)
        for of in (cells.vertices, cells.vertex_outputs)  # type: ignore[attr-defined]
    )
    chosen = np.empty(number, np.int64)
    latents, outputs = np.empty((number, places.shape[1])), np.empty((number, values.shape[1]))
    in_ranges(place, number, picks, marks, ends, guide, parts.corners, places, values, chosen, latents, outputs)
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
