"""What was verified about a region graph, by means that share nothing with the search."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, NoReturn

import numpy as np
from scipy.sparse.csgraph import connected_components

from splinescope.errors import CertificateError
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.region_graph.graph import UNEXPLORED, RegionGraph
from splinescope.tessellation.region_graph.keys import as_bytes
from splinescope.tessellation.region_graph.samples import excess


@dataclass(frozen=True)
class RegionCertificate:
    """What was verified about a region graph.

    Attributes:
        level: "topology", "values" or "proof".
        cells: Number of cells.
        complete: Whether the search ended with no facet left to cross.
        facets: Number of facets between two cells that were found, each counted once.
        multiple_folds: Of these, those on which folds of several units coincide.
        components: Connected components of the dual graph; 1 if complete.
        mean_degree: Mean number of neighbours; in the whole of space it is at most `2 d`.
        plane_error: Largest distance of a facet's point from the plane that the other side has for it, relative to the
            domain's size.
        touching: See `Doubts`, as for `thin`, `undecided`, `slivers` and `one_sided`.
        thin: See `Doubts`.
        undecided: See `Doubts`.
        slivers: See `Doubts`.
        one_sided: See `Doubts`.
        interior_points: Cells whose pattern and output were compared with a forward pass at the interior point.
        output_error: Largest difference between a cell's affine map and the forward pass, relative to the largest
            output.
        undecided_signs: Recorded pieces that a forward pass contradicts by less than its rounding error.
        sign_error: Largest such contradiction, as a share of what is tolerated.
        sampled_points: Random points of the domain whose cell was looked up; all were found, if complete.
        facet_checks: Facets just inside of which, on either side, the forward pass has the pattern of the cell there.
        vertex_checks: Vertices of cells at which every unit has the cell's piece, weakly: no fold crosses the cell.
        import_error: Largest relative deviation of the imported network from the original model.
        tolerances: The relative tolerances that these errors were held to.
    """

    level: str
    cells: int
    complete: bool
    facets: int
    multiple_folds: int
    components: int
    mean_degree: float
    plane_error: float
    touching: int
    thin: int
    undecided: int
    slivers: int
    one_sided: int
    interior_points: int = 0
    output_error: float = float("nan")
    undecided_signs: int = 0
    sign_error: float = float("nan")
    sampled_points: int = 0
    facet_checks: int = 0
    vertex_checks: int = 0
    import_error: float = float("nan")
    tolerances: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {key: None if value != value else value for key, value in asdict(self).items()}


def certified(graph: RegionGraph, level: str) -> RegionGraph:
    """The graph with its certificate."""
    return replace(graph, certificate=certify(graph, level))


def certify(graph: RegionGraph, level: str = "values") -> RegionCertificate:
    """Verify a region graph.

    Args:
        graph: The graph.
        level: "topology": patterns differ between any two cells, each facet is seen from both of its cells by the same
            units and on one plane, neighbours' patterns differ in exactly these units, interior points are inside, and
            the graph is connected if it is complete. "values": also, at each interior point, the network's own pattern
            is the recorded one and its output that of the cell's affine map, and the cells of random points of the
            domain are all there if it is complete. "proof": also, the network has the recorded patterns on both sides
            of every facet, and every unit has the cell's piece, weakly, at all vertices of the cell, so that no fold
            crosses it (vertices by Qhull up to 5 dimensions; above, by programs solved with HiGHS).

    Returns:
        The certificate.

    Raises:
        CertificateError: With the cells concerned, at the first check that fails.
    """
    from splinescope.tessellation.region_graph.reach import check_reach
    from splinescope.tessellation.region_graph.witness import check_facets, check_interiors, check_samples

    certificate = _topology(graph)
    if level == "topology":
        return certificate
    seen = check_interiors(graph)
    certificate = replace(
        certificate,
        level=level,
        interior_points=len(graph),
        output_error=seen.output_error,
        undecided_signs=seen.undecided,
        sign_error=seen.sign_error,
        sampled_points=check_samples(graph),
        tolerances={**certificate.tolerances, "output": seen.output_tolerance},
    )
    if level == "values":
        return certificate
    at_facets, at_vertices = check_facets(graph), check_reach(graph)
    return replace(
        certificate,
        facet_checks=len(graph.facet_op),
        vertex_checks=at_vertices.points,
        sign_error=max(seen.sign_error, at_facets.sign_error, at_vertices.sign_error),
    )


def fail(check: str, cells: np.ndarray, what: str) -> NoReturn:
    """Raise a certificate error with the cells concerned.

    Args:
        check: The check that failed.
        cells: Numbers of the cells.
        what: What is wrong with them.

    Raises:
        CertificateError: Always.
    """
    cells = np.unique(cells)
    listed = ", ".join(map(str, cells[:5])) + (", ..." if len(cells) > 5 else "")
    raise CertificateError(f"certificate check `{check}` failed at {len(cells)} cells ({listed}): {what}", cells=cells)


def _topology(graph: RegionGraph) -> RegionCertificate:
    """Checks that need no forward pass."""
    if len(set(as_bytes(graph.keys))) < len(graph):
        fail("topology", np.arange(len(graph)), "two cells have one pattern")
    cells, beyond = graph.facet_cells, graph.facet_neighbours
    inner = np.flatnonzero(beyond >= 0)
    _check_inside(graph)
    error, tolerance = _check_both_sides(graph, inner)
    folds = 1 + np.bincount(graph.further_facets, minlength=len(cells))
    for part in np.array_split(inner, max(1, len(inner) * graph.keys.shape[1] // (1 << 20))):
        distance = _differing(graph, cells[part], beyond[part])
        wrong = part[distance != folds[part]]
        if len(wrong):
            fail("topology", cells[wrong], "the patterns of neighbours differ in other units than those of their facet")
    components = int(connected_components(graph.adjacency, directed=False)[0])
    if graph.complete and (components != 1 or (beyond == UNEXPLORED).any()):
        fail("topology", np.arange(len(graph)), f"the graph says it is complete and has {components} components")
    report = getattr(graph.network, "import_report", None)
    return RegionCertificate(
        level="topology",
        cells=len(graph),
        complete=graph.complete,
        facets=len(inner) // 2,
        multiple_folds=int(np.sum(folds[inner] > 1)) // 2,
        components=components,
        mean_degree=graph.mean_degree,
        plane_error=error,
        import_error=float(getattr(report, "max_relative", float("nan"))),
        tolerances={"plane": tolerance},
        **asdict(graph.doubts),
    )


def _differing(graph: RegionGraph, here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """In how many units the patterns of cells differ."""
    keys = graph.explorer.keys
    return np.asarray((keys.unpack(graph.keys[here]) != keys.unpack(graph.keys[there])).sum(axis=1))


def _check_inside(graph: RegionGraph) -> None:
    """Interior points are inside of all facets, at the distance of the radius."""
    planes, cells = graph.facet_halfspaces, graph.facet_cells
    distance = -(np.einsum("kj,kj->k", planes[:, :-1], graph.interior_points[cells]) + planes[:, -1])
    terms = np.einsum("kj,kj->k", np.abs(planes[:, :-1]), np.abs(graph.interior_points[cells])) + np.abs(planes[:, -1])
    slack = 64 * UNIT_ROUNDOFF * (graph.explorer.extent + terms)
    wrong = (distance < graph.chebyshev_radii[cells] - slack) | (distance <= 0)
    if wrong.any():
        fail("topology", cells[wrong], "an interior point is not inside of its cell's facets by the radius")
    if not (excess(graph.domain, graph.interior_points) < 0).all():
        fail("topology", np.arange(len(graph)), "an interior point is outside the domain")


def _check_both_sides(graph: RegionGraph, inner: np.ndarray) -> tuple[float, float]:
    """Each facet is listed by both cells with the same units; returns how far its two planes are apart at its point."""
    cells, beyond = graph.facet_cells, graph.facet_neighbours
    pairs = cells[inner] * len(graph) + beyond[inner]
    order = np.argsort(pairs)
    other = np.searchsorted(pairs[order], beyond[inner] * len(graph) + cells[inner])
    other = inner[order[np.minimum(other, len(order) - 1)]] if len(inner) else inner
    missing = (cells[other] != beyond[inner]) | (beyond[other] != cells[inner])
    if missing.any():
        fail("topology", cells[inner[missing]], "a facet is seen from one side only")
    differs = (graph.facet_op[inner] != graph.facet_op[other]) | (graph.facet_unit[inner] != graph.facet_unit[other])
    if differs.any():
        fail("topology", cells[inner[differs]], "the two cells of a facet name different units for it")
    planes = graph.facet_halfspaces[other]
    away = np.abs(np.einsum("kj,kj->k", planes[:, :-1], graph.facet_points[inner]) + planes[:, -1])
    known = graph.facet_uncertainties[inner] + graph.facet_uncertainties[other]
    known = graph.tolerance.certificate / graph.tolerance.safety * known
    apart = away > known
    if apart.any():
        fail("topology", cells[inner[apart]], "the two cells of a facet have different planes for it")
    size = graph.domain.size
    return float(away.max(initial=0.0)) / size, float(known.max(initial=0.0)) / size
