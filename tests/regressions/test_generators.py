"""Generators whose volumes and samples were wrong, found by an attack beside decompositions of autograd's Jacobians."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from splinescope import Slice, tessellate
from splinescope.errors import InvalidInputError
from splinescope.generative import (
    Custom,
    Gaussian,
    UniformBall,
    UniformBox,
    VolumeSampler,
    frequencies,
    log_volume,
    overlap,
    project,
    quality,
    singular_values,
)

METHODS = ["auto", "gram", "svd"]
BOX = UniformBox((-1.0, -1.0), (1.0, 1.0))


def narrow() -> nn.Module:
    """diag(1, 2, 0), through a layer of two units, in float32."""
    module = nn.Sequential(nn.Linear(3, 2, bias=False), nn.Linear(2, 3, bias=False))
    module[0].weight.data = torch.tensor([[1.0, 0, 0], [0, 2.0, 0]])
    module[1].weight.data = torch.tensor([[1.0, 0], [0, 1], [0, 0]])
    return module


@pytest.mark.parametrize("count", [1, 3, 7, 40])
@pytest.mark.parametrize("method", METHODS)
def test_a_narrow_layer_leaves_no_volume(method: str, count: int) -> None:
    latents = np.zeros((count, 3))
    assert (log_volume(narrow(), latents, method) == -np.inf).all()
    assert (log_volume(narrow(), latents, method, top=3) == -np.inf).all()
    np.testing.assert_allclose(log_volume(narrow(), latents, method, top=2), np.log(2), rtol=1e-6)
    np.testing.assert_allclose(singular_values(narrow(), latents), [[2, 1, 0]] * count, atol=1e-6)


class Doubling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(2, 5)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.last(z.mul_(1.7)))


@pytest.mark.parametrize("method", [*METHODS, "sketch"])
def test_what_is_changed_in_place_is_a_copy(method: str) -> None:
    torch.manual_seed(0)
    module = Doubling().double()
    latents = np.random.default_rng(0).normal(size=(6, 2))
    before = latents.copy()
    wanted = []
    for z in torch.from_numpy(before):
        J = torch.autograd.functional.jacobian(lambda x: torch.tanh(module.last(1.7 * x[None]))[0], z)
        wanted.append(0.5 * torch.logdet(J.T @ J).item())
    found = log_volume(module, latents, method, **({"sketch": 5} if method == "sketch" else {}))
    np.testing.assert_array_equal(latents, before)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    drawn = VolumeSampler(module, BOX, pool=200, seed=0).sample(50)
    outputs = torch.tanh(module.last(1.7 * torch.from_numpy(drawn.latents))).detach()
    np.testing.assert_allclose(drawn.outputs, outputs, rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_hooks_are_part_of_a_generator(method: str) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.1), nn.Linear(8, 5)).double()
    latents = torch.randn(4, 2, dtype=torch.float64)
    plain = log_volume(module, latents, method)
    module[2].register_forward_pre_hook(lambda _module, given: (given[0] * 2,))
    np.testing.assert_allclose(log_volume(module, latents, method) - plain, 2 * np.log(2), rtol=1e-10)
    drawn = VolumeSampler(module, BOX, pool=100).sample(10)
    np.testing.assert_allclose(drawn.outputs, module(torch.from_numpy(drawn.latents)).detach(), rtol=1e-12)


def test_a_small_pivot_makes_those_behind_it_doubtful() -> None:
    torch.manual_seed(76)
    module = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 6)).double()
    latents = torch.randn(50, 3).double()
    for method in (*METHODS, "affine"):
        assert (log_volume(module, latents, method) == -np.inf).all()


def test_what_is_not_finite_or_of_half_precision_is_refused() -> None:
    broken = nn.Linear(2, 3)
    broken.weight.data.fill_(float("nan"))
    latents = np.zeros((3, 2))
    for method in METHODS:
        with pytest.raises(InvalidInputError, match="its Jacobian is not finite at latent 0"):
            log_volume(broken, latents, method)
    with pytest.raises(InvalidInputError, match="not finite"):
        singular_values(broken, latents)
    with pytest.raises(InvalidInputError, match=r"torch.bfloat16; expected float32 or float64"):
        log_volume(nn.Linear(2, 3).bfloat16(), latents)


def test_a_part_that_stands_twice_is_run_twice() -> None:
    torch.manual_seed(0)
    shared, leaky = torch.nn.Linear(5, 5), torch.nn.LeakyReLU(0.3)
    module = torch.nn.Sequential(shared, leaky, shared, leaky, shared).double()
    z = torch.randn(6, 5, dtype=torch.float64)
    jacobians = torch.func.vmap(torch.func.jacrev(lambda t: module(t)))(z)
    expected = torch.linalg.svdvals(jacobians).log().sum(dim=1).detach().numpy()
    for method in ("auto", "gram", "svd"):
        assert abs(log_volume(module, z.numpy(), method=method) - expected).max() < 1e-9


class Bent(nn.Module):
    """z to V |W z + b|, or turned into five dimensions."""

    def __init__(self, W: list[list[float]], b: list[float], V: list[list[float]], turn: int | None = None) -> None:
        super().__init__()
        self.W, self.b, self.V = (torch.tensor(numbers, dtype=torch.float64) for numbers in (W, b, V))
        if turn is not None:
            turned = np.linalg.qr(np.random.default_rng(turn).standard_normal((5, 2)))[0]
            self.V = torch.from_numpy(turned) @ self.V

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return (z @ self.W.T + self.b).abs() @ self.V.T


@pytest.mark.parametrize("turn", [None, 0, 1])
@pytest.mark.parametrize(
    ("W", "b", "V", "multiplicities"),
    [
        ([[1, 2], [2, -2]], [0.5, -0.5], [[1, 0], [0, 1]], [5.25, 0.9375, 0.375, 3.9375]),
        ([[1, 2], [2, -2]], [0.5, -0.5], [[-1, 0], [1, -2]], [10.5, 1.875, 0.75, 7.875]),
        ([[-2, -1], [0, -1], [1, 1]], [-1, 1, -1], [[-1, 1, -2], [-1, -2, -1]], [8.8, 3.6]),
        ([[0, 0], [1, -1], [-1, -1]], [1, -0.5, 0], [[1, 2, 1], [-2, 2, 2]], [0, 3.5, 0, 2.25]),
        ([[-2, -2], [-2, -2], [-2, 1], [-1, -1]], [0.5, 1, 1, 0], [[-2, 2, 0, -1], [-1, 0, 2, 0]], None),
    ],
)
def test_images_that_share_edges_are_laid_over_each_other(
    W: list[list[float]], b: list[float], V: list[list[float]], multiplicities: list[float] | None, turn: int | None
) -> None:
    """Areas by clipping in exact fractions; of the last, which ended in a traceback, the parts are added up."""
    pytest.importorskip("shapely", reason="areas of overlaps are measured with shapely, the extra `geo`")
    found = overlap(tessellate(Bent(W, b, V, turn), Slice.box([-1, -1], [1, 1])))
    times = np.arange(1, 1 + len(found.multiplicities))
    assert found.multiplicities @ times == pytest.approx(found.counted, rel=1e-10)
    if multiplicities is not None:
        np.testing.assert_allclose(found.multiplicities, multiplicities, atol=1e-9)


def test_measures_of_samples_refuse_what_makes_no_sense() -> None:
    x = np.random.default_rng(0).standard_normal((10, 2))
    for size in (1e200, 1e-200):
        assert quality(size * x, size * x[::2], 2) == quality(x, x[::2], 2)
    assert quality(torch.from_numpy(x).requires_grad_(), x, 2).precision == 1.0
    for wrong, message in (
        ((x, x, True), "`neighbours`"),
        ((x[:0], x, 2), "`data`"),
        ((x + 0j, x, 2), "`data`"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            quality(*wrong)
    shares = frequencies([0, 1], 2)
    for wanted in ([1, 2, 3], [0.5, 0.6]):
        with pytest.raises(InvalidInputError, match="`wanted`"):
            shares.imbalance(wanted)
    with pytest.raises(InvalidInputError, match="`classes`: got 0"):
        frequencies([0, 1], 0)
    with pytest.raises(InvalidInputError, match="`labels`: got float64"):
        frequencies([0.0, 1.0], 2)
    cells = tessellate(Bent([[1, 0], [0, 1]], [0, 0], [[1, 0], [0, 1]]), Slice.box([-1, -1], [1, 1]))
    with pytest.raises(InvalidInputError, match="`points`: 1 of 2"):
        project(cells, [[np.nan, 0]])


def test_bad_arguments_of_samplers() -> None:
    box = UniformBox((-1.0, -1.0), (1.0, 1.0))
    sampler = VolumeSampler(nn.ReLU(), box, pool=50)
    wrong_shape = Custom(2, lambda number, _: np.zeros((number, 3)), lambda z: np.zeros(len(z)))
    for call, name in (
        (lambda: sampler.with_rho(1.0, "q"), "base"),
        (lambda: sampler.with_rho(float("nan")), "rho"),
        (lambda: sampler.metropolis(5, burn=-1), "burn"),
        (lambda: sampler.rejection(0), "number"),
        (lambda: VolumeSampler(nn.ReLU(), box, seed=-1), "seed"),
        (lambda: VolumeSampler(nn.ReLU(), box, pool=5, store="/proc/x/y").sample(1), "store"),
        (lambda: VolumeSampler(lambda z: (z, z), box, pool=5).sample(1), "generator"),
        (lambda: VolumeSampler(lambda z: z / (1 // 0), box, pool=5).sample(1), "generator"),
        (lambda: UniformBall(2, 0.0), "radius"),
        (lambda: Gaussian(2, float("nan")), "deviation"),
        (lambda: UniformBox((0.0, -np.inf), (1.0, 1.0)), "low"),
        (lambda: UniformBox((), ()), "low"),
        (lambda: wrong_shape.draw(4, np.random.default_rng(0)), "prior"),
    ):
        with pytest.raises(InvalidInputError, match=f"`{name}`"):
            call()


def test_chains_that_hardly_move_say_so() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))
    sampler = VolumeSampler(module, Gaussian(2, 5.0), rho=60.0, base="uniform", pool=50)
    with pytest.warns(UserWarning, match="states of a chain"):
        drawn = sampler.metropolis(3000)
    assert drawn.effective_sample_size < 30
