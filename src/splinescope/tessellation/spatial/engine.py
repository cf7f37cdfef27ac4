"""The exact tessellation of a polytope of three or four dimensions: op by op through the network."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.geometry.lattice.polytopes import vertices_of_cells, volumes
from splinescope.network.graph import Network
from splinescope.network.load import ModelLike
from splinescope.numerics import Tolerance, available_memory
from splinescope.profiling import spent
from splinescope.progress import remark, reporting
from splinescope.tessellation.arguments import question
from splinescope.tessellation.certificate import certified
from splinescope.tessellation.complex import Decisions
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.spatial.complex import Incidence, SpatialComplex, cell_means
from splinescope.tessellation.spatial.run import Keep, SpatialRun, part_store
from splinescope.tessellation.spatial.state import first_state

_PATIENCE = 5.0
"""Seconds for comparisons with forward passes after an interruption: who pressed Ctrl-C is waiting."""

_PART = 1 << 29
"""Bytes of a part by default where most cells are left out soon: arrays that grow in new memory cost more than
borders."""


def tessellate_polytope(
    network: ModelLike,
    domain: Domain,
    *,
    verify: str = "values",
    max_cells: int | None = None,
    memory_budget: int | None = None,
    store: str | os.PathLike[str] | None = None,
    tolerance: Tolerance | None = None,
    progress: bool | Callable[[float, int], None] = False,
    keep: Keep | None = None,
    shortage: Callable[[], None] | None = None,
    partial: Callable[[], None] | None = None,
) -> SpatialComplex:
    """The cells of a network in a polytope; arguments, results and errors are those of `tessellate`.

    Args:
        network: The network, or a module or file of one.
        domain: A domain of three or four dimensions (more are possible, but cells have very many faces then).
        verify: Level of the certificate.
        max_cells: Stop refining outwards from the centre at so many cells.
        memory_budget: Bytes for the faces of cells under way and for values at their vertices, half of the free memory
            by default (at most 512 MiB with `keep`). Where it does not suffice, the domain is finished part by part;
            with `max_cells` or `shortage`, and where the network has max nodes, cells far from the centre are left
            out, and the result says `truncated`.
        store: Folder for finished parts.
        tolerance: Its `safety` says how near to zero signs are decided in exact arithmetic.
        progress: Progress bar, or a function of (share done, cells found).
        keep: Asked after every activation which cells are of interest; the others are dropped, and the result says
            `truncated`.
        shortage: Called before a budget leaves out cells, instead of finishing the domain part by part.
        partial: Called where cells are missing that a budget left out or that an interruption did not let be found,
            which `truncated` does not tell from what `keep` drops. Without it, work with `keep` that is interrupted
            keeps nothing.

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
    tolerance = tolerance or Tolerance()
    with spent("planning"):
        state = first_state(network, domain, max_cells, memory_budget or available_memory() // 2, tolerance)
    state.shortage = shortage or partial
    state.streams = max_cells is None and shortage is None and _elementwise(network)
    if keep is not None and state.streams and memory_budget is None:
        state.memory_budget = min(state.memory_budget, _PART)
    waiting = [state]
    del state
    run = SpatialRun(network, keep, part_store(store), partial)
    with run.store:
        with reporting(progress) as report:
            run.report = report
            run.through_network(waiting)
        if run.interrupted:
            kept = f"the {run.store.cells:,} finished cells, {run.done:.1%} of the domain,"
            remark(progress, f"interrupted: {kept} are kept; they are checked and written now")
        with spent("assembling"):
            cells = _complex(run, domain, tolerance)
    return certified(cells, verify, progress, _PATIENCE if run.interrupted else math.inf)


def _elementwise(network: Network) -> bool:
    """Whether all folds are those of activations."""
    return all(fold.elementwise for fold in network.folds.values())


def _complex(run: SpatialRun, domain: Domain, tolerance: Tolerance) -> SpatialComplex:
    """The complex of all that has passed the whole network."""
    finished = run.joined()
    lattice, network = finished.lattice, run.network
    op, fold = lattice.labels.T
    cell_offsets, cell_vertices = vertices_of_cells(lattice.edges, lattice.lists)
    sizes = np.array([node.size for node in network.nodes])
    return SpatialComplex(
        network=network,
        domain=domain,
        vertices=lattice.points,
        vertex_outputs=finished.outputs,
        cell_vertices=cell_vertices,
        cell_offsets=cell_offsets,
        interior_points=cell_means(lattice.points, cell_vertices, cell_offsets),
        measures=volumes(lattice.points, lattice.edges, lattice.lists),
        codes=tuple(finished.codes),
        tolerance=tolerance,
        truncated=not run.complete,
        edges=lattice.edges,
        faces={k: Incidence(*lists) for k, lists in enumerate(lattice.lists, start=2)},
        facet_cells=lattice.sides,
        facet_op=op.copy(),
        facet_unit=np.where(op >= 0, fold % sizes[op], -1).astype(np.int32),
        decisions=Decisions(run.signs, run.exact),
    )
