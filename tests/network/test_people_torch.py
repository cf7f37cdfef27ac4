"""Modules as people write them: each is imported, agrees with itself, and its cells on a slice are proved."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from splinescope import Slice
from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.network import Network, from_torch
from tests.network.agreement import check_cells, inputs
from tests.network.test_from_torch import Function

pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:torch.ao:DeprecationWarning", "ignore:torch.quantize_per:UserWarning"),
]


def after_linear(function: Callable[[Tensor], Tensor], size: int = 6) -> nn.Module:
    """A function behind a layer."""
    return nn.Sequential(nn.Linear(4, size), Function(function))


class Shifted(nn.Module):
    """Normalises its input in place."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.arange(4.0))
        self.register_buffer("std", torch.full((4,), 2.0))
        self.linear = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.sub_(self.mean).div_(self.std)).relu()


class Guarded(Shifted):
    """Looks at a buffer, and decides by it."""

    def forward(self, x: Tensor) -> Tensor:
        if (self.std == 0).any():
            raise ValueError("no spread")
        return self.linear((x - self.mean) / self.std).relu()


class Padded(nn.Module):
    """Makes tensors in its forward pass, and writes to places of them."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.linear = kind, nn.Linear(6, 3)
        self.register_buffer("buffer", torch.zeros(1, 6))

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "cat":
            return self.linear(torch.cat([x, torch.zeros(x.shape[0], 2)], 1)).relu()
        z = torch.zeros(x.shape[0], 6) if self.kind == "zeros" else self.buffer if self.kind == "buffer" else None
        z = self.buffer.clone() if z is None else z
        z[:, 1:5] = x
        return self.linear(z).relu()


class Cast(nn.Module):
    """Computes in half precision inside."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.linear(x).relu()


class Holder(nn.Module):
    """Holds what cannot be copied, and layers in a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.lock, self.generator, self.draws = threading.Lock(), (i for i in range(3)), torch.Generator()
        self.linear, self.activations = nn.Linear(4, 3), [nn.ReLU(), nn.PReLU()]

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        for activation in self.activations:
            y = activation(y)
        return y


class Unrolled(nn.Module):
    """A recurrent network with ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(2, 3, nonlinearity="relu", batch_first=True, num_layers=2, bidirectional=True)
        self.cell = nn.RNNCell(6, 2, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        states, h = self.rnn(x.view(-1, 2, 2))[0], None
        for t in range(2):
            h = self.cell(states[:, t], h)
        return h


def masked(x: Tensor) -> Tensor:
    y = x.clone()
    y[y < 0] = 0
    return y


def checked(x: Tensor) -> Tensor:
    if torch.isnan(x).any() or not (x == x).all() or not torch.isfinite(x).all():
        raise ValueError("not finite")
    return x.relu()


class Times(nn.Bilinear):
    """A bilinear layer with a constant second factor."""

    def __init__(self) -> None:
        super().__init__(6, 2, 3)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x, torch.tensor([[0.5, -1.0]]).to(x).expand(len(x), 2)).relu()


INDEX = torch.tensor([0, 2, 1, 2, 0, 2])
GRID = torch.linspace(-1.1, 1.1, 24).reshape(1, 3, 4, 2).sin()
POINTS = torch.arange(18.0).reshape(3, 6).sin()

