"""Which law of latents a generator would need to make given data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq

from splinescope.errors import InvalidInputError
from splinescope.generative.draws import ManifoldSamples, draw_from
from splinescope.generative.manifold import cell_log_volumes, latent_measures, law
from splinescope.generative.projection import NearestPoints, project
from splinescope.shown import Shown
from splinescope.tessellation.complex import PolyhedralComplex

_LARGEST = 50.0
"""Exponents are looked for between this and its negative."""


@dataclass(frozen=True, eq=False)
class LatentLaw(Shown):
    r"""The law of latents that reproduces data: mass of each cell, uniform within it.

    Attributes:
        cells: The cells.
        projection: Where the data lie on the manifold, and how far from it.
        masses: Share of the data in each cell.
        rho: Exponent of the volume under which the data's latents are most likely; 1 if the data are uniform on the
            manifold, 0 if their latents are uniform. None if no exponent between -50 and 50 is.
        rho_error: Its standard error.
    """

    cells: PolyhedralComplex
    projection: NearestPoints
    masses: Float[np.ndarray, " cells"]
    rho: float | None
    rho_error: float | None

    def sample(self, number: int, generator: np.random.Generator | int | None = None) -> ManifoldSamples:
        """Draw from the law, exactly.

        Args:
            number: How many.
            generator: Of random numbers, or its seed.

        Returns:
            Latents and outputs.
        """
        return draw_from(self.cells, self.masses, number, generator)


def latent_law(cells: PolyhedralComplex, data: Any) -> LatentLaw:
    r"""The law of latents that reproduces data, by inverting the generator on its cells.

    Each of the data is replaced by the nearest point of the manifold. The laws $v^\rho$ are an exponential family with
    $\log v$ as its statistic, so that the most likely exponent is the one at which $E_\rho\log v$ is the mean of
    $\log v$ at the data's latents. Data off the manifold pile up on its rim and its ridges: look at the distances
    before believing the law.

    Args:
        cells: A complex with vertices, of a generator.
        data: [n, *output_shape] data.

    Returns:
        The law. Cost: that of `project`.

    Raises:
        InvalidInputError: As `project`.

    Example:
        >>> import splinescope, torch
        >>> from splinescope.generative import sample
        >>> cells = splinescope.tessellate(torch.nn.LeakyReLU(0.5), splinescope.Segment([-1.0], [1.0]))
        >>> found = latent_law(cells, sample(cells, 2000, 1.0, 0).outputs)
        >>> abs(found.rho - 1) < 4 * found.rho_error
        True
    """
    found = project(cells, data)
    if not len(found):
        raise InvalidInputError("`data`: got none; expected some")
    logs, measures = cell_log_volumes(cells), latent_measures(cells)
    masses = np.bincount(found.cells, minlength=len(cells)) / len(found)
    solid = np.isfinite(logs)
    seen = solid[found.cells]
    wanted = float(logs[found.cells][seen].mean()) if seen.any() else np.nan

    def moments(rho: float) -> tuple[float, float]:
        shares = law(measures[solid], logs[solid], rho)
        mean = float(shares @ logs[solid])
        return mean, float(shares @ (logs[solid] - mean) ** 2)

    rho = error = None
    if np.isfinite(wanted) and moments(-_LARGEST)[0] < wanted < moments(_LARGEST)[0]:
        rho = float(brentq(lambda r: moments(r)[0] - wanted, -_LARGEST, _LARGEST, xtol=1e-10))
        error = float(1 / np.sqrt(seen.sum() * moments(rho)[1]))
    return LatentLaw(cells, found, masses, rho, error)
