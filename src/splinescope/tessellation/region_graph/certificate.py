"""What was verified about a region graph, by means that share nothing with the search."""

from __future__ import annotations

import warnings
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse.csgraph import connected_components

from splinescope.errors import CertificateWarning
from splinescope.numerics import UNIT_ROUNDOFF
from splinescope.tessellation.certificate.record import fail
from splinescope.tessellation.domains.samples import excess
from splinescope.tessellation.region_graph.graph import OUTSIDE, UNEXPLORED, RegionGraph
from splinescope.tessellation.region_graph.proof import nearest_sides, prove
from splinescope.tessellation.region_graph.record import RegionCertificate as RegionCertificate
from splinescope.tessellation.region_graph.search.keys import as_bytes
from splinescope.tessellation.region_graph.witness import check_samples

if TYPE_CHECKING:
    from splinescope.tessellation.branches.errors import Errors


_SEVERAL = 8.0
"""How many times as far as both are known two planes of one facet may be apart at its point."""


def certified(graph: RegionGraph, level: str) -> RegionGraph:
    """The graph with its certificate."""
    return replace(graph, certificate=certify(graph, level))


def certify(graph: RegionGraph, level: str = "values") -> RegionCertificate:
    """Verify a region graph.

    Args:
        graph: The graph.
        level: "topology": patterns differ between any two cells; each facet is a side of the domain, an end of the
            search, or is seen from both of its cells by the same units and on one plane; neighbours' patterns differ in
            exactly these units; interior points are inside; and the graph is connected if it is complete. "values":
            also, the half-spaces of all units are made anew for each cell, with a bound of their rounding errors: each
            is a recorded facet with a point that is inside of all others, or is shown to be out of reach of the
            recorded ones, so that no facet is missing and none is superfluous. What the bounds do not show is settled
            in rational arithmetic. At each interior point the network's own pattern is the recorded one and its output
            that of the cell's affine map, and the cells of random points of the domain are all there if it is complete.
            "proof": also, the network has the recorded patterns on both sides of every facet, nothing is left
            unsettled, and bounds of rounding errors are proved. Where they can only be measured, the level that is
            reached is "calibrated".

    Returns:
        The certificate. Its level is a lower one, and there is a `CertificateWarning`, if that is all that can be had.

    Raises:
        CertificateError: With the cells concerned, at the first check that fails.

    Cost: "topology" is linear in the number of facets; "values" adds the half-spaces of all units for each cell, and
    linear programs for those that the bounds leave open; "proof" two forward passes per facet.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(3,))
        >>> graph = splinescope.region_graph(relu, splinescope.Box([-1, -1, -1], [1, 1, 1]), verify="topology")
        >>> certify(graph, "proof").level, len(graph)
        ('proof', 8)
    """
    certificate = _topology(graph)
    if level == "topology":
        return certificate
    proof = prove(graph, facets_too=level == "proof")
    certificate = replace(
        certificate,
        level="values",
        interior_points=len(graph),
        row_checks=proof.rows,
        settled_cells=proof.settled,
        unsettled_cells=proof.unsettled,
        resolution=proof.resolution,
        output_error=proof.output_error,
        undecided_signs=proof.undecided,
        sign_error=proof.sign_error,
        sampled_points=check_samples(graph),
        tolerances={**certificate.tolerances, "output": proof.output_tolerance},
    )
    if level == "values":
        return certificate
    certificate = replace(certificate, facet_checks=len(graph.facet_op))
    return _reached(certificate, proof.errors)


def _reached(certificate: RegionCertificate, errors: Errors) -> RegionCertificate:
    """The level that was reached when a proof was asked for."""
    proved = errors.proved or certificate.settled_cells == certificate.cells
    if certificate.unsettled_cells:
        what = f"{certificate.unsettled_cells} cells are in doubt in float64, and too dear to settle"
    elif proved:
        return replace(certificate, level="proof")
    elif errors.calibrated:
        certificate = replace(certificate, level="calibrated")
        what = "rounding errors of so deep a network can be measured but not bounded in float64"
    else:
        what = "rounding errors of so deep a network are neither bounded nor measured"
    message = f"`verify`: asked for 'proof', reached {certificate.level!r}: {what}"
    warnings.warn(message, CertificateWarning, stacklevel=2)
    return certificate


def _topology(graph: RegionGraph) -> RegionCertificate:
    """Checks that need no forward pass."""
    if len(set(as_bytes(graph.keys))) < len(graph):
        fail("topology", np.arange(len(graph)), "two cells have one pattern")
    beyond = graph.facet_neighbours
    inner = np.flatnonzero(beyond >= 0)
    _check_sides(graph)
    unresolved = _check_inside(graph)
    error, tolerance = _check_both_sides(graph, inner)
    _check_flips(graph, inner)
    components = int(connected_components(graph.adjacency, directed=False)[0])
    if graph.complete and (components != 1 or (beyond == UNEXPLORED).any()):
        fail("topology", np.arange(len(graph)), f"the graph says it is complete and has {components} components")
    folds = 1 + np.bincount(graph.further_facets, minlength=len(beyond))
    report = getattr(graph.network, "import_report", None)
    return RegionCertificate(
        level="topology",
        cells=len(graph),
        complete=graph.complete,
        facets=len(inner) // 2,
        sides=int(np.count_nonzero(beyond == OUTSIDE)),
        ends=int(np.count_nonzero(beyond == UNEXPLORED)),
        multiple_folds=int(np.sum(folds[inner] > 1)) // 2,
        unresolved=unresolved,
        components=components,
        mean_degree=graph.mean_degree,
        plane_error=error,
        import_error=float(getattr(report, "max_relative", float("nan"))),
        tolerances={"plane": tolerance},
        **asdict(graph.doubts),
    )