MODULES: dict[str, Callable[[], nn.Module]] = {
    "in place": lambda: nn.Sequential(nn.LeakyReLU(0.1, inplace=True), nn.Linear(4, 3), nn.ReLU(inplace=True)),
    "normalises in place": Shifted,
    "looks at a buffer": Guarded,
    **{f"pads by {kind}": (lambda kind=kind: Padded(kind)) for kind in ("cat", "zeros", "buffer", "clone")},
    "autocast": Cast,
    "holds locks": Holder,
    "recurrent": Unrolled,
    "scripted": lambda: torch.jit.script(nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU()).eval()),
    "traced": lambda: torch.jit.trace(nn.Sequential(nn.Linear(4, 5), nn.ReLU()), torch.zeros(1, 4)),
    "parametrized": lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)), nn.ReLU()),
    # comparisons
    "x * (x > 0)": lambda: after_linear(lambda x: x * (x > 0)),
    "mask as number": lambda: after_linear(lambda x: (x >= 1.5).float() * (x - 1.5) + 0.1 * x),
    "where": lambda: after_linear(lambda x: torch.where(x > 0, x, 0.1 * x)),
    "where of where": lambda: after_linear(lambda x: torch.where(x > 1, x * 0 + 1, torch.where(x < -1, -1.0, x))),
    "where of two": lambda: after_linear(lambda x: torch.where(x[:, :3] < x[:, 3:], 3 * x[:, :3], 3 * x[:, 3:])),
    "masked_fill": lambda: after_linear(lambda x: x.masked_fill(x < 0, 0)),
    "masked assignment": lambda: after_linear(masked),
    "both conditions": lambda: after_linear(lambda x: torch.where((x > 0) & ~(x >= 1), x, torch.clamp(x, 0, 1))),
    "heaviside": lambda: after_linear(lambda x: x * torch.heaviside(x, x.new_ones(()))),
    "sign": lambda: after_linear(lambda x: x * torch.sign(x)),
    "parts of a mask": lambda: after_linear(lambda x: (x > 0).chunk(2, 1)[1].float() * x[:, 3:]),
    "lp_pool": lambda: nn.Sequential(nn.Linear(4, 6), nn.Unflatten(1, (1, 6)), nn.LPPool1d(1, 2)),
    # sums, places
    "cumsum": lambda: after_linear(lambda x: x.relu().cumsum(1)),
    "diff": lambda: after_linear(lambda x: x.relu().diff(dim=1)),
    "solve": lambda: after_linear(lambda x: torch.linalg.solve(torch.eye(6).to(x) + 0.1, x.relu().T).T),
    "tensordot": lambda: after_linear(lambda x: torch.tensordot(x.relu(), torch.ones(6, 2).to(x), dims=1)),
    "lerp": lambda: after_linear(lambda x: torch.lerp(x, x.relu(), 0.3)),
    "addcmul": lambda: after_linear(lambda x: torch.addcmul(x, x.relu(), torch.arange(6.0).to(x), value=0.5)),
    "addcdiv": lambda: after_linear(lambda x: torch.addcdiv(x, x.relu(), torch.arange(1.0, 7.0).to(x), value=0.5)),
    "fold": lambda: after_linear(lambda x: functional.fold(x.relu().view(-1, 4, 9), (4, 4), 2), 36),
    "scatter": lambda: after_linear(
        lambda x: torch.zeros_like(x).scatter(1, INDEX[:2].expand(len(x), 2), x[:, 3:].relu())
    ),
    "scatter_add": lambda: after_linear(lambda x: torch.ones(1, 3).to(x).scatter_add(1, INDEX[None], x.relu())),
    "index_add": lambda: after_linear(lambda x: x[:, :3].index_add(1, INDEX, x.relu(), alpha=2)),
    "index_copy": lambda: after_linear(lambda x: x.index_copy(1, INDEX[:2], x[:, 4:].relu())),
    "index_fill": lambda: after_linear(lambda x: x.index_fill(1, INDEX[:2], 2.0).relu()),
    "outer": lambda: after_linear(lambda x: torch.outer(x[0], torch.arange(3.0).to(x)).relu()[None]),
    "grid_sample": lambda: after_linear(
        lambda x: functional.grid_sample(x.view(-1, 2, 3, 3), GRID.to(x), align_corners=False).relu(), 18
    ),
    "antialias": lambda: after_linear(
        lambda x: functional.interpolate(x.view(-1, 1, 5, 7), (3, 4), mode="bilinear", antialias=True).relu(), 35
    ),
    # maxima
    "sort": lambda: after_linear(lambda x: x.sort(1)[0]),
    "sort down": lambda: after_linear(lambda x: x.sort(1, descending=True).values[:, 1:3]),
    "group sort": lambda: after_linear(lambda x: x.view(-1, 2, 3).sort(2)[0].flatten(1)),
    "topk": lambda: after_linear(lambda x: x.topk(2, 1)[0], 5),
    "median": lambda: after_linear(lambda x: x.median(1)[0], 5),
    "kthvalue": lambda: after_linear(lambda x: x.kthvalue(2, 1, keepdim=True)[0], 5),
    "cummax": lambda: after_linear(lambda x: x.cummax(1)[0]),
    "L1": lambda: after_linear(lambda x: x.norm(p=1, dim=1)),
    "Linf": lambda: after_linear(lambda x: torch.linalg.vector_norm(x, float("inf"), dim=1)),
    "cdist": lambda: after_linear(lambda x: torch.cdist(x, POINTS.to(x), p=1)),
    "nanmedian": lambda: after_linear(lambda x: x.nanmedian(1)[0], 5),
    "quantile": lambda: after_linear(lambda x: x.quantile(0.3, dim=1), 5),
    "median pooling": lambda: after_linear(
        lambda x: functional.unfold(x.view(-1, 1, 3, 4), 2).view(-1, 4, 6).median(1)[0], 12
    ),
    "pairwise distance": lambda: after_linear(lambda x: functional.pairwise_distance(x[:, :3], x[:, 3:], p=1.0)),
    "dist": lambda: after_linear(lambda x: torch.dist(x, torch.ones(6).to(x), p=1)[None]),
    # what is checked or wrapped
    "bilinear": lambda: nn.Sequential(nn.Linear(4, 6), Times()),
    "nan_to_num": lambda: after_linear(lambda x: torch.where(x.isnan(), 0.0, torch.nan_to_num(x)).relu()),
    "checked for NaN": lambda: after_linear(checked),
    "mean of a distribution": lambda: after_linear(lambda x: torch.distributions.Normal(x.relu(), 1.0).mean),
    "vmap": lambda: after_linear(lambda x: torch.vmap(lambda row: row.relu())(x)),
    # heads
    "2 tanh + 1": lambda: after_linear(lambda x: 2 * x.relu().tanh() + 1),
    "scaled sigmoid": lambda: after_linear(lambda x: (x.relu().sigmoid() - 0.5) / torch.arange(1.0, 7.0).to(x)),
    "softplus": lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Softplus(beta=2)),
    "exp": lambda: after_linear(lambda x: 1 - x.relu().exp()),
    "log of sigmoid": lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.LogSigmoid()),
    "two sigmoids": lambda: after_linear(lambda x: torch.cat([1 - x.sigmoid(), x.sigmoid()], 1), 1),
}


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    return MODULES[name]().eval()


