"""The signed-distance networks of the assets: closed surfaces, zero at every vertex."""

from __future__ import annotations

import numpy as np
import pytest

import splinescope
from splinescope.network import Network
from splinescope.tessellation.surface import level_set
from tests.network.assets import ABSENT, assets, imported
from tests.spatial.cases import CUBE
from tests.surface.test_level import solid_angles

BOX = splinescope.Box(*CUBE)


def network_of(name: str) -> Network:
    """A network of the assets; skips the test where it is absent."""
    found = [asset for asset in assets() if asset.name == name]
    if not found:
        pytest.skip(ABSENT)
    return imported(found[0], found[0].paths[0])


def test_bunny() -> None:
    network = network_of("res_bunny_3d_3x16")
    mesh = level_set(network, BOX)
    assert len(mesh) == 2876
    assert mesh.is_watertight
    assert (mesh.num_parts, mesh.euler_characteristic, mesh.certificate.holes) == (1, 2, 0)
    assert np.abs(network(mesh.vertices)).max() < 1e-9
    whole = level_set(splinescope.tessellate(network, BOX, verify="topology"))
    assert (len(whole), len(whole.vertices)) == (len(mesh), len(mesh.vertices))
    assert whole.volume == pytest.approx(mesh.volume, rel=1e-12)
    points = np.random.default_rng(0).uniform(-0.6, 0.6, size=(200, 3))
    inside = network(points).reshape(-1) < 0
    assert 10 < inside.sum() < 190
    np.testing.assert_allclose(solid_angles(mesh, points) / (4 * np.pi), inside.astype(float), atol=1e-8)


@pytest.mark.slow
def test_fox() -> None:
    network = network_of("niq_fox")
    mesh = level_set(network, BOX)
    assert len(mesh) == 28316
    assert mesh.is_watertight
    assert (mesh.num_parts, mesh.euler_characteristic, mesh.certificate.holes) == (1, 2, 0)
    assert np.abs(network(mesh.vertices)).max() < 1e-9
