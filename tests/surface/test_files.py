"""Mesh files, read back by an independent library and by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.tessellation.surface import SurfaceMesh, level_set
from tests.spatial.cases import CUBE
from tests.surface import shapes

ENDINGS = (".ply", ".obj", ".stl")


@pytest.fixture(scope="module")
def torus() -> SurfaceMesh:
    """A square ring, of polygons with three to six corners."""
    basis = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    domain = splinescope.Slice(np.zeros(3), basis, 2 * splinescope.Box(*CUBE).corners)
    return level_set(shapes.network(shapes.square_torus()), domain)


@pytest.mark.parametrize("ending", ENDINGS)
def test_read_by_trimesh(torus: SurfaceMesh, tmp_path: Path, ending: str) -> None:
    trimesh = pytest.importorskip("trimesh", reason="trimesh is in the extra `test`")
    torus.triangulated().save(tmp_path / f"torus{ending}")  # its reader of .ply takes no polygons of several sizes
    read = trimesh.load(tmp_path / f"torus{ending}")
    read.merge_vertices(digits_vertex=6)
    assert read.is_watertight
    assert read.is_winding_consistent
    assert read.euler_number == torus.euler_characteristic == 0
    assert read.volume == pytest.approx(torus.volume, rel=1e-6)
    assert read.area == pytest.approx(torus.area, rel=1e-6)


def test_ply_by_hand(torus: SurfaceMesh, tmp_path: Path) -> None:
    torus.save(tmp_path / "torus.ply")
    content = (tmp_path / "torus.ply").read_bytes()
    header, body = content.split(b"end_header\n", 1)
    assert b"comment polygons are counter-clockwise seen from larger values" in header
    assert f"element face {len(torus)}".encode() in header
    count = len(torus.vertices)
    rows = np.frombuffer(body[: 48 * count], "<f8").reshape(-1, 6)
    np.testing.assert_array_equal(rows[:, :3], torus.vertices)
    np.testing.assert_allclose(np.linalg.norm(rows[:, 3:], axis=1), 1.0)
    at = 48 * count
    for polygon in range(len(torus)):
        size = body[at]
        corners = np.frombuffer(body[at + 1 : at + 1 + 4 * size], "<i4")
        np.testing.assert_array_equal(corners, torus.corners[torus.offsets[polygon] : torus.offsets[polygon + 1]])
        at += 1 + 4 * size
        np.testing.assert_array_equal(np.frombuffer(body[at : at + 24], "<f8"), torus.normals[polygon])
        assert np.frombuffer(body[at + 24 : at + 28], "<i4")[0] == torus.cells[polygon]
        at += 28
    assert at == len(body)


def test_obj_by_hand(torus: SurfaceMesh, tmp_path: Path) -> None:
    torus.save(tmp_path / "torus.obj")
    lines = (tmp_path / "torus.obj").read_text().splitlines()
    vertices = np.array([line.split()[1:] for line in lines if line.startswith("v ")], dtype=np.float64)
    np.testing.assert_array_equal(vertices, torus.vertices)
    faces = [[int(word.split("//")[0]) - 1 for word in line.split()[1:]] for line in lines if line.startswith("f ")]
    assert np.concatenate(faces).tolist() == torus.corners.tolist()


def test_stl_by_hand(torus: SurfaceMesh, tmp_path: Path) -> None:
    torus.save(str(tmp_path / "torus.STL"))
    content = (tmp_path / "torus.STL").read_bytes()
    assert len(content) == 84 + 50 * len(torus.triangles())
    rows = np.frombuffer(content[84:], [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    sides = rows["corners"][:, 1:] - rows["corners"][:, :1]
    normals = np.cross(sides[:, 0], sides[:, 1])
    np.testing.assert_allclose(normals / np.linalg.norm(normals, axis=1)[:, None], rows["normal"], atol=1e-4)


@pytest.mark.parametrize("ending", ENDINGS)
def test_empty_surface(tmp_path: Path, ending: str) -> None:
    mesh = level_set(shapes.network(shapes.octahedron()), splinescope.Box(*CUBE), level=50.0)
    mesh.save(tmp_path / f"empty{ending}")
    assert (tmp_path / f"empty{ending}").stat().st_size > 0


def test_refused(torus: SurfaceMesh, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"`path`: got the ending '.off'; expected one of .ply, .obj, .stl"):
        torus.save(tmp_path / "torus.off")
    with pytest.raises(InvalidInputError, match="there is no folder"):
        torus.save(tmp_path / "absent" / "torus.ply")
    assert not list(tmp_path.iterdir())