def agrees(network: Network, module: nn.Module, x: Tensor) -> None:
    y = network(x)
    y = y if network.head is None else network.head(y)
    with torch.no_grad():
        expected = torch.stack([module(row[None].float()) for row in x]).double().reshape(y.shape)
    finite = expected.isfinite()
    tolerance = 2e-2 if isinstance(module, Cast) else 1e-5
    scale = float(expected[finite].abs().max())
    torch.testing.assert_close(y[finite], expected[finite], rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("name", MODULES)
def test_module_agrees_with_itself_at_three_scales(name: str) -> None:
    module = made(name)
    network = from_torch(module, (4,))
    assert network.import_report.deviations
    for scale in (0.1, 1.0, 10.0):
        agrees(network, made(name), scale * inputs((4,)))


@pytest.mark.parametrize("name", MODULES)
def test_cells_of_a_slice_are_proved(name: str) -> None:
    network = from_torch(made(name), (4,))
    generator = np.random.default_rng(1)
    plane = Slice.through(*generator.normal(size=(3, 4)), margin=1.0)
    check_cells(network, plane)


class Viewer(nn.Linear):
    """Holds what Python cannot copy."""

    def __init__(self) -> None:
        super().__init__(4, 3)
        self.view = memoryview(b"")


class Lazy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(3), nn.ReLU()), "`0.weight` is lazy and has no shape yet"),
    "meta": (lambda: nn.Linear(4, 3, device="meta"), "`weight` is on the device meta and has no numbers"),
    "jumps": (lambda: after_linear(lambda x: torch.where(x > 0, x, x - 1)), r"it jumps from -1 to 0 where `0` is 0$"),
    "mask": (lambda: after_linear(lambda x: x > 0), "it jumps from 0 to 1 where `0` is 0"),
    "relu of a mask": (
        lambda: after_linear(lambda x: (x > 1.5).float().relu()),
        "it jumps from 0 to 1 where `0` is 1.5",
    ),
    "two conditions": (lambda: after_linear(lambda x: x * (x > x.flip(1))), "it jumps from 0 to 1 where"),
    "course": (Lazy, "looks at a value that depends on the input"),
    "too many": (lambda: after_linear(lambda x: x.sort(1)[0], 20000), "to sort 20000 values takes .* units, more than"),
    "positions": (lambda: after_linear(lambda x: x.topk(2, 1)[1] * 1.0), "uses what node .* returns beside"),
    "complex": (lambda: nn.Linear(4, 3, dtype=torch.complex64), "`weight` is complex; expected real numbers"),
    "chance": (
        lambda: after_linear(lambda x: x * random.random()),
        "returns another output for the same input each time",
    ),
    "samples": (
        lambda: after_linear(lambda x: torch.distributions.Normal(x, 1.0).rsample()),
        "it draws random numbers",
    ),
    "quantised while it runs": (
        lambda: torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 3)), {nn.Linear}),
        "it rounds its argument to integers",
    ),
    "unknown": (lambda: after_linear(lambda x: x.logcumsumexp(1)), "splinescope does not know this op"),
    "constant": (lambda: Function(lambda x: torch.from_numpy(x.numpy()).relu()), r"goes on with it outside torch"),
    "fails": (lambda: Function(lambda x: 1 / 0), r"`module`: it fails on a batch of shape \(1, 4\): ZeroDivisionError"),
    "no copy": (Viewer, "it cannot be copied .* cannot pickle"),
    "empty": (lambda: after_linear(lambda x: x[:, :0]), r"its output of shape \(1, 0\) has no numbers"),
    "nothing": (lambda: Function(lambda x: "words"), "returns 0 tensors"),
    "L2": (lambda: after_linear(lambda x: x.norm(dim=1)), "it takes powers of its input"),
    "grid": (
        lambda: Function(lambda x: functional.grid_sample(x.view(-1, 1, 2, 2), x.view(-1, 1, 2, 2))),
        "the places",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_are_one_true_line(name: str) -> None:
    make, reason = REFUSED[name]
    torch.manual_seed(0)
    with pytest.raises((UnsupportedOpError, InvalidInputError), match=reason) as caught:
        from_torch(make(), (4,))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_module_is_left_as_it_was_and_parametrizations_may_be_cached() -> None:
    module: Any = made("parametrized")
    with nn.utils.parametrize.cached():
        module(torch.zeros(1, 4))
        with torch.no_grad():
            module[0].parametrizations.weight.original0.mul_(2.0)
        network = from_torch(module, (4,))
    agrees(network, module, inputs((4,)))
    holder = made("holds locks")
    with holder.lock:
        from_torch(holder, (4,))
    assert next(holder.generator) == 0
