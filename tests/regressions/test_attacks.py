"""Networks that once went wrong or were refused, found by attacks with other kinds than the sweeps' families."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope import Box, Network, Slice
from splinescope.errors import CertificateError
from splinescope.tessellation.certificate import certify
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.region_graph import region_graph
from splinescope.tessellation.spatial import SpatialComplex
from tests.fixtures.engine_networks import to_network
from tests.fixtures.recipes import Builder
from tests.reference.comparison import compare
from tests.reference.exact_cells import exact_cells


def dense(weight: list[list[float]], bias: list[float]) -> nn.Linear:
    layer = nn.Linear(len(weight[0]), len(weight)).double()
    with torch.no_grad():
        layer.weight[:] = torch.tensor(weight, dtype=torch.float64)
        layer.bias[:] = torch.tensor(bias, dtype=torch.float64)
    return layer


def pooled() -> tuple[Network, Slice]:
    """`max(relu(u), relu(v))` where v is a third of u up to rounding: a pair is thought equal where one is positive."""
    u, v = [-0.23048064561946474, -1.5134088062923134], [-0.07682688187315491, -0.5044696020974377]
    first = dense([u, v, [0, 0], [0, 0]], [-0.30540323125393454, -0.10180107708464484, 0, 0])
    module = nn.Sequential(first, nn.ReLU(), nn.Unflatten(1, (1, 2, 2)), nn.MaxPool2d(2), nn.Flatten())
    return splinescope.from_torch(module, (2,)), Slice.box([-1, -1], [1, 1])


def needle() -> tuple[Network, Slice]:
    """One layer of Hardtanh units in a window of 1e9 x 1: outputs are said to be off."""
    module = nn.Sequential(dense([[-0.5, 0], [-0.5, -0.25], [0, 0.5]], [0.75, 0.75, 1]), nn.Hardtanh())
    return splinescope.from_torch(module, (2,)), Slice.box([-1e9, -1], [1e9, 1])


def offset() -> tuple[Network, Slice]:
    """Two candidates of a maximum whose biases differ by some roundings, at 1.4e8: a sign is said to be another."""
    row = [-0.003223851360959186, -0.11032705509043989]
    first = dense([row, row], [0.02474012750120204, 0.024740127501202042])
    module = nn.Sequential(first, nn.Unflatten(1, (1, 1, 2)), nn.MaxPool2d((1, 2)), nn.Flatten())
    corner = [2038657.2467962634, -146429767.08970985]
    return splinescope.from_torch(module, (2,)), Slice.box(corner, [x + 2 for x in corner])


def microscopic() -> tuple[Network, Slice]:
    """Three members of a maximum in a window of 1e-12: a region graph's planes are said to be apart."""
    rows = [[0.0, 0.0]] * 6 + [[0.0, 1.0], [-2.0, 0.0]]
    first = dense(rows, [0, 0, 0, 0, 2, 0, 2, 2])
    module = nn.Sequential(first, nn.Unflatten(1, (2, 2, 2)), nn.MaxPool2d(2), nn.Flatten())
    return splinescope.from_torch(module, (2,)), Slice.box([-1e-12, -1e-12], [1e-12, 2e-12])


def polygon(*corners: tuple[float, float]) -> Slice:
    """A slice of the plane with the given corners."""
    return Slice(np.zeros(2), np.eye(2), np.array(corners))


def maximum_of_maxima() -> tuple[Network, Slice]:
    """Interpolation made an exact 0.0 of a value of 6e-18 at a vertex."""
    builder = Builder()
    builder.dense([[16063447.0, -2124143.0], [0.16063447, -0.021241430000000002], [0, 0], [0, 0], [0, 0]])
    builder.maximum([[1, -1, -1], [0, 2, -1], [-1, -1, 3], [-1, 4, -1]])
    builder.maximum([[-1, -1, 3, 0, -1], [-1, 1, 0, -1, -1]])
    return to_network(builder.build()), Slice.box([-1, -1], [1, 1])


