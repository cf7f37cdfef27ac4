"""Level sets of networks in three dimensions, exactly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.load import ModelLike
from splinescope.numerics import Tolerance
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.spatial import SpatialComplex
from splinescope.tessellation.surface.cells import CellOptions, cells_that_meet, source_of
from splinescope.tessellation.surface.extraction import extracted
from splinescope.tessellation.surface.mesh import SurfaceMesh


def level_set(
    source: ModelLike | SpatialComplex,
    domain: Domain | None = None,
    *,
    level: float = 0.0,
    output: int = 0,
    verify: str = "values",
    tolerance: Tolerance | None = None,
    max_cells: int | None = None,
    memory_budget: int | None = None,
    prune: bool = True,
    progress: bool | Callable[[float, int], None] = False,
) -> SurfaceMesh:
    r"""The set where an output of a network takes a value, $\{x : f_k(x) = c\}$, as a polygon mesh.

    The network is affine on each cell of its tessellation, so that the set meets the cell in one flat convex polygon.
    The surface is the boundary of $\{f_k > c\}$: where $f_k = c$ on a whole cell, it passes between that cell and
    larger values. Vertices lie on edges of the tessellation, where linear interpolation is exact, and are identified by
    these edges, so that the surface has no gaps whatever the rounding.

    Args:
        source: A network, a module or file of one, or its tessellation in three dimensions.
        domain: The domain, of three dimensions, if a network is given.
        level: The value $c$.
        output: The output $k$, before the network's head.
        verify: "topology", "values" or "proof": level of the certificate of the cells; the mesh's own is at most
            "values".
        tolerance: What counts as zero.
        max_cells: As in `tessellate`.
        memory_budget: As in `tessellate`.
        prune: Leave out cells as soon as bounds prove that the surface does not meet them (see `surface.pruning`).
        progress: As in `tessellate`.

    Returns:
        The surface; empty if the output does not take the value.

    Raises:
        InvalidInputError: If an argument does not fit.
        CertificateError: If the check of the cells or of the mesh fails.

    Cost: that of the tessellation; with `prune` of the cells near the surface only.

    Example:
        The octahedron $|x| + |y| + |z| = 1$ has eight faces, six vertices and area $4 \sqrt 3$.

        >>> import splinescope, torch
        >>> up, down = torch.nn.Linear(3, 6, bias=False), torch.nn.Linear(6, 1, bias=False)
        >>> up.weight.data, down.weight.data = torch.cat([torch.eye(3), -torch.eye(3)]), torch.ones(1, 6)
        >>> norm = torch.nn.Sequential(up, torch.nn.ReLU(), down)
        >>> mesh = level_set(norm, splinescope.Box([-2, -2, -2], [2, 2, 2]), level=1.0)
        >>> len(mesh.vertices), round(mesh.area, 6), mesh.is_watertight
        (6, 6.928203, True)
    """
    if not np.isfinite(level):
        raise InvalidInputError(f"`level`: got {level!r}; expected a finite number")
    known = source_of(source, domain)
    network = known if isinstance(known, Network) else known.network
    count = int(np.prod(network.output_shape, dtype=np.int64))
    if not 0 <= output < count:
        raise InvalidInputError(f"`output`: got {output}; the network has the outputs 0 to {count - 1}")
    weights = np.eye(count)[output]
    options = CellOptions(verify, tolerance, max_cells, memory_budget, prune, progress)
    return extracted(cells_that_meet(known, domain, weights, level, options), weights, level, verify != "topology")
