"""Mutants of right complexes: each is caught by the level that promises it, in every dimension.

The lowest level that catches a mutant is stated beside it, as in the table of `docs/certificate.md`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.errors import CertificateError
from splinescope.geometry.lattice.polytopes import volumes
from splinescope.tessellation import certify
from splinescope.tessellation.planar.certificate import certify_slices
from splinescope.tessellation.planar.complex import PlanarComplex, measure_cells
from splinescope.tessellation.segments import SegmentComplex, certify_segments, tessellate_segments
from splinescope.tessellation.spatial.complex import SpatialComplex, cell_means
from tests.certificate.grouped import in_groups
from tests.tessellation.batches import side_by_side
from tests.tessellation.test_certificate import merged

KINDS = ("plane", "space", "segment")
DOMAINS = {
    "plane": splinescope.Slice.box([-1, -1], [1, 1]),
    "space": splinescope.Box([-1.0] * 3, [1.0] * 3),
    "segment": splinescope.Segment([-1.0, -0.8], [0.9, 1.0]),
}


def module(inputs: int, change: Callable[[nn.Sequential], None] | None = None) -> nn.Sequential:
    """A small network with two layers of folds and a max-pool, perhaps changed."""
    generator = torch.Generator().manual_seed(5)
    net = nn.Sequential(nn.Linear(inputs, 8), nn.LeakyReLU(0.25), nn.Linear(8, 8), nn.Unflatten(1, (1, 8)))
    net += nn.Sequential(nn.MaxPool1d(2), nn.Flatten(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))
    net = net.double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.7)
        if change is not None:
            change(net)
    return net


def cells_of(kind: str, change: Callable[[nn.Sequential], None] | None = None) -> Any:
    """The complex of the network, perhaps changed, with the network that it is of."""
    inputs = 3 if kind == "space" else 2
    network = splinescope.load(module(inputs, change), input_shape=(inputs,))
    return splinescope.tessellate(network, DOMAINS[kind], verify="topology")


@functools.cache
def right(kind: str) -> Any:
    """The right complex."""
    return cells_of(kind)


def pretended(kind: str, change: Callable[[nn.Sequential], None]) -> Any:
    """The complex of a changed network, said to be that of the right one."""
    return replace(cells_of(kind, change), network=right(kind).network, certificate=None)


def caught(cells: Any, level: str) -> bool:
    """Whether a level refuses a complex: also where passes are shared, and of a plane among others that are right."""
    refused = refuses(cells, level)
    if not isinstance(cells, SegmentComplex):
        with in_groups():
            assert refuses(cells, level) == refused
    if isinstance(cells, PlanarComplex):
        assert refused_among_others(cells, level) == refused
    return refused


def refuses(cells: Any, level: str) -> bool:
    """Whether a level refuses a complex."""
    try:
        certify(cells, level)
    except CertificateError:
        return True
    return False


@functools.cache
def beside(network: splinescope.Network) -> tuple[PlanarComplex, ...]:
    """Slices of other sizes of the same network, before and behind a mutant."""
    corners = (([-0.4, -0.9], [0.2, 0.3]), ([-1.0, 0.0], [3.0, 1.5]))
    return tuple(splinescope.tessellate(network, splinescope.Slice.box(*ends), verify="topology") for ends in corners)


def refused_among_others(cells: PlanarComplex, level: str) -> bool:
    """Whether a level refuses a batch of slices for the complex that is in its middle."""
    before, behind = beside(cells.network)
    try:
        found = certify_slices(side_by_side([before, cells, behind]), level)
    except CertificateError as error:
        said = str(error)
    else:
        assert [one.level for one in found] == [level] * 3
        return False
    assert said.startswith("slice 1: ")
    return True


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", ["topology", "values", "proof"])
def test_the_right_complex_passes(kind: str, level: str) -> None:
    certificate = certify(right(kind), level)
    assert (certificate.level, certificate.undecided_signs, certificate.merged) == (level, 0, 0)
    if level != "topology":
        assert certificate.errors == "proved"
        assert certificate.resolution < 1e-10
        assert certificate.output_error <= certificate.tolerances["output"]
        assert certificate.own_passes == 1.0


@pytest.mark.parametrize("kind", ["plane", "space"])
@pytest.mark.parametrize("level", ["values", "proof"])
def test_groups_prove_of_the_right_complex_what_passes_of_its_own_do(kind: str, level: str) -> None:
    with in_groups():
        certificate = certify(right(kind), level)
    alone = certify(right(kind), level)
    assert (certificate.level, certificate.undecided_signs, certificate.merged) == (level, 0, 0)
    assert (certificate.interior_points, certificate.vertex_checks) == (alone.interior_points, alone.vertex_checks)
    assert certificate.own_passes < 0.35
    assert certificate.tolerances["output"] < 2 * alone.tolerances["output"]


def drop_unit(net: nn.Sequential) -> None:
    net[0].weight[3] = 0.0
    net[0].bias[3] = -1.0


def bend_slope(net: nn.Sequential) -> None:
    net[1].negative_slope = 0.25 * 1.001


def bend_weight(net: nn.Sequential) -> None:
    net[8].weight[0, 2] *= 1 + 1e-5


def skip_candidate(net: nn.Sequential) -> None:
    net[2].weight[1] = 0.0
    net[2].bias[1] = -100.0  # never the larger of its pair


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [drop_unit, bend_slope, bend_weight, skip_candidate])
def test_cells_of_another_network_are_caught_by_values(kind: str, change: Callable[[nn.Sequential], None]) -> None:
    broken = pretended(kind, change)
    assert not caught(broken, "topology")  # it is the right answer to another question
    assert caught(broken, "values")
    assert caught(broken, "proof")


@pytest.mark.parametrize("kind", KINDS)
def test_a_chord_that_cuts_off_a_corner_is_missed_by_values_only(kind: str) -> None:
    """The fold of one unit passes through a corner of the domain only, without the interior point of a cell."""
    inputs = 3 if kind == "space" else 2

    def network(bias: float) -> splinescope.Network:
        net = nn.Sequential(nn.Linear(inputs, 2), nn.ReLU(), nn.Linear(2, 1)).double()
        with torch.no_grad():
            net[0].weight.copy_(torch.ones(2, inputs))
            net[0].bias.copy_(torch.tensor([0.0, bias]))
        return splinescope.load(net, input_shape=(inputs,))

    end = float(np.ones(inputs) @ np.ones(inputs)) if kind != "segment" else 1.9
    blind = splinescope.tessellate(network(-end - 1), DOMAINS[kind], verify="topology")
    broken = replace(blind, network=network(-end + 1e-7), certificate=None)
    assert not caught(broken, "topology")
    assert caught(broken, "proof")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("distance", [1e-6, 1e-9, 1e-12])
def test_a_shifted_vertex_is_caught_by_proof(kind: str, distance: float) -> None:
    cells = right(kind)
    inner = inner_vertices(cells)
    generator = np.random.default_rng(1)
    for vertex in generator.choice(inner, size=min(6, len(inner)), replace=False):
        direction = generator.standard_normal(cells.vertices.shape[1])
        vertices = cells.vertices.copy()
        vertices[vertex] += distance * direction / np.linalg.norm(direction)
        assert caught(moved(cells, vertices), "proof"), (vertex, distance)


def inner_vertices(cells: Any) -> np.ndarray:
    """Vertices that are not on the boundary of the domain."""
    rows = np.asarray(cells.domain.halfspaces)
    return np.flatnonzero((cells.vertices @ rows[:, :-1].T + rows[:, -1]).max(axis=1) < -1e-3)


def moved(cells: Any, vertices: np.ndarray) -> Any:
    """The complex with other vertices, whose measures and interior points follow."""
    broken = replace(cells, vertices=vertices, certificate=None)
    if isinstance(cells, PlanarComplex):
        areas, centres = np.empty(len(cells)), np.empty((len(cells), 2))
        measure_cells(0, len(cells), vertices, cells.cell_vertices, cells.cell_offsets, areas, centres)
        return replace(broken, measures=areas, interior_points=centres)
    if isinstance(cells, SpatialComplex):
        levels = [cells.faces[k] for k in range(2, cells.dimension + 1)]
        measures = volumes(vertices, cells.edges, levels)
        means = cell_means(vertices, cells.cell_vertices, cells.cell_offsets)
        return replace(broken, measures=measures, interior_points=means)
    t = vertices[:, 0]
    return replace(broken, measures=np.diff(t), interior_points=0.5 * (t[:-1] + t[1:])[:, None])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [1e-6, 1.0])
def test_a_changed_output_at_a_vertex_is_caught_by_proof(kind: str, share: float) -> None:
    cells = right(kind)
    for vertex in np.random.default_rng(2).choice(len(cells.vertices), size=5, replace=False):
        outputs = cells.vertex_outputs.copy()
        outputs[vertex] += share * np.abs(outputs).max()
        assert caught(replace(cells, vertex_outputs=outputs, certificate=None), "proof"), vertex


@pytest.mark.parametrize(("kind", "level"), [("plane", "values"), ("space", "topology"), ("segment", "topology")])
def test_an_interior_point_outside_is_caught(kind: str, level: str) -> None:
    cells = right(kind)
    points = cells.interior_points.copy()
    points[len(cells) // 2] = cells.domain.corners[0]
    assert caught(replace(cells, interior_points=points, certificate=None), level)


@pytest.mark.parametrize("kind", ["plane", "space"])
def test_exchanged_sides_of_a_facet_are_caught_by_topology(kind: str) -> None:
    cells = right(kind)
    name = "edge_cells" if kind == "plane" else "facet_cells"
    made_by = cells.edge_op if kind == "plane" else cells.facet_op
    beside = getattr(cells, name)
    first = cells.pattern_nodes[0][0]  # the leaky ReLU
    for facet in np.flatnonzero((beside >= 0).all(axis=1) & (made_by == first))[:3]:
        exchanged = beside.copy()
        exchanged[facet] = exchanged[facet, ::-1]
        assert caught(replace(cells, **{name: exchanged}, certificate=None), "topology")


@pytest.mark.parametrize("kind", ["plane", "space"])
def test_swapped_patterns_are_caught_by_values(kind: str) -> None:
    cells = right(kind)
    beside = cells.edge_cells if kind == "plane" else cells.facet_cells
    for one, other in beside[(beside >= 0).all(axis=1)][:5]:
        order = np.arange(len(cells))
        order[[one, other]] = order[[other, one]]
        broken = replace(cells, codes=tuple(code.taken(order) for code in cells.codes), certificate=None)
        assert caught(broken, "values")


@pytest.mark.parametrize("kind", ["plane", "space"])
@pytest.mark.parametrize("way", ["lost", "doubled"])
def test_lost_and_doubled_cells_are_caught_by_topology(kind: str, way: str) -> None:
    cells = right(kind)
    which = np.arange(len(cells) - 1) if way == "lost" else np.append(np.arange(len(cells)), len(cells) - 1)
    sizes = np.diff(cells.cell_offsets)
    rows = [np.arange(cells.cell_offsets[i], cells.cell_offsets[i + 1]) for i in which]
    parts = {
        "cell_vertices": cells.cell_vertices[np.concatenate(rows)],
        "cell_offsets": np.concatenate([[0], np.cumsum(sizes[which])]),
        "interior_points": cells.interior_points[which],
        "measures": cells.measures[which],
        "codes": tuple(code.taken(which) for code in cells.codes),
    }
    name = "edge_cells" if kind == "plane" else "facet_cells"
    beside = getattr(cells, name)
    parts[name] = np.where(beside == len(cells) - 1, -1, beside) if way == "lost" else beside
    if kind == "space":
        lists = cells.faces[3]
        items = [lists.items[lists.offsets[i] : lists.offsets[i + 1]] for i in which]
        offsets = np.concatenate([[0], np.cumsum([len(item) for item in items])])
        parts["faces"] = {**cells.faces, 3: lists._replace(offsets=offsets, items=np.concatenate(items))}
    assert caught(replace(cells, certificate=None, **parts), "topology")


@pytest.mark.parametrize("kind", ["plane", "space"])
def test_a_dropped_facet_is_caught_by_topology(kind: str) -> None:
    """A facet inside the domain that says it has a neighbour on one side only."""
    cells = right(kind)
    name = "edge_cells" if kind == "plane" else "facet_cells"
    beside = getattr(cells, name).copy()
    facet = int(np.flatnonzero((beside >= 0).all(axis=1))[3])
    beside[facet, 1] = -1
    assert caught(replace(cells, certificate=None, **{name: beside}), "topology")


def test_a_dropped_edge_is_caught_by_topology() -> None:
    cells = right("plane")
    edge = int(np.flatnonzero((cells.edge_cells >= 0).all(axis=1))[3])
    parts = {name: np.delete(getattr(cells, name), edge, axis=0) for name in ("edges", "edge_cells", "edge_op")}
    broken = replace(cells, edge_unit=np.delete(cells.edge_unit, edge), certificate=None, **parts)
    assert caught(broken, "topology")


def test_merged_planar_cells_are_caught_by_values() -> None:
    cells = right("plane")
    for edge in np.flatnonzero((cells.edge_cells >= 0).all(axis=1))[::7]:
        broken, cell = merged(cells, int(edge))
        assert refused_among_others(broken, "values")
        with pytest.raises(CertificateError) as error:
            certify(broken, "values")
        assert cell in error.value.cells


def batch() -> Any:
    """Two segments through the network of the plane."""
    ends = np.array([[-1.0, -0.8], [0.9, 1.0]]), np.array([[0.9, 1.0], [-1.0, 0.7]])
    return tessellate_segments(right("plane").network, *ends, verify="topology")


@pytest.mark.parametrize("distance", [1e-6, 1e-9, 1e-12])
def test_a_shifted_breakpoint_of_a_batch_is_caught_by_proof(distance: float) -> None:
    cells = batch()
    t = cells.t.copy()
    t[2] += distance
    with pytest.raises(CertificateError):
        certify_segments(replace(cells, t=t), "proof")


def test_a_dropped_breakpoint_is_caught_by_values() -> None:
    """The breakpoint is gone, and with it the cell behind it: the one before goes on to the next breakpoint."""
    cells = batch()
    kept = np.delete(np.arange(len(cells.t)), 3)
    flips = np.diff(cells.flip_offsets)
    entries = np.delete(np.arange(len(cells.flip_op)), np.arange(cells.flip_offsets[3], cells.flip_offsets[4]))
    broken = replace(
        cells,
        offsets=cells.offsets - (cells.offsets > 3),
        t=cells.t[kept],
        vertex_outputs=cells.vertex_outputs[kept],
        flip_offsets=np.concatenate([[0], np.cumsum(flips[kept])]),
        flip_op=cells.flip_op[entries],
        flip_unit=cells.flip_unit[entries],
        codes=tuple(without_cell(code, 3) for code in cells.codes),
        **({"amplification": cells.amplification[kept]} if hasattr(cells, "amplification") else {}),
    )
    certify_segments(broken, "topology")
    with pytest.raises(CertificateError):
        certify_segments(broken, "values")


def without_cell(code: Any, cell: int) -> Any:
    """Codes along segments without one cell and the bits that change at its start."""
    counts = np.diff(code.flip_offsets)
    entries = np.delete(np.arange(len(code.flips)), np.arange(code.flip_offsets[cell], code.flip_offsets[cell + 1]))
    return replace(
        code,
        starts=code.starts - (code.starts > cell),
        flip_offsets=np.concatenate([[0], np.cumsum(np.delete(counts, cell))]),
        flips=code.flips[entries],
    )


def test_a_segment_without_its_last_part_is_caught_by_topology() -> None:
    cells = batch()
    t = cells.t.copy()
    t[cells.offsets[1] - 1] -= 1e-12
    with pytest.raises(CertificateError, match="`measures`"):
        certify_segments(replace(cells, t=t), "topology")


def test_a_certificate_that_fails_leaves_torch_and_numpy_as_they_were() -> None:
    network = splinescope.from_torch(
        torch.nn.Sequential(torch.nn.Linear(2, 6), torch.nn.ReLU(), torch.nn.Linear(6, 1)), input_shape=(2,)
    )
    cells = splinescope.tessellate(network, splinescope.Slice.box([-1, -1], [1, 1]), verify="topology")
    wrong = replace(cells, vertex_outputs=cells.vertex_outputs + 1.0, certificate=None)
    before = np.geterr()
    with pytest.raises(CertificateError) as held:
        certify(wrong, "proof")
    assert torch.is_grad_enabled()
    assert np.geterr() == before
    del held


def folds_twice(kind: str, apart: float) -> nn.Sequential:
    """A network two units of which fold at one place, or at two that are so far apart."""
    inputs = 3 if kind == "space" else 2
    generator = torch.Generator().manual_seed(3)
    net = nn.Sequential(nn.Linear(inputs, 6), nn.ReLU(), nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 1)).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.7)
        net[0].weight[:2, :] = torch.tensor([[3.0], [-3.0]])
        net[0].weight[:2, 1] /= 3
        net[0].bias[:2] = torch.tensor([0.25, -0.25 + apart], dtype=torch.float64)
    return net


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("apart", [2.0**-54, -(2.0**-54)])
@pytest.mark.parametrize("level", ["values", "proof"])
def test_a_made_up_cell_of_measure_zero_is_caught(kind: str, apart: float, level: str) -> None:
    """Between folds that coincide: at its corners all signs hold weakly, and no set of points has its pattern."""

    def cells_for(apart: float) -> Any:
        network = splinescope.load(folds_twice(kind, apart), input_shape=(3 if kind == "space" else 2,))
        return splinescope.tessellate(network, DOMAINS[kind], verify="topology")

    plain, more = cells_for(0.0), cells_for(apart)
    assert len(more) > len(plain)
    assert certify(plain, level).level == certify(more, level).level == level  # what is thin, but there, is no fault
    assert caught_alone(replace(more, network=plain.network, certificate=None), level)


def caught_alone(cells: Any, level: str) -> bool:
    """Whether a level refuses a complex, also where passes are shared."""
    refused = refuses(cells, level)
    if not isinstance(cells, SegmentComplex):
        with in_groups():
            assert refuses(cells, level) == refused
    return refused


def test_copies_of_cells_squeezed_flat_are_caught() -> None:
    """Around a breakpoint that is there three times, the cells beside it are twice; all signs hold weakly."""
    cells = right("segment")
    for at in range(1, len(cells)):
        thrice = np.array([*range(at), at, at, at, *range(at + 1, len(cells.vertices))])
        offsets, entries = of_rows(cells.flip_offsets, thrice)
        parts = {
            "vertex_outputs": cells.vertex_outputs[thrice],
            "cell_vertices": np.repeat(np.arange(len(thrice)), 2)[1:-1],
            "cell_offsets": np.arange(0, 2 * len(thrice), 2),
            "flip_offsets": offsets,
            "flip_op": cells.flip_op[entries],
            "flip_unit": cells.flip_unit[entries],
            "codes": tuple(with_flips(code, thrice[:-1]) for code in cells.codes),
        }
        broken = moved(replace(cells, **parts), cells.vertices[thrice])
        assert certify(broken, "topology").level == "topology"
        assert refuses(broken, "values")
        assert refuses(broken, "proof")


def of_rows(offsets: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of some of several lists, and places of their items."""
    lists = [np.arange(*offsets[row : row + 2]) for row in rows]
    return np.concatenate([[0], np.cumsum([len(one) for one in lists])]), np.concatenate(lists)


def with_flips(code: Any, cells: np.ndarray) -> Any:
    """Codes along a segment whose cells start with the flips of these."""
    offsets, entries = of_rows(code.flip_offsets, cells)
    return replace(code, starts=np.array([0, len(cells)]), flip_offsets=offsets, flips=code.flips[entries])