def steep_member() -> tuple[Network, Slice]:
    """A vertex on the fold of two flat members, placed by a steep one."""
    builder = Builder()
    builder.dense([[0, -1], [1, 1], [55558, 0]], [0, 0, 1])
    builder.maximum([[-1, -1, 2, 1, -1, 0]])
    return to_network(builder.build()), Slice.box([-1, -1], [1, 1])


def contrast() -> tuple[Network, Slice]:
    """Members of 1e55 and 1 in two groups: where they are equal, both are what the flat one is."""
    builder = Builder()
    builder.dense([[2e55, 0], [0, 1], [1, -1]])
    builder.maximum([[1, -1], [0, 2]])
    builder.layer([[0, -1], [-2, -2]])
    return to_network(builder.build()), polygon((1, -1), (0, 0), (-1, 0))


def subnormal() -> tuple[Network, Slice]:
    """Weights below the smallest normal number."""
    builder = Builder()
    builder.layer([[0, 6e-322], [1, 0]])
    return to_network(builder.build()), polygon((-1.3424, -2.6784), (0, 0), (0.448, 0.894))


@pytest.mark.parametrize("make", [pooled, needle, offset, maximum_of_maxima, steep_member, contrast, subnormal])
def test_planes(make: object) -> None:
    network, domain = make()  # type: ignore[operator]
    result = compare(splinescope.tessellate(network, domain, verify="proof"), exact_cells(network, domain))
    assert not result.wrong, str(result)


def needle_without_folds() -> tuple[Network, Slice]:
    """A thin triangle, whose sides are nearly parallel."""
    builder = Builder()
    builder.dense([[0, 0]])
    corners = (0.46326477, -0.34993809), (0.12383363, -0.093540714), (-0.21648942, 0.163530384989)
    return to_network(builder.build()), polygon(*corners)


def fold_through_a_corner() -> tuple[Network, Slice]:
    """A fold that misses a corner of a triangle by less than its rounded sides do."""
    builder = Builder()
    builder.layer([[1.4, -0.2]], [1.29234682507396])
    return to_network(builder.build()), polygon((0, 0), (1, 1), (-0.9485174554530484, -0.17788806280153938))


@pytest.mark.parametrize("make", [microscopic, needle_without_folds, fold_through_a_corner])
def test_region_graphs(make: object) -> None:
    network, domain = make()  # type: ignore[operator]
    result = compare(region_graph(network, domain, verify="values"), exact_cells(network, domain))
    assert not result.wrong, str(result)


def constant_unit() -> PlanarComplex:
    """The bit of a unit that is 1 on a whole cell, behind one of 1e22, is flipped."""
    builder = Builder()
    builder.dense([[0, -95221008701.0], [-88225235.0, 0]])
    builder.layer([[1, 0], [118635126784.0, -92755271680.0]])
    builder.layer([[0, 1]], [1.0])
    cells = tessellated(builder, polygon((-1, -1), (1, 1), (-1, 1)))
    return flipped(cells, 1, 1)


def columns_swapped() -> PlanarComplex:
    """Columns of the patterns in another order."""
    builder = Builder()
    builder.layer([[1, 0], [0, 1]], [5.0, -5.0])
    cells = tessellated(builder)
    codes = cells.codes[0]
    return replace(cells, codes=(replace(codes, columns=codes.columns[::-1].copy()),))


def no_such_place() -> PlanarComplex:
    """A winner that is none of the places of its group."""
    builder = Builder()
    builder.dense([[1, 0], [1, 0], [0, 1]])
    builder.maximum([[2]])
    return flipped(tessellated(builder), 0, 1)


def absent_member() -> PlanarComplex:
    """A winner at a place where the group has no member."""
    builder = Builder()
    builder.dense([[1, 0], [1, 0], [0, 1]])
    builder.maximum([[-1, 0, 1]])
    return flipped(tessellated(builder), 0, 2)


def moved_beside_a_sliver() -> PlanarComplex:
    """A vertex moved along the border; the fold there vanishes on the border to the last bit but one."""
    builder = Builder()
    builder.layer([[1.0000000000000004, 0]], [1.0])
    cells = tessellated(builder, polygon((1, -1), (1, 1), (-1, 1)))
    vertices = cells.vertices.copy()
    vertices[4] += 1e-3 * (vertices[0] - vertices[4])
    return replace(cells, vertices=vertices)


