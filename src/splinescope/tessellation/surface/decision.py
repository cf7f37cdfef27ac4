"""Decision surfaces in three dimensions: where the largest output changes, exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.load import ModelLike
from splinescope.numerics import Tolerance
from splinescope.tessellation.arguments import fitted
from splinescope.tessellation.certificate.heights import PLACED
from splinescope.tessellation.contest import competing, with_winner
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.spatial import SpatialComplex
from splinescope.tessellation.surface.cells import (
    WIDE,
    CellOptions,
    cells_that_meet,
    source_of,
    tessellated,
    three_dimensional,
)
from splinescope.tessellation.surface.extraction import extracted
from splinescope.tessellation.surface.facets import between_classes
from splinescope.tessellation.surface.mesh import SurfaceMesh
from splinescope.tessellation.surface.pruning import keeper
from splinescope.tessellation.surface.rounding import doubtful_outputs
from splinescope.tessellation.surface.targets import Contest


def decision_surface(
    source: ModelLike | SpatialComplex,
    domain: Domain | None = None,
    *,
    classes: Sequence[int] | None = None,
    verify: str = "values",
    tolerance: Tolerance | None = None,
    max_cells: int | None = None,
    memory_budget: int | None = None,
    prune: bool = True,
    progress: bool | Callable[[float, int], None] = False,
) -> SurfaceMesh:
    r"""The surface where the predicted class changes, as a polygon mesh.

    The class of $x$ is $\arg\max_k f_k(x)$, the lowest index where there are several; for a network with one output it
    is 1 where $f > 0$ and 0 elsewhere. Between two classes the surface is the level set of the difference of their
    outputs. Among more, the cells are cut further where the largest output changes, as by a maximum at the end of the
    network, and the surface consists of their facets between different classes; where three classes meet, the surfaces
    between each two of them end.

    Args:
        source: A network, a module or file of one, or its tessellation in three dimensions (with more than two classes,
            the network is tessellated anew on the same domain).
        domain: The domain, of three dimensions, if a network is given.
        classes: Outputs that compete; all if None.
        verify: As in `level_set`.
        tolerance: What counts as zero.
        max_cells: As in `tessellate`.
        memory_budget: As in `tessellate`.
        prune: Leave out cells as soon as bounds prove that one class wins everywhere on them.
        progress: As in `tessellate`.

    Returns:
        The surface, with the classes behind (the smaller index) and in front of each polygon.

    Raises:
        InvalidInputError: If an argument does not fit.
        CertificateError: If the check of the cells or of the mesh fails.

    Cost: that of the tessellation; with `prune` of the cells near the surface only, with more than two classes those of
    one layer more.

    Example:
        >>> import splinescope, torch
        >>> network = splinescope.from_torch(torch.nn.Identity(), input_shape=(3,))
        >>> mesh = decision_surface(network, splinescope.Box([0, 0, 0], [1, 1, 1]), classes=[0, 2])
        >>> round(mesh.area, 6), mesh.num_parts  # the diagonal x = z of the unit cube
        (1.414214, 1)
    """
    known = source_of(source, domain)
    network = known if isinstance(known, Network) else known.network
    labels = competing(network, classes)
    options = CellOptions(verify, tolerance, max_cells, memory_budget, prune, progress)
    check = verify != "topology"
    if len(labels) == 2:
        count = int(np.prod(network.output_shape, dtype=np.int64))
        weights = np.eye(count)[labels[1]] - np.eye(count)[labels[0]] if count > 1 else np.ones(1)
        surface = extracted(cells_that_meet(known, domain, weights, 0.0, options), weights, 0.0, check)
        return replace(surface, classes=np.tile(labels, (len(surface), 1)), class_names=network.classes)
    if not isinstance(known, Network):
        if domain is not None:
            raise InvalidInputError("`domain`: a tessellation has its own; expected none")
        domain, options = known.domain, replace(options, tolerance=known.tolerance)
    return _among_many(network, fitted(three_dimensional(domain), network.input_shape), labels, options, check)


def _among_many(network: Network, domain: Domain, labels: np.ndarray, options: CellOptions, check: bool) -> SurfaceMesh:
    """The surface between three or more classes."""
    keep = None
    if options.prune:
        bounds = doubtful_outputs(network, domain, options.safety)
        margin = 4 * float((bounds.error + PLACED * bounds.magnitude)[labels].max())
        keep = keeper(network, Contest(labels, WIDE * margin))
    found = tessellated(with_winner(network, labels), domain, options, keep)
    cells = found.cells
    node, start, _ = cells.pattern_nodes[-1]
    assert node == cells.network.output
    winners = labels[cells.patterns[:, start]]
    return replace(between_classes(found, network, winners, labels, check), class_names=network.classes)
