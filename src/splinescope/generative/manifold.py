r"""Exact measures of the manifold that a piecewise affine generator makes of a bounded domain of latents.

On a cell of volume $m_w$ the generator is $z \mapsto A_w z + c_w$, which stretches volumes by $v_w = \sqrt{\det A_w^T
A_w}$: the cell's image has volume $m_w v_w$. All that is here is a sum over cells. Images are counted with
multiplicity: where the generator takes two cells to the same place, both count. Outputs are those before the
network's head, as everywhere in a complex; `log_volume` goes through heads.

Source: Humayun, Balestriero, Baraniuk, "MaGNET" (ICLR 2022), equation 10; "Polarity sampling" (CVPR 2022).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp, xlogy

from splinescope.errors import InvalidInputError
from splinescope.numerics import check_finite
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.domains.base import finite
from splinescope.tessellation.factors import cell_factors, log_volumes_of
from splinescope.tessellation.metric import isometry


def cell_log_volumes(cells: PolyhedralComplex) -> Float[np.ndarray, " cells"]:
    r"""Logarithm of the factor by which the network stretches volumes on each cell, $\frac12\log\det A^T A$.

    Volumes are those of the latent space before, whatever the domain's coordinates, and of the output space after.

    Args:
        cells: A complex of any dimension, of a generator.

    Returns:
        One number for each cell; -inf where the map flattens the cell (its least singular value is at most 2^-44 of
        its largest), which is so for all cells if there are fewer outputs than dimensions. Cost: the affine maps and a
        QR decomposition of each.

    Example:
        >>> import splinescope, torch
        >>> double = torch.nn.Linear(2, 2)
        >>> _ = double.weight.data.copy_(2 * torch.eye(2))
        >>> cells = splinescope.tessellate(double, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> float(cell_log_volumes(cells).item() - 2 * math.log(2))
        0.0
    """
    _check(cells)
    return log_volumes_of(cell_factors(cells)) - math.log(_unit(cells))


def volume(cells: PolyhedralComplex) -> float:
    r"""Volume of the image of the domain, $\sum_w m_w v_w$: length, area, ... of the manifold, with multiplicity.

    It does not depend on the coordinates of the domain. Where the generator is injective it is the volume of the image
    as a set; else parts that are met k times count k times. See `overlap` for curves and surfaces.

    Args:
        cells: A complex of any dimension, of a generator.

    Returns:
        The volume; 0 if every cell is flattened. Cost: see `cell_log_volumes`.

    Raises:
        InvalidInputError: If cells are missing.

    Example:
        >>> import splinescope, torch
        >>> cells = splinescope.tessellate(torch.nn.ReLU(), splinescope.Slice.box([-1, -1], [1, 1]))
        >>> volume(cells)
        1.0
    """
    check_whole(cells)
    with np.errstate(divide="ignore"):
        return float(np.exp(logsumexp(np.log(latent_measures(cells)) + cell_log_volumes(cells))))


def entropy(cells: PolyhedralComplex) -> float:
    r"""Differential entropy of the output for uniform latents on the domain, $\log\sum_w m_w + E\log v$, in nats.

    With respect to the d-dimensional volume of the manifold, and as if the generator were injective: where it takes
    several latents to one output, the true entropy is smaller.

    Args:
        cells: A complex of any dimension, of a generator.

    Returns:
        The entropy; -inf if some cell is flattened, since the output has no density then. Cost: see `cell_log_volumes`.

    Raises:
        InvalidInputError: If cells are missing.

    Example:
        >>> import splinescope, torch
        >>> entropy(splinescope.tessellate(torch.nn.Linear(1, 1), splinescope.Segment([0.0], [1.0]))) < 0
        True
    """
    return expected_log_volume(cells, 0.0) + math.log(float(latent_measures(cells).sum()))


def expected_log_volume(cells: PolyhedralComplex, rho: float) -> float:
    r"""Mean of $\log v$ over latents that are drawn with density proportional to $v^\rho$.

    Never decreases in $\rho$: its derivative is the variance of $\log v$.

    Args:
        cells: A complex of any dimension, of a generator.
        rho: 0 for uniform latents, 1 for uniform on the manifold.

    Returns:
        The mean, in nats; -inf for `rho` <= 0 if some cell is flattened. Cost: see `cell_log_volumes`.

    Raises:
        InvalidInputError: If cells are missing.

    Example:
        >>> import splinescope, torch
        >>> cells = splinescope.tessellate(torch.nn.LeakyReLU(0.5), splinescope.Segment([-1.0], [1.0]))
        >>> round(expected_log_volume(cells, 0.0) / math.log(0.5), 12)
        0.5
    """
    check_whole(cells)
    logs = cell_log_volumes(cells)
    masses = law(latent_measures(cells), logs, rho)
    used = masses > 0
    return float(np.sum(masses[used] * logs[used]))


def law(
    measures: Float[np.ndarray, " cells"], log_volumes: Float[np.ndarray, " cells"], rho: float
) -> Float[np.ndarray, " cells"]:
    r"""Probability of each cell under the density $v^\rho$, normalised.

    Args:
        measures: Volumes of the cells.
        log_volumes: Logarithms of what they are stretched by.
        rho: Exponent. For a negative one all mass is on flattened cells, if there are any: the limit of stretching
            them less and less. For a positive one they have none.

    Returns:
        Probabilities.

    Raises:
        InvalidInputError: If all cells are flattened and `rho` is positive, so that there is no such law.
    """
    rho = check_finite("rho", rho)
    flat = np.isneginf(log_volumes) & (measures > 0)
    if rho == 0 or (rho < 0 and flat.any()):
        masses = np.where(flat, measures, 0.0) if rho else np.asarray(measures, np.float64)
        return masses / masses.sum()
    if flat.all() and rho > 0:
        raise InvalidInputError(
            "`rho`: the manifold has no volume, so that nothing is uniform on it; expected rho <= 0"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(measures) + np.where(np.isneginf(log_volumes), -np.inf, rho * log_volumes)
    return np.exp(logs - logsumexp(logs))


def log_density(cells: PolyhedralComplex, latents: Any, rho: float = 0.0) -> Float[np.ndarray, " n"]:
    r"""Logarithm of the density on the manifold at the outputs of latents, $v^{\rho-1}/\sum_w m_wv_w^\rho$.

    As if the generator were injective. It is constant on the manifold for rho = 1.

    Args:
        cells: A complex of any dimension, of a generator.
        latents: [n, d] in the domain's coordinates.
        rho: The law of the latents, as in `sample`.

    Returns:
        One number each; -inf outside the domain, inf where a cell is flattened and has mass. Cost: see
        `cell_log_volumes`, and `locate` of the complex.

    Raises:
        InvalidInputError: If cells are missing.

    Example:
        >>> import splinescope, torch
        >>> cells = splinescope.tessellate(torch.nn.Identity(), splinescope.Segment([0.0], [1.0]))
        >>> log_density(cells, [[0.5], [2.0]]).tolist()
        [0.0, -inf]
    """
    check_whole(cells)
    logs, measures = cell_log_volumes(cells), latent_measures(cells)
    masses = law(measures, logs, rho)
    owners = cells.locate(finite("latents", latents))
    with np.errstate(divide="ignore", invalid="ignore"):
        densities = np.where(masses > 0, np.log(masses) - np.log(measures) - logs, -np.inf)
    return np.where(owners >= 0, densities[owners], -np.inf)


def law_entropy(cells: PolyhedralComplex, rho: float) -> float:
    r"""Differential entropy of the latents themselves under the density $v^\rho$, in nats.

    Args:
        cells: A complex of any dimension, of a generator.
        rho: The law, as in `sample`.

    Returns:
        The entropy; largest, the logarithm of the domain's volume, at 0. Cost: see `cell_log_volumes`.

    Raises:
        InvalidInputError: If cells are missing.

    Example:
        >>> import splinescope, torch
        >>> law_entropy(splinescope.tessellate(torch.nn.ReLU(), splinescope.Segment([-1.0], [1.0])), 1.0)
        0.0
    """
    check_whole(cells)
    measures = latent_measures(cells)
    masses = law(measures, cell_log_volumes(cells), rho)
    return float(np.sum(xlogy(masses, np.where(masses > 0, measures, 1)) - xlogy(masses, masses)))


def latent_measures(cells: PolyhedralComplex) -> Float[np.ndarray, " cells"]:
    """Volumes of the cells in the latent space, whatever the domain's coordinates.

    Args:
        cells: A complex.

    Returns:
        One number for each cell. Cost: linear in the number of cells.

    Raises:
        InvalidInputError: If it is no complex.

    Example:
        >>> import splinescope, torch
        >>> latent_measures(splinescope.tessellate(torch.nn.ReLU(), splinescope.Segment([-1.0], [3.0]))).tolist()
        [1.0, 3.0]
    """
    _check(cells)
    measures: np.ndarray = np.asarray(cells.measures) * _unit(cells)
    return measures


def _unit(cells: PolyhedralComplex) -> float:
    """Volume in the latent space of the unit cube of the domain's coordinates."""
    return float(np.prod(np.diag(isometry(cells))))


def _check(cells: PolyhedralComplex) -> None:
    if not isinstance(cells, PolyhedralComplex):
        raise InvalidInputError(
            f"`cells`: got {type(cells).__name__}; expected a complex from `splinescope.tessellate`"
        )


def check_whole(cells: PolyhedralComplex) -> None:
    """See that no cells are missing.

    Args:
        cells: What should be a complex.

    Raises:
        InvalidInputError: If it is none, or cells are missing.
    """
    _check(cells)
    if not cells.complete:  # type: ignore[attr-defined]
        raise InvalidInputError("`cells`: some are missing (a budget ended the work); expected all: raise `max_cells`")
