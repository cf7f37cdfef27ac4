"""Products on another device: the same numbers to rounding, the same cells, and nothing that stays behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope import numerics
from splinescope.cli import main
from splinescope.errors import InvalidInputError
from splinescope.network import ops
from splinescope.network.ops import devices
from splinescope.tessellation import certify
from tests.network.test_direct_convolution import by_torch, convolution
from tests.seeds import seeds

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here"))]


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every product is worth the way; which have gone it."""
    gone: list[str] = []
    monkeypatch.setattr(devices, "WORTH", 1)
    there = devices._there

    def noting(owner: object, *rest: object) -> tuple[torch.Tensor, ...]:
        gone.append(type(owner).__name__)
        return there(owner, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(devices, "_there", noting)
    return gone


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", seeds(range(16), range(400)))
def test_convolutions(seed: int, device: str, moved: list[str]) -> None:
    """Beside torch's own; on the device without numbers nothing is mixed with what is here."""
    op, x = convolution(seed)
    with splinescope.products_on(device):
        got = op.evaluate(x)
    expected, narrow = by_torch(op, x), not moved
    assert narrow == (op.groups == 1 and len(op.bias) < 4)
    rounding = 2 * op.addends * numerics.UNIT_ROUNDOFF
    assert bool(((got - expected).abs() <= rounding * op.magnitude(x.abs())).all())
    with splinescope.products_on("cpu"):  # keeps no copies of others
        shadow = devices.convolved(x, op._weights, op._geometry(tuple(x.shape[2:])), torch.device("meta"))
    assert (shadow.is_meta, shadow.shape) == (True, expected.shape)


@pytest.mark.parametrize("device", DEVICES)
def test_dense_layers(device: str, moved: list[str]) -> None:
    op, x = ops.Dense(torch.randn(7, 5).double(), torch.randn(7).double()), torch.randn(11, 5, dtype=torch.float64)
    out = torch.empty(11, 7, dtype=torch.float64)
    with splinescope.products_on(device):
        torch.testing.assert_close(op.evaluate(x), x @ op.weight.T + op.bias, rtol=1e-14, atol=1e-14)
        op.write(out, x)
        followed = op.evaluate(x.clone().requires_grad_())  # a derivative is torch's, where it was
    assert moved == ["Dense", "Dense"]
    assert followed.requires_grad
    torch.testing.assert_close(out, x @ op.weight.T + op.bias, rtol=1e-14, atol=1e-14)
    assert devices.multiplied(x, op, op.weight, op.bias, torch.device("meta")).is_meta
    op.evaluate(x)
    assert len(moved) == 3


def test_small_products_stay() -> None:
    op, x = ops.Dense(torch.randn(7, 5).double(), torch.randn(7).double()), torch.randn(11, 5, dtype=torch.float64)
    with splinescope.products_on("cpu"):
        assert devices.worth_moving(devices.WORTH - 1) is None
        assert devices.worth_moving(devices.WORTH) == torch.device("cpu")
        assert torch.equal(op.evaluate(x), torch.addmm(op.bias, x, op.weight.T))
    assert devices.worth_moving(1 << 60) is None


def image_network() -> nn.Sequential:
    torch.manual_seed(0)
    first, second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 6, 3, stride=2)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Flatten(), nn.Linear(54, 3)).double()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_cells_and_proofs_are_the_same(device: str, dimension: int, moved: list[str]) -> None:
    torch.manual_seed(dimension)
    layers = nn.Linear(dimension, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2)
    module = nn.Sequential(*layers).double()
    domain = splinescope.Box(np.full(dimension, -1.0), np.full(dimension, 1.0))
    here = splinescope.tessellate(module, domain, verify="proof")
    assert not moved
    there = splinescope.tessellate(module, domain, verify="proof", device=device)
    assert moved
    assert there.certificate.level == here.certificate.level == "proof"
    assert len(there) == len(here)
    np.testing.assert_allclose(np.sort(there.measures), np.sort(here.measures), rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(there.vertices.sum(axis=0), here.vertices.sum(axis=0), atol=1e-9)


@pytest.mark.parametrize("device", DEVICES)
def test_planes_of_images(device: str, moved: list[str]) -> None:
    rng = np.random.default_rng(0)
    domain = splinescope.Slice.through(*rng.normal(size=(3, 1, 8, 8)))
    network = splinescope.load(image_network(), input_shape=(1, 8, 8))
    here = splinescope.tessellate(network, domain, verify="proof")
    there = splinescope.tessellate(network, domain, verify="topology", device=device)
    made = len(moved)
    assert {"Dense", "Weights"} <= set(moved)
    assert len(here) == len(there)
    with splinescope.products_on(device):
        assert certify(there, "proof").level == "proof"
    assert len(moved) > made


@pytest.mark.parametrize("device", ["cuda:77", "tpu", "meta:", 3.5, "mps"])
def test_devices_that_are_not_there(device: object) -> None:
    with pytest.raises(InvalidInputError, match=r"`device`: got .*expected one as 'cuda'"):
        splinescope.tessellate(nn.Linear(2, 2), splinescope.Slice.box([-1, -1], [1, 1]), device=device)  # type: ignore[call-overload]
    assert devices.home() is None


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], moved: list[str]) -> None:
    rng, model = np.random.default_rng(0), tmp_path / "net.npz"
    shapes = {"W0": (8, 2), "b0": (8,), "W1": (2, 8), "b1": (2,)}
    np.savez(model, **{name: rng.normal(size=shape) for name, shape in shapes.items()})
    words = ["slice", str(model), "--out", str(tmp_path / "out"), "--json"]
    assert main([*words, "--device", "tpu"]) == 2
    assert "`device`: got 'tpu'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*words, "--device", "cpu"]) == 0
    assert moved
