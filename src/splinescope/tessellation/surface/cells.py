"""The cells in which a surface is sought: given ones, or those of a network that bounds do not rule out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.load import ModelLike, as_network
from splinescope.numerics import Tolerance
from splinescope.tessellation.arguments import fitted
from splinescope.tessellation.certificate.heights import PLACED
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.spatial import SpatialComplex
from splinescope.tessellation.spatial.engine import tessellate_polytope
from splinescope.tessellation.spatial.run import Keep
from splinescope.tessellation.surface.pruning import keeper
from splinescope.tessellation.surface.rounding import doubtful_outputs, output_error
from splinescope.tessellation.surface.targets import Level

WIDE = 16.0
"""How many times as near as in doubt a value counts as met, when cells are left out: more cells do no harm."""


@dataclass(frozen=True)
class CellOptions:
    """How to tessellate; see `tessellate` and `level_set`."""

    verify: str
    tolerance: Tolerance | None
    max_cells: int | None
    memory_budget: int | None
    prune: bool
    progress: bool | Callable[[float, int], None]

    @property
    def safety(self) -> float:
        """Multiple of measured rounding errors within which values are in doubt."""
        return (self.tolerance or Tolerance()).safety


@dataclass(frozen=True)
class FoundCells:
    """Cells in which a surface is sought.

    Attributes:
        cells: The cells.
        truncated: Whether others that it may meet are missing: a budget left them out, or somebody interrupted.
    """

    cells: SpatialComplex
    truncated: bool


def source_of(source: ModelLike | SpatialComplex, domain: Domain | None) -> Network | SpatialComplex:
    """The network or the complex that a user means.

    Args:
        source: A network, a module or file of one, or a complex.
        domain: The domain, if there is one, whose points tell a module's input shape.

    Returns:
        A network or a complex.

    Raises:
        InvalidInputError: If it is neither.
    """
    if isinstance(source, SpatialComplex):
        return source
    return as_network(source, None if domain is None else domain.input_shape, "source", "a complex")


def cells_that_meet(
    source: Network | SpatialComplex, domain: Domain | None, weights: np.ndarray, level: float, options: CellOptions
) -> FoundCells:
    """Cells among which are all that a level of a combination of outputs meets, as far as they were found.

    Args:
        source: A network, or a complex, which is returned.
        domain: The domain, if a network is given.
        weights: [n_out] coefficients of the outputs.
        level: The level.
        options: How to tessellate.

    Returns:
        The cells.

    Raises:
        InvalidInputError: If the domain is missing, superfluous, or not of three dimensions.
    """
    if not isinstance(source, Network):
        if domain is not None:
            raise InvalidInputError("`domain`: a tessellation has its own; expected none")
        return FoundCells(source, source.truncated)
    space = fitted(three_dimensional(domain), source.input_shape)
    keep = None
    if options.prune:
        bounds = doubtful_outputs(source, space, options.safety)
        error = output_error(bounds, weights, level) + PLACED * float(np.abs(weights) @ bounds.magnitude)
        keep = keeper(source, Level(weights, level, WIDE * error))
    return tessellated(source, space, options, keep)


def three_dimensional(domain: Domain | None) -> Domain:
    """The domain, if it has three dimensions."""
    if domain is None or domain.dimension != 3:
        got = "none" if domain is None else f"{domain.dimension} dimensions"
        raise InvalidInputError(f"`domain`: got {got}; expected a box or slice of three dimensions")
    return domain


def tessellated(network: Network, domain: Domain, options: CellOptions, keep: Keep | None) -> FoundCells:
    """The cells of a network in a domain, or those that `keep` keeps."""
    partial: list[bool] = []
    cells = tessellate_polytope(
        network,
        domain,
        verify=options.verify,
        max_cells=options.max_cells,
        memory_budget=options.memory_budget,
        tolerance=options.tolerance,
        progress=options.progress,
        keep=keep,
        partial=lambda: partial.append(True),
    )
    return FoundCells(cells, bool(partial))