def clustered(weight: list[list[float]], bias: list[float]) -> PlanarComplex:
    """Lines that meet in one point up to rounding, so that cells lie there that coordinates hide."""
    module = nn.Sequential(dense(weight, bias), nn.ReLU(), dense([[1.0] * len(weight)], [0.0]))
    domain = Slice.box([-1, -1], [1, 1])
    cells = splinescope.tessellate(splinescope.from_torch(module, (2,)), domain, verify="proof")
    assert isinstance(cells, PlanarComplex)
    assert not cells.resolved.all()
    return cells


def output_at_a_hidden_cell() -> PlanarComplex:
    """The output at a vertex of cells that coordinates hide, and of one that they don't."""
    cells = clustered([[0.7, 1.6], [-1.2, -0.6], [-1.3, -0.1], [1.0, 0.0]], [-0.53, 0.48, 0.41, -0.3])
    hidden = int(np.flatnonzero(~cells.resolved)[0])
    outputs = cells.vertex_outputs.copy()
    outputs[cells.cell_vertices[cells.cell_offsets[hidden]]] += 1000.0
    return replace(cells, vertex_outputs=outputs)


def interior_point_of_a_hidden_cell() -> PlanarComplex:
    cells = clustered([[0.7, -1.6], [0, -0.6], [0.1, -1.6]], [0.87, 0.3, 0.81])
    points = cells.interior_points.copy()
    points[np.flatnonzero(~cells.resolved)[0]] += 0.25
    return replace(cells, interior_points=points)


def sides_of_a_facet() -> SpatialComplex:
    """In space: the cells below and above a fold, exchanged."""
    module = nn.Sequential(dense([[1.0, 0.5, 0.25]], [0.1]), nn.ReLU())
    cells = splinescope.tessellate(splinescope.from_torch(module, (3,)), Box([-1.0] * 3, [1.0] * 3), verify="proof")
    assert isinstance(cells, SpatialComplex)
    beside = cells.facet_cells.copy()
    beside[(beside >= 0).all(axis=1)] = beside[(beside >= 0).all(axis=1), ::-1]
    return replace(cells, facet_cells=beside)


def tessellated(builder: Builder, domain: Slice | None = None) -> PlanarComplex:
    cells = splinescope.tessellate(to_network(builder.build()), domain or Slice.box([-1, -1], [1, 1]), verify="proof")
    assert isinstance(cells, PlanarComplex)
    return cells


def flipped(cells: PlanarComplex, node: int, mask: int) -> PlanarComplex:
    """Bits of the first cell's pattern changed."""
    words = cells.codes[node].words.copy()
    words[0, 0] ^= np.uint64(mask)
    codes = list(cells.codes)
    codes[node] = replace(codes[node], words=words)
    return replace(cells, codes=tuple(codes))


CORRUPTIONS = (
    constant_unit,
    columns_swapped,
    no_such_place,
    absent_member,
    moved_beside_a_sliver,
    output_at_a_hidden_cell,
    interior_point_of_a_hidden_cell,
    sides_of_a_facet,
)


@pytest.mark.parametrize("make", CORRUPTIONS)
def test_corruptions_are_refused(make: object) -> None:
    with pytest.raises(CertificateError):
        certify(replace(make(), certificate=None), "proof")  # type: ignore[operator]


def test_a_clip_behind_a_steep_layer_is_imported() -> None:
    """Float32 saturates where float64 doesn't, so that it says nothing of the rounding there."""
    norm = nn.BatchNorm1d(1, eps=1e-12).double()
    with torch.no_grad():
        norm.running_mean.fill_(0.1)
        norm.running_var.fill_(1e-10)
    module = nn.Sequential(dense([[-0.17, 1.66]], [0.33]), norm, nn.Hardtanh()).eval()
    assert splinescope.from_torch(module, (2,)).num_units == 1
