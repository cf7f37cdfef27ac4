"""Rows of convolutions at new vertices that follow from old ones, in every geometry, against products and rationals."""

from __future__ import annotations

import copy
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import splinescope
from splinescope.geometry.lattice.edge_cuts import UNPROVED
from splinescope.tessellation.planar import piece as pieces
from splinescope.tessellation.planar import work
from splinescope.tessellation.planar.followers import ROUNDINGS, anchors_of
from tests.network.asset_modules import build
from tests.network.assets import ABSENT, ASSETS
from tests.tessellation.followed_rows import bound, exact_rows, layers_met


class Residual(nn.Module):
    """Two convolutions with batch normalisation beside a path around them: a ReLU with two readers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = (nn.Conv2d(n, 6, 3, padding=1) for n in (1, 6, 6))
        self.normal, self.last = nn.BatchNorm2d(6), nn.Conv2d(6, 2, 3)
        with torch.no_grad():
            self.normal.running_mean.copy_(torch.linspace(-0.2, 0.2, 6))
            self.normal.running_var.copy_(torch.linspace(0.5, 2.0, 6))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x))
        x = torch.relu(x + self.third(torch.relu(self.normal(self.second(x)))))
        return self.last(x).flatten(1)


CONVOLUTIONS: dict[str, tuple[tuple[nn.Module, ...], tuple[int, ...]]] = {
    "strided": ((nn.Conv2d(1, 6, 3, 2, 1), nn.Conv2d(6, 5, 3, 2, 1)), (1, 8, 8)),
    "dilated": (
        (nn.Conv2d(2, 6, 3), nn.Conv2d(6, 4, (2, 3), dilation=(2, 1), padding=(0, 1)), nn.Conv2d(4, 2, 2)),
        (2, 6, 7),
    ),
    "groups": (
        (nn.Conv2d(1, 6, 3), nn.Conv2d(6, 8, 3, padding=2, groups=2), nn.Conv2d(8, 8, 1, groups=8)),
        (1, 6, 6),
    ),
    "one axis": ((nn.Conv1d(2, 6, 5), nn.Conv1d(6, 7, 4, stride=3, padding=2)), (2, 20)),
    "three axes": ((nn.Conv3d(1, 3, 2), nn.Conv3d(3, 4, 2, padding=1), nn.Conv3d(4, 2, 3)), (1, 4, 4, 3)),
    "transposed": (
        (nn.ConvTranspose2d(2, 5, 3, stride=2), nn.ConvTranspose2d(5, 4, 3, 2, 1, 1), nn.Conv2d(4, 1, 3)),
        (2, 2, 3),
    ),
    "pixels": ((nn.Conv2d(1, 6, 3), nn.Conv2d(6, 7, 1), nn.Conv2d(7, 2, 1, stride=2)), (1, 6, 6)),
}
"""Layers with a ReLU between them, and the shape of the input."""
NAMES = (*CONVOLUTIONS, "residual")


def module_of(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """A module and the shape of its input."""
    if name == "residual":
        return Residual(), (1, 5, 5)
    layers, shape = CONVOLUTIONS[name]
    modules = [copy.deepcopy(layers[0])]
    for layer in layers[1:]:
        modules += [nn.ReLU(), copy.deepcopy(layer)]
    return nn.Sequential(*modules), shape


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The layers whose rows follow, narrow ones, too."""
    monkeypatch.setattr(work, "_WIDE", 1)
    return layers_met(monkeypatch)


def network_of(name: str, *, whole: bool = False) -> splinescope.Network:
    """A network with weights drawn at random, or small whole ones, many of them zero."""
    module, shape = module_of(name)
    module.double().eval()
    rng = np.random.default_rng(5)
    with torch.no_grad():
        for weight in module.parameters():
            drawn = rng.integers(-1, 2, weight.shape) if whole else rng.normal(size=weight.shape)
            weight.copy_(torch.from_numpy(np.asarray(drawn, np.float64)))
    return splinescope.load(module, input_shape=shape)


def plane(network: splinescope.Network, half: float = 1.0) -> splinescope.Slice:
    """A square in a plane of the network's inputs."""
    rng = np.random.default_rng(1)
    origin, basis = rng.normal(size=network.input_shape), rng.normal(size=(2, *network.input_shape))
    return splinescope.Slice(origin, basis, half * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]))


