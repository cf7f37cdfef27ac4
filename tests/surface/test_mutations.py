"""Surfaces that are wrong in one way each; the check that is part of making one must say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from splinescope import Box
from splinescope.errors import CertificateError
from splinescope.geometry.surface.collapse import PolygonMesh
from splinescope.tessellation.surface import extraction, level_set
from tests.surface import shapes

BOX = Box([-1.0, -1.0, -1.0], [1.0, 1.0, 1.0])


def without_polygons(mesh: PolygonMesh, gone: np.ndarray) -> PolygonMesh:
    """The mesh without some polygons; what was beyond their sides is a border."""
    sizes = np.diff(mesh.offsets)
    sides = np.repeat(~gone, sizes)
    number = np.append(np.where(sides, np.cumsum(sides) - 1, -1), -1)
    used, corners = np.unique(mesh.corners[sides], return_inverse=True)
    return replace(
        mesh,
        offsets=np.concatenate([[0], np.cumsum(sizes[~gone])]),
        corners=corners.astype(np.int64),
        twins=number[mesh.twins[sides]],
        cells=mesh.cells[~gone],
        faces=mesh.faces[sides],
        sources=mesh.sources[used],
    )


def all_missing(mesh: PolygonMesh) -> PolygonMesh:
    return without_polygons(mesh, np.ones(len(mesh.cells), bool))


def one_missing(mesh: PolygonMesh) -> PolygonMesh:
    return without_polygons(mesh, np.arange(len(mesh.cells)) == len(mesh.cells) // 2)


def half_missing(mesh: PolygonMesh) -> PolygonMesh:
    return without_polygons(mesh, np.arange(len(mesh.cells)) % 2 == 0)


def doubled(mesh: PolygonMesh) -> PolygonMesh:
    """The last polygon is there twice; the copy's sides have no twins."""
    last = slice(int(mesh.offsets[-2]), int(mesh.offsets[-1]))
    count = len(mesh.corners[last])
    return replace(
        mesh,
        offsets=np.append(mesh.offsets, mesh.offsets[-1] + count),
        corners=np.concatenate([mesh.corners, mesh.corners[last]]),
        twins=np.concatenate([mesh.twins, np.full(count, -1)]),
        cells=np.append(mesh.cells, mesh.cells[-1]),
        faces=np.concatenate([mesh.faces, mesh.faces[last]]),
    )


def turned(mesh: PolygonMesh) -> PolygonMesh:
    """One polygon runs the other way."""
    first = slice(0, int(mesh.offsets[1]))
    corners = mesh.corners.copy()
    corners[first] = corners[first][::-1]
    return replace(mesh, corners=corners)


def torn(mesh: PolygonMesh) -> PolygonMesh:
    """Two polygons forget that they are neighbours."""
    twins = mesh.twins.copy()
    side = int(np.flatnonzero(twins >= 0)[0])
    twins[[side, twins[side]]] = -1
    return replace(mesh, twins=twins)


@pytest.mark.parametrize("verify", ["topology", "values"])
@pytest.mark.parametrize("prune", [False, True])
@pytest.mark.parametrize("mutation", [all_missing, one_missing, half_missing, doubled, turned, torn])
def test_polygons(
    monkeypatch: pytest.MonkeyPatch, mutation: Callable[[PolygonMesh], PolygonMesh], prune: bool, verify: str
) -> None:
    """Caught by every level, since it is combinatorics."""
    network = shapes.network(shapes.square_torus())
    whole = level_set(network, BOX, verify=verify, prune=prune)
    assert whole.is_watertight
    assert whole.certificate.crossings == len(whole.vertices)
    make = extraction._mesh
    monkeypatch.setattr(extraction, "_mesh", lambda *arguments: mutation(make(*arguments)))
    with pytest.raises(CertificateError):
        level_set(network, BOX, verify=verify, prune=prune)


@pytest.mark.parametrize("by", [1e-6, 1e-9])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_vertex_shifted(monkeypatch: pytest.MonkeyPatch, by: float, axis: int) -> None:
    """Across an edge by "topology", which needs no network; along it, off the level, by "values"."""
    network = shapes.network(shapes.octahedron())
    place = extraction._positions

    def shifted(*arguments: object) -> np.ndarray:
        vertices = place(*arguments)
        vertices[2, axis] += by
        return vertices

    monkeypatch.setattr(extraction, "_positions", shifted)
    with pytest.raises(CertificateError):
        level_set(network, BOX, level=-0.25, verify="values")


def test_signs_that_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trace takes one vertex of the cells to be on the other side of the level."""
    above = extraction.Heights.above.fget

    def wrong(heights: extraction.Heights) -> np.ndarray:
        signs = above(heights).copy()
        signs[int(np.abs(heights.values).argmax())] ^= True
        return signs

    network = shapes.network(shapes.octahedron())
    monkeypatch.setattr(extraction.Heights, "above", property(wrong))
    with pytest.raises(CertificateError):
        level_set(network, BOX, level=-0.25)


def test_a_budget_is_a_reason_for_holes() -> None:
    mesh = level_set(shapes.network(shapes.octahedron()), BOX, level=-0.25, max_cells=5, prune=False)
    assert mesh.certificate.holes > 0
