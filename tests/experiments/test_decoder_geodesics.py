"""Generators of others in `decoder-geodesics`: files of weights, lengths beside each other, and distances from data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from splinescope import models
from splinescope.errors import InvalidInputError
from splinescope.experiments.decoder_geodesics.away import nearest_distances
from splinescope.experiments.decoder_geodesics.claims import _generator
from splinescope.experiments.decoder_geodesics.generators import measured, read
from splinescope.experiments.decoder_geodesics.settings import Settings
from splinescope.experiments.shared.parts import Parts
from splinescope.network import Network, load
from splinescope.network.splits import boundaries

SIZES = replace(Settings.smoke(0), generator_pairs=2)


def test_distances_from_data() -> None:
    rng = np.random.default_rng(0)
    points, data = rng.normal(size=(1100, 5)), rng.normal(size=(300, 5))
    np.testing.assert_allclose(nearest_distances(points, data), cKDTree(data).query(points)[0], atol=1e-7)


def test_a_generator_of_others(tmp_path: Path) -> None:
    module = models.mlp([3, 6, 6, 8], generator=torch.Generator().manual_seed(0))
    path = tmp_path / "weights.pth"
    torch.save(module.state_dict(), path)
    latents = torch.randn(4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    before, behind, squashed = read(f"{path}+tanh")
    assert squashed
    with torch.no_grad():
        expected = module.double()(latents)
        torch.testing.assert_close(before(latents), expected)
        torch.testing.assert_close(behind(latents), expected.tanh())
    found = measured(str(path), SIZES, Parts(tmp_path / "parts", {}))
    assert (found["latents"], found["outputs"], found["squashed"]) == (3, 8, False)
    for plane, curve in zip(found["planes"], found["curves"], strict=True):
        assert plane["chord"] <= plane["length"] * (1 + 1e-9) <= plane["straight_length"] * (1 + 2e-9)
        assert plane["straight_length"] == pytest.approx(curve["straight_length"], rel=0.05)
    assert "3 latents, 8 outputs" in _generator(found).ours
    with pytest.raises(InvalidInputError, match="expected FILE or FILE"):
        read(f"{path}+relu")


def test_a_generator_with_a_condition(tmp_path: Path) -> None:
    """The first of its four numbers is given, and a layer behind the generator is left out."""
    module = models.mlp([4, 6, 6, 8, 1], generator=torch.Generator().manual_seed(0)).double()
    path, affine = tmp_path / "whole.npz", [part for part in module if isinstance(part, torch.nn.Linear)]
    np.savez(path, **{f"{key}{k}": value.detach().numpy() for k, part in enumerate(affine)
                      for key, value in (("W", part.weight), ("b", part.bias))})  # fmt: skip
    layer = boundaries(load(path))[5].name
    before, behind, squashed = read(f"{path}@{layer}@0=0.5")
    assert not squashed
    assert isinstance(before, Network)
    latents = torch.rand(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        whole = torch.nn.Sequential(affine[0], torch.nn.ReLU(), affine[1], torch.nn.ReLU(), affine[2])
        expected = whole(torch.cat([torch.full((5, 1), 0.5).double(), latents], dim=1))
    torch.testing.assert_close(behind(latents), expected)
    found = measured(f"{path}@{layer}@0=0.5", replace(SIZES, plane_cells=12), Parts(tmp_path / "parts", {}))
    assert (found["latents"], found["outputs"]) == (3, 8)
    for plane, curve in zip(found["planes"], found["curves"], strict=True):
        assert 3 < plane["cells"] <= 24
        assert plane["share"] < 1
        assert plane["network_length"] == pytest.approx(plane["length"], rel=1e-9)
        assert plane["length"] <= plane["straight_length"] * (1 + 1e-9) < curve["straight_length"]
    with pytest.raises(InvalidInputError, match="expected FILE@LAYER@PLACE=NUMBER"):
        read(f"{path}@{layer}")
    with pytest.raises(InvalidInputError, match=r"expected numbers by places, as in 0=0\.5"):
        read(f"{path}@{layer}@first=1")
