"""Batches and single inputs: roundings of large terms inside a network explain differences, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from splinescope import from_torch
from splinescope.errors import InvalidInputError, SplinescopeError, UnsupportedOpError
from splinescope.network.importers.roundings import rounded_outputs

KINDS = ["steps", "copies", "bends", "clips"]


def linear(weight: np.ndarray, bias: np.ndarray, dtype: torch.dtype) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0]).to(dtype)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))
    return layer


def scaled(seed: int, kind: str, depth: int, scale: float, dtype: torch.dtype) -> nn.Sequential:
    """A plain MLP of two inputs in whose every block terms are `scale` times as large as what comes out of it."""
    rng = np.random.default_rng(seed)
    width, inputs, layers = int(rng.choice([8, 33, 128])), 2, list[nn.Module]()
    for _ in range(depth):
        weight, bias = scale * rng.normal(size=(width, inputs)), scale * rng.normal(size=width)
        mixing, offsets = rng.normal(size=(width, width)), rng.normal(size=width)
        if kind in ("steps", "copies"):  # every unit twice, the second one to be taken off again
            later = bias - (1.0 if kind == "steps" else 0.0)
            layers += [linear(np.vstack([weight, weight]), np.concatenate([bias, later]), dtype), nn.ReLU()]
            layers += [linear(np.hstack([mixing, -mixing]), offsets, dtype), nn.ReLU()]
        elif kind == "bends":
            layers += [linear(weight, bias, dtype), nn.ReLU(), linear(mixing / scale, offsets, dtype), nn.ReLU()]
        else:
            layers += [linear(weight, bias, dtype), nn.ReLU(), nn.Hardtanh()]
        inputs = width
    return nn.Sequential(*layers, linear(rng.normal(size=(2, inputs)), rng.normal(size=2), dtype))


@pytest.mark.parametrize("scale", [1e4, 1e8, 1e12])
@pytest.mark.parametrize("depth", [1, 4])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_plain_networks_of_all_scales_are_read(dtype: torch.dtype, kind: str, depth: int, scale: float) -> None:
    """Some were said to depend on the batch, to remember inputs, or to be read wrongly."""
    for seed in range(2):
        network = from_torch(scaled(seed, kind, depth, scale, dtype), input_shape=(2,))
        assert network.import_report is not None
        assert len(network.import_report.deviations) == len({dtype, torch.float64})


class Beside(nn.Module):
    """A network in which one input hears of the others, before or behind its layers."""

    def __init__(self, layers: nn.Module, mixing: Callable[[Tensor], Tensor], before: bool) -> None:
        super().__init__()
        self.layers, self._mixing, self._before = layers, mixing, before

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(self._mixing(x)) if self._before else self._mixing(self.layers(x))


MIXINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "less the mean": lambda x: x - x.mean(0),
    "and its neighbour": lambda x: x + 1e-2 * x.flip(0),
    "up to the largest": lambda x: x - x.amax(0),
    "all before": lambda x: x.cumsum(0),
}


HEARING = [(kind, scale) for kind in ("steps", "bends", "clips") for scale in (1.0, 1e4, 1e8, 1e12)]
"""Not copies, which take themselves off and hear of nothing; nor steps at 1e12, lost in the roundings of float64."""
HEARING.remove(("steps", 1e12))


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(("kind", "scale"), HEARING)
@pytest.mark.parametrize("mixing", MIXINGS)
def test_what_hears_of_other_inputs_is_refused(mixing: str, kind: str, before: bool, scale: float) -> None:
    depth = 1 + 3 * (mixing in ("less the mean", "all before"))
    layers = scaled(depth, kind, depth, scale, torch.float64 if before else torch.float32)
    with pytest.raises(UnsupportedOpError, match="depends on the other inputs of its batch"):
        from_torch(Beside(layers, MIXINGS[mixing], before), input_shape=(2,))


@pytest.mark.parametrize("scale", [1.0, 1e8])
def test_softmax_and_statistics_over_the_batch_are_refused(scale: float) -> None:
    layers = scaled(0, "steps", 2, scale, torch.float32)
    with pytest.raises(UnsupportedOpError, match="softmax over the batch"):
        from_torch(nn.Sequential(layers, nn.Softmax(dim=0)), input_shape=(2,))
    with pytest.raises(InvalidInputError, match="fails on a batch of shape"):
        from_torch(nn.Sequential(layers, nn.BatchNorm1d(2, track_running_stats=False)), input_shape=(2,))


@pytest.mark.parametrize(("kind", "scale"), [("steps", 1.0), ("bends", 1.0), ("bends", 1e8), ("clips", 1e8)])
def test_a_network_read_wrongly_is_found(monkeypatch: pytest.MonkeyPatch, kind: str, scale: float) -> None:
    """Roundings explain no weight that is off by a thousandth."""
    from splinescope.network.importers import reports

    module = scaled(1, kind, 2, scale, torch.float64)
    make = reports.Agreement.__init__

    def wrong(self: reports.Agreement, network: object, *rest: object) -> None:
        last = network.nodes[network.output].op  # type: ignore[attr-defined]
        last.weight.mul_(1.001)
        make(self, network, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(reports.Agreement, "__init__", wrong)
    with pytest.raises(SplinescopeError, match="the import is wrong"):
        from_torch(module, input_shape=(2,))


def test_roundings_are_shares_of_terms() -> None:
    """A difference of two terms of 1e8 is off by shares of these, not of itself."""
    module = linear(np.array([[1e8, -1e8]]), np.zeros(1), torch.float64)
    network = from_torch(module, input_shape=(2,))
    x = torch.tensor([[1.0, 1.0]], dtype=torch.float64)
    found = torch.stack(list(rounded_outputs(network, x, 2.0**-52))).abs().amax()
    assert 1e8 * 2.0**-52 < float(found) < 100e8 * 2.0**-52
