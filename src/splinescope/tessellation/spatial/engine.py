"""The exact tessellation of a polytope of three or four dimensions: op by op through the network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.geometry.lattice.polytopes import vertices_of_faces, volumes
from splinescope.network.evaluate import last_uses
from splinescope.network.graph import Network
from splinescope.network.load import ModelLike
from splinescope.numerics import Tolerance, available_memory
from splinescope.profiling import spent
from splinescope.progress import reporting
from splinescope.tessellation.arguments import question
from splinescope.tessellation.certificate import certified
from splinescope.tessellation.complex import Decisions
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.spatial.complex import Incidence, SpatialComplex, cell_means
from splinescope.tessellation.spatial.state import SpatialState, first_state
from splinescope.tessellation.sweep import advance

Keep = Callable[[int, dict[int, np.ndarray], np.ndarray, np.ndarray], np.ndarray]
"""A function of (node, rows of the live nodes at the vertices, cell_vertices, cell_offsets): which cells to keep."""


def tessellate_polytope(
    network: ModelLike,
    domain: Domain,
    *,
    verify: str = "values",
    max_cells: int | None = None,
    memory_budget: int | None = None,
    tolerance: Tolerance | None = None,
    progress: bool | Callable[[float, int], None] = False,
    keep: Keep | None = None,
    shortage: Callable[[], None] | None = None,
) -> SpatialComplex:
    """The cells of a network in a polytope; arguments, results and errors are those of `tessellate`.

    Args:
        network: The network, or a module or file of one.
        domain: A domain of three or four dimensions (more are possible, but cells have very many faces then).
        verify: Level of the certificate.
        max_cells: Stop refining outwards from the centre at so many cells.
        memory_budget: Bytes for faces and for values at vertices, half of the free memory by default; cells far from
            the centre are left out where it does not suffice, and the result says `truncated`.
        tolerance: Its `safety` says how near to zero signs are decided in exact arithmetic.
        progress: Progress bar, or a function of (share done, cells found).
        keep: Asked after every activation which cells are of interest; the others are dropped, and the result says
            `truncated`.
        shortage: Called before a budget leaves out cells, which `truncated` does not tell from what `keep` drops.

    Returns:
        The complex, with its certificate.

    Raises:
        InvalidInputError: If the domain's shape is not the network's, or an option is out of range.
        CertificateError: If a check fails; it names the cells.

    Cost: as `tessellate`: the matrix products of each layer at the vertices present when it starts, and work on the
    faces that are cut.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(3,))
        >>> len(tessellate_polytope(relu, splinescope.Box([-1, -1, -1], [1, 1, 1])))
        8
    """
    asked = question(network, domain, verify, max_cells, memory_budget)
    network, domain = asked.network, asked.domain
    if domain.dimension < 3:
        raise InvalidInputError(f"`domain`: got {domain.dimension} dimensions; expected three or more")
    tolerance, last_use = tolerance or Tolerance(), last_uses(network)
    with spent("planning"):
        state = first_state(network, domain, max_cells, memory_budget or available_memory() // 2, tolerance)
    state.shortage = shortage
    with reporting(progress) as report:
        state.watch = lambda cells: report(state.position / len(network.nodes), cells)
        while state.position < len(network.nodes):
            before = state.position
            advance(state, network, last_use)
            state.keep_within_budgets()
            done = state.position > before and network.nodes[before].units and before != network.output
            if keep is not None and done:
                offsets, items = state.cell_vertices()
                state.restrict(np.flatnonzero(keep(before, state.rows, items, offsets)))
            report(state.position / len(network.nodes), state.lattice.num_cells)
    with spent("assembling"):
        cells = _complex(state, network, domain, tolerance)
    return certified(cells, verify)


def _complex(state: SpatialState, network: Network, domain: Domain, tolerance: Tolerance) -> SpatialComplex:
    """The complex of a state that has passed the whole network."""
    lattice, d = state.lattice, domain.dimension
    count = lattice.num_vertices
    points, edges = lattice.points[:count].copy(), lattice.edges.ends[: lattice.counts[0, 1]].copy()
    levels = [lattice.list_of(k) for k in range(2, d + 1)]
    vertices = vertices_of_faces(edges, levels)
    facets = int(lattice.counts[0, d - 1])
    labels = lattice.facets.labels[:facets]
    cell_offsets, cell_vertices = vertices[-1]
    sizes = np.array([node.size for node in network.nodes])
    measures = volumes(points, edges, levels, vertices)
    return SpatialComplex(
        network=network,
        domain=domain,
        vertices=points,
        vertex_outputs=np.array(state.rows[network.output][:count]),
        cell_vertices=cell_vertices,
        cell_offsets=cell_offsets,
        interior_points=cell_means(points, cell_vertices, cell_offsets),
        measures=measures,
        codes=tuple(state.codes),
        tolerance=tolerance,
        truncated=state.truncated,
        edges=edges,
        faces={k: Incidence(*lists) for k, lists in enumerate(levels, start=2)},
        facet_cells=lattice.facets.cells[:facets].copy(),
        facet_op=labels[:, 0].copy(),
        facet_unit=np.where(labels[:, 0] >= 0, labels[:, 1] % sizes[labels[:, 0]], -1).astype(np.int32),
        decisions=Decisions(state.signs, state.judge.decided),
    )