def _check_sides(graph: RegionGraph) -> None:
    """A facet without neighbour lies on a side of the domain, each side once; all others are folds of units."""
    beyond, cells, sizes = graph.facet_neighbours, graph.facet_cells, np.zeros(len(graph.network.nodes), np.int64)
    outside = np.flatnonzero(beyond == OUTSIDE)
    nearest = nearest_sides(graph, outside)
    away = np.abs(graph.facet_halfspaces[outside] - graph.domain.halfspaces[nearest])
    known = 16 * (graph.dimension + 4) * UNIT_ROUNDOFF
    wrong = (away[:, :-1].max(axis=1, initial=0.0) > known) | (
        away[:, -1] > known * (graph.explorer.extent + graph.explorer.farthest)
    )
    if wrong.any():
        fail("topology", cells[outside[wrong]], "a facet without neighbour lies on no side of the domain")
    pairs, counts = np.unique(cells[outside] * len(graph.domain.halfspaces) + nearest, return_counts=True)
    if (counts > 1).any():
        fail("topology", pairs[counts > 1] // len(graph.domain.halfspaces), "a side of the domain is listed twice")
    for node, start, stop in graph.pattern_nodes:
        sizes[node] = stop - start
    named = (graph.facet_op >= 0) & (graph.facet_unit >= 0) & (graph.facet_unit < sizes[graph.facet_op])
    bare = (graph.facet_op == -1) & (graph.facet_unit == -1)
    wrong = np.where(beyond == OUTSIDE, ~bare, ~named) | (beyond < UNEXPLORED) | (beyond >= len(graph))
    if wrong.any():
        fail("topology", cells[wrong], "a facet names no unit of the network, or names one outside the domain")


def _check_flips(graph: RegionGraph, inner: np.ndarray) -> None:
    """The patterns of neighbours differ in the units of their facet and in no others."""
    cells, beyond, keys = graph.facet_cells, graph.facet_neighbours, graph.explorer.keys
    starts = np.zeros(len(graph.network.nodes), np.int64)
    for node, start, _ in graph.pattern_nodes:
        starts[node] = start
    columns = starts[graph.facet_op] + graph.facet_unit
    further = starts[graph.further_op] + graph.further_unit
    for part in np.array_split(inner, max(1, len(inner) * graph.keys.shape[1] // (1 << 20))):
        if not len(part):
            continue
        differs = keys.unpack(graph.keys[cells[part]]) != keys.unpack(graph.keys[beyond[part]])
        low, high = np.searchsorted(graph.further_facets, [part[0], part[-1] + 1])
        place = np.searchsorted(part, graph.further_facets[low:high])
        place_ok = part[np.minimum(place, len(part) - 1)] == graph.further_facets[low:high]
        expected = np.zeros(differs.shape, bool)
        expected[np.arange(len(part)), columns[part]] = True
        expected[place[place_ok], further[low:high][place_ok]] = True
        wrong = part[(differs != expected).any(axis=1)]
        if len(wrong):
            fail("topology", cells[wrong], "the patterns of neighbours differ in other units than those of their facet")


def _check_inside(graph: RegionGraph) -> int:
    """Interior points are inside of all facets, at the distance of the radius; returns how many are unresolved."""
    planes, cells = graph.facet_halfspaces, graph.facet_cells
    distance = -(np.einsum("kj,kj->k", planes[:, :-1], graph.interior_points[cells]) + planes[:, -1])
    terms = np.einsum("kj,kj->k", np.abs(planes[:, :-1]), np.abs(graph.interior_points[cells])) + np.abs(planes[:, -1])
    slack = 64 * UNIT_ROUNDOFF * (graph.explorer.extent + terms)
    # A cell that is thinner than coordinates are rounded has its interior point on it as nearly as can be.
    thin = graph.chebyshev_radii[cells] <= slack
    wrong = (distance < graph.chebyshev_radii[cells] - slack) | ((distance <= 0) & ~thin)
    if wrong.any():
        fail("topology", cells[wrong], "an interior point is not inside of its cell's facets by the radius")
    beyond = excess(graph.domain, graph.interior_points).max(axis=1)
    wide = np.ones(len(graph), bool)
    wide[cells[thin]] = False
    if not ((beyond < 0) | (~wide & (beyond <= slack.max(initial=0.0)))).all():
        fail("topology", np.arange(len(graph)), "an interior point is outside the domain")
    return int(np.count_nonzero(~wide))


def _check_both_sides(graph: RegionGraph, inner: np.ndarray) -> tuple[float, float]:
    """Each facet is listed by both cells with the same units; returns how far its two planes are apart at its point."""
    cells, beyond = graph.facet_cells, graph.facet_neighbours
    pairs = cells[inner] * len(graph) + beyond[inner]
    order = np.argsort(pairs)
    twice = np.flatnonzero(np.diff(pairs[order]) == 0)
    if len(twice):
        fail("topology", cells[inner[order[twice]]], "two cells have two facets in common")
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
    # What is said to be known says nothing if it is more than a millionth of the domain.
    known = np.minimum(_SEVERAL * known, 2.0**-20 * graph.domain.size)
    known += 16 * (graph.dimension + 4) * UNIT_ROUNDOFF * (graph.explorer.extent + graph.explorer.farthest)
    apart = away > known
    if apart.any():
        fail("topology", cells[inner[apart]], "the two cells of a facet have different planes for it")
    size = graph.domain.size
    return float(away.max(initial=0.0)) / size, float(known.max(initial=0.0)) / size