def convolutions(met: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Those of the layers that are convolutions."""
    return [layer for layer in met if layer[0].is_local]


def shape_before(network: splinescope.Network, op: Any) -> tuple[int, ...]:
    """Shape of what an op of the network reads."""
    (node,) = (node for node in network.nodes if node.op is op)
    return network.nodes[node.inputs[0]].shape


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_rows_are_those_of_products(met: list[tuple[Any, ...]], name: str, whole: bool) -> None:
    """Up to roundings, which are counted, with the same signs where these are beyond doubt; and zeros are proved."""
    network = network_of(name, whole=whole)
    splinescope.tessellate(network, plane(network), verify="topology")
    followed = convolutions(met)
    assert len(followed) == (3 if name == "residual" else len(CONVOLUTIONS[name][0]) - 1)
    for op, grown, rows, products in followed:
        allowed = bound(op, grown, ROUNDINGS + 2 * op.addends, shape_before(network, op))
        assert np.all(np.abs(rows.values - products.values) <= allowed)
        assert not np.any((rows.values == 0.0) & (products.values != 0.0) & (np.abs(products.values) != UNPROVED))
        if rows.signed is not None:
            one, two = rows.signed, products.signed
            assert not np.any((one.positive & two.negative) | (one.negative & two.positive))
    assert any(len(rows.values) > grown.old + len(anchors_of(grown)) for _, grown, rows, _ in followed)


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_those_of_rational_arithmetic(met: list[tuple[Any, ...]], name: str) -> None:
    """A sum over the whole matrix with clamped interpolations in rationals, at vertices that follow from others."""
    network = network_of(name)
    splinescope.tessellate(network, plane(network, 0.3), verify="topology")
    checked = 0
    for op, grown, rows, _ in convolutions(met):
        shape, exact = shape_before(network, op), exact_rows(grown)
        allowed = bound(op, grown, ROUNDINGS + op.addends + 3, shape)
        units = np.arange(0, rows.values.shape[1], max(1, rows.values.shape[1] // 20))
        weights, offset = op.rows(units, shape).toarray(), op.offsets(shape)
        for at in list(exact)[:: max(1, len(exact) // 15)]:
            clamped = [max(x, Fraction(0)) for x in exact[at]]
            found = rows.values[grown.old + at]
            for weight, unit in zip(weights, units.tolist(), strict=True):
                terms = (Fraction(float(weight[j])) * clamped[j] for j in np.flatnonzero(weight).tolist())
                value = sum(terms, Fraction(float(offset[unit])))
                assert abs(Fraction(float(found[unit])) - value) <= allowed[unit]
                checked += 1
    assert checked > 100


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_cells_are_the_same(
    met: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch, name: str, whole: bool
) -> None:
    """The same cells as with products alone, proved where weights are generic."""
    network = network_of(name, whole=whole)
    domain = plane(network, 0.3)
    found = splinescope.tessellate(network, domain, verify="topology" if whole else "proof")
    assert convolutions(met)
    assert found.certificate is not None
    assert whole or found.certificate.level == "proof"
    monkeypatch.setattr(pieces, "MANY", 1 << 60)
    assert_same(found, splinescope.tessellate(network, domain, verify="topology"))


def assert_same(found: splinescope.PolyhedralComplex, other: splinescope.PolyhedralComplex) -> None:
    """The same edges and patterns, and outputs up to roundings."""
    assert len(found) == len(other)
    assert np.array_equal(found.edges, other.edges)
    for one, two in zip(found.codes, other.codes, strict=True):
        assert np.array_equal(one.words, two.words)
    assert np.allclose(found.vertex_outputs, other.vertex_outputs, rtol=1e-9, atol=1e-9)


def test_zeros_that_are_proved_stay(met: list[tuple[Any, ...]]) -> None:
    """A channel that reads nothing is 0.0 at all vertices, and no zero elsewhere is taken for proved."""
    module = module_of("strided")[0].double()
    assert isinstance(module, nn.Sequential)
    with torch.no_grad():
        module[2].weight[3] = 0.0
        module[2].bias[3] = 0.0
    network = splinescope.load(module, input_shape=(1, 8, 8))
    splinescope.tessellate(network, plane(network), verify="topology")
    _, _, rows, _ = convolutions(met)[0]
    channels = rows.values.reshape(-1, 5, 4)
    assert np.all(channels[:, 3] == 0.0)
    assert np.all(np.delete(channels, 3, axis=1) != 0.0)


@pytest.mark.skipif(not (ASSETS / "manifest.json").is_file(), reason=ABSENT)
@pytest.mark.parametrize(("name", "half"), [("eran_mnist_conv_small_pth", 0.03), ("vnncomp_resnet_2b", 0.005)])
def test_trained_networks_have_the_same_cells(monkeypatch: pytest.MonkeyPatch, name: str, half: float) -> None:
    """As they are, and with rows of all layers from products."""
    met = layers_met(monkeypatch)
    module, shape = build(name, next(path for path in (ASSETS / "models" / name).glob("*.pt*")))
    network = splinescope.load(module, input_shape=shape)
    found = splinescope.tessellate(network, plane(network, half))
    assert convolutions(met)
    assert len(found) > 100
    monkeypatch.setattr(pieces, "MANY", 1 << 60)
    assert_same(found, splinescope.tessellate(network, plane(network, half)))
