"""Log volumes of generators, against closed forms, autograd and each other."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.generative import cell_log_volumes, log_volume, measured_bias, singular_values, sketch_bias, sketches
from splinescope.generative.jacobians import latent_map
from splinescope.generative.log_volumes import _all_logs
from tests.generative.nets import cells_of, formula_net
from tests.seeds import thorough


def by_hand(module: nn.Module, z: Tensor) -> np.ndarray:
    """Singular values of autograd's Jacobians, one by one."""
    found = []
    for row in z:
        J = torch.autograd.functional.jacobian(lambda x: module(x[None]).flatten(), row).reshape(-1, z[0].numel())
        found.append(torch.linalg.svdvals(J).log().sum().item())
    return np.array(found)


@pytest.fixture
def smooth() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 16), nn.Unflatten(1, (4, 2, 2)),
        nn.ConvTranspose2d(4, 3, 4, 2, 1), nn.GELU(), nn.Upsample(scale_factor=2), nn.Conv2d(3, 1, 3, padding=1),
    ).double()  # fmt: skip


@pytest.mark.parametrize("method", ["auto", "gram", "svd"])
def test_smooth_modules(smooth: nn.Sequential, method: str) -> None:
    z = torch.randn(7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    np.testing.assert_allclose(log_volume(smooth, z, method), by_hand(smooth, z), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(log_volume(smooth.float(), z.float(), method), by_hand(smooth.double(), z), atol=1e-3)


def test_methods_agree_with_cells() -> None:
    module = formula_net([2, 16, 16, 6], 0)
    cells = cells_of(module, 2)
    z = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    expected = cell_log_volumes(cells)[cells.locate(z)]
    for method in ("gram", "svd", "affine"):
        np.testing.assert_allclose(log_volume(module, z, method), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(log_volume(cells.network, z), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(np.log(singular_values(module, z)).sum(axis=1), expected, atol=1e-9)
    np.testing.assert_allclose(log_volume(module, z, top=1), np.log(singular_values(module, z, 1)[:, 0]), atol=1e-9)


def test_closed_forms() -> None:
    rng = np.random.default_rng(0)
    turned = nn.Linear(4, 9, dtype=torch.float64)
    turned.weight.data = 3.0 * torch.from_numpy(np.linalg.qr(rng.standard_normal((9, 4)))[0])
    z = rng.standard_normal((3, 4))
    for method in ("gram", "svd", "affine"):
        np.testing.assert_allclose(log_volume(turned, z, method), 4 * math.log(3.0), atol=1e-12)
    # far beyond what a product of singular values could say in float64
    wide = nn.Linear(300, 310, bias=False, dtype=torch.float64)
    wide.weight.data = torch.eye(310, 300, dtype=torch.float64) * 1e-200
    np.testing.assert_allclose(log_volume(wide, rng.standard_normal((2, 300))), -300 * 200 * math.log(10), rtol=1e-12)
    flat = nn.Linear(3, 5, dtype=torch.float64)
    flat.weight.data[:, 2] = flat.weight.data[:, 0] + flat.weight.data[:, 1]
    for method in ("gram", "svd", "affine"):
        assert (log_volume(flat, np.zeros((2, 3)), method) == -np.inf).all()
    assert log_volume(nn.Linear(3, 2), np.zeros((1, 3)))[0] == -np.inf


def test_badly_conditioned_ones_are_taken_anew() -> None:
    """The Gram matrix of singular values 1 and 1e-9 is singular in float64; the volume is known all the same."""
    thin = nn.Linear(2, 3, dtype=torch.float64)
    thin.weight.data = torch.tensor([[1.0, 1.0], [0.0, 1e-9], [0.0, 0.0]], dtype=torch.float64)
    assert log_volume(thin, np.zeros((1, 2)), "gram")[0] == pytest.approx(math.log(1e-9), rel=1e-9)


def test_sketches_have_a_known_bias() -> None:
    module = formula_net([3, 32, 400], 0)
    z = np.random.default_rng(1).uniform(-1, 1, (20, 3))
    full = log_volume(module, z)
    bias = sketch_bias(400, 40, 3)
    differences = np.array([log_volume(module, z, "sketch", sketch=40, seed=seed) - full for seed in range(200)])
    assert abs(differences.mean()) < 5 * bias.deviation / math.sqrt(200)
    assert differences[:, 0].std() == pytest.approx(bias.deviation, rel=0.2)
    np.testing.assert_allclose(log_volume(module, z, "sketch", sketch=400), full, atol=1e-9)
    found = measured_bias(module, z, 40)
    assert found.measured == pytest.approx(found.mean, abs=5 * found.deviation)


def test_sketches_that_are_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same subspace whether its vectors are held or drawn again, by columns or by rows, of chains and others."""
    module = formula_net([6, 32, 400], 0)
    z = torch.from_numpy(np.random.default_rng(1).uniform(-1, 1, (2, 6)))
    J = np.stack([torch.func.jacrev(lambda x: module(x[None])[0])(x).detach().numpy() for x in z])
    for top, sketch in ((None, 40), (2, 4)):
        W = np.linalg.qr(np.random.default_rng(3).standard_normal((400, sketch)))[0]
        expected = np.log(np.linalg.svd(W.T @ J, compute_uv=False)[:, : top or 6]).sum(axis=1)
        expected -= sketch_bias(400, sketch, top or 6).mean
        for one, held in itertools.product((module, lambda x: module(x)), (sketches.HELD, 100)):
            monkeypatch.setattr(sketches, "HELD", held)
            monkeypatch.setattr(sketches, "_DRAWN", 4_000)
            found = log_volume(one, z, "sketch", top, sketch=sketch, seed=3)
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@thorough
def test_large_images_in_time_and_memory() -> None:
    """A generator of 3 x 256 x 256 from 128 latents, by all ways."""
    torch.manual_seed(0)
    widths = (512, 256, 128, 64, 32, 16)
    layers: list[nn.Module] = [nn.Unflatten(1, (128, 1, 1)), nn.ConvTranspose2d(128, 512, 4), nn.ReLU()]
    for before, after in itertools.pairwise(widths):
        layers += [nn.ConvTranspose2d(before, after, 4, 2, 1), nn.ReLU()]
    module = nn.Sequential(*layers, nn.ConvTranspose2d(16, 3, 4, 2, 1), nn.Tanh())
    for part in module:
        if isinstance(part, nn.ConvTranspose2d):
            nn.init.normal_(part.weight, std=(2 / part.in_channels) ** 0.5 / 2)
    z = torch.randn(1, 128)
    started = time.process_time()
    full = log_volume(module.double(), z.double())
    sketched = log_volume(module, z.double(), "sketch")
    assert time.process_time() - started < 120
    bias = sketch_bias(3 * 256 * 256, 256, 128)
    assert sketched[0] == pytest.approx(full[0], abs=4 * bias.deviation)
    assert log_volume(module.float(), z)[0] == pytest.approx(full[0], abs=0.02)


def test_progress() -> None:
    module = formula_net([2, 8, 3], 0)
    z = np.random.default_rng(0).uniform(-1, 1, (5, 2))
    for method, one in itertools.product(("gram", "svd", "sketch"), (module, lambda x: module(x))):
        told: list[tuple[float, int]] = []
        log_volume(one, z, method, progress=lambda *now, told=told: told.append(now))
        assert told[-1] == (1.0, 5)
    single = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3))
    single[0].weight.data = torch.tensor([[1.0, 0.0], [0.0, 2.0**-20], [0.0, 0.0]])
    told = []
    log_volume(single, z, progress=lambda share, count: told.append((share, count)))
    assert told[-1] == (1.0, 5)


def test_outputs_that_are_no_numbers() -> None:
    """An offset that is none leaves slopes as they are; both are refused, and the latent is said."""
    module = formula_net([2, 8, 3], 0)
    z = np.random.default_rng(0).uniform(-1, 1, (5, 2))

    def late(x: Tensor) -> Tensor:
        return module(x) + torch.where(x[:, :1] == z[3, 0], torch.inf, 0.0)

    def steep(x: Tensor) -> Tensor:
        return module(x) * torch.where(x[:, :1] == z[3, 0], torch.nan, 1.0)

    for method in ("gram", "svd", "sketch"):
        with pytest.raises(InvalidInputError, match="its output is not finite at latent 3; expected finite outputs"):
            log_volume(late, z, method)
        with pytest.raises(InvalidInputError, match="its Jacobian is not finite at latent 3; expected finite slopes"):
            log_volume(steep, z, method)
    with pytest.raises(InvalidInputError, match="its output is not finite at latent 3"):
        singular_values(late, z)
    with pytest.raises(InvalidInputError, match="its Jacobian is not finite at latent 3"):
        singular_values(steep, z)
    module[-1].bias.data[1] = torch.nan
    for method in ("auto", "gram", "svd", "sketch"):
        with pytest.raises(InvalidInputError, match="its output is not finite at latent 0"):
            log_volume(module, z, method)


def test_float32_by_gram_matrices() -> None:
    """Of 128 latents they tell as much as is asked, at half of the cost; what they don't tell is asked again."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(128, 300), nn.ReLU(), nn.Linear(300, 700), nn.ReLU(), nn.Linear(700, 784)).double()
    z = torch.randn(12, 128, dtype=torch.float64)
    expected = log_volume(module, z, "svd")
    assert np.isfinite(expected).all()
    map_ = latent_map(module.float(), z, "auto", None)
    settled = _all_logs(map_, None, True, lambda _: None, settle=False)
    assert np.isfinite(settled).mean() > 0.9
    np.testing.assert_allclose(settled[np.isfinite(settled)], expected[np.isfinite(settled)], atol=2e-4)
    np.testing.assert_allclose(log_volume(module.float(), z), expected, atol=2e-4)


class Conditional(nn.Module):
    """A generator whose scale depends on its class."""

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        return z * (1.0 + label[:, None])


def test_conditions_and_functions() -> None:
    z, labels = torch.zeros(4, 3, dtype=torch.float64), torch.arange(4)
    np.testing.assert_allclose(
        log_volume(Conditional(), z, condition=labels), 3 * np.log(1.0 + np.arange(4)), atol=1e-12
    )
    np.testing.assert_allclose(log_volume(lambda x: 2 * x, z), 3 * math.log(2.0))


def test_the_module_is_left_as_it_is() -> None:
    module = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state = torch.get_rng_state()
    log_volume(module, np.zeros((3, 2)))
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in module.parameters())


def test_heads_are_gone_through() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.Tanh()).double()
    network = splinescope.from_torch(module, input_shape=(2,))
    z = torch.randn(4, 2, dtype=torch.float64)
    np.testing.assert_allclose(log_volume(network, z, "svd"), by_hand(module, z), atol=1e-9)
    np.testing.assert_allclose(log_volume(network, z, "affine"), by_hand(module[0], z), atol=1e-9)


def test_bad_input() -> None:
    module = nn.Linear(2, 3)
    for call, words in (
        (lambda: log_volume(module, np.zeros((1, 2)), "qr"), "method"),
        (lambda: log_volume(module, np.zeros((1, 2)), top=3), "at least 1 and at most 2"),
        (lambda: log_volume(module, np.zeros(2)), "latents"),
        (lambda: log_volume(3, np.zeros((1, 2))), "generator"),
        (lambda: log_volume(module, np.zeros((1, 2)), "sketch", sketch=9), "sketch"),
        (lambda: log_volume(Conditional(), np.zeros((2, 2)), condition=[1]), "condition"),
    ):
        with pytest.raises(InvalidInputError, match=words):
            call()


def test_float32_is_asked_again_where_it_cannot_tell() -> None:
    """Singular values 1 and 2^-20, beyond float32's resolution; and 1 and 0."""
    thin = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3))
    for value, expected in ((2.0**-20, -20 * math.log(2)), (0.0, -math.inf)):
        thin[0].weight.data = torch.tensor([[1.0, 0.0], [0.0, value], [0.0, 0.0]])
        thin[1].weight.data = torch.eye(3)
        assert log_volume(thin, np.zeros((2, 2)))[1] == pytest.approx(expected, abs=1e-9)
        assert log_volume(thin, np.zeros((2, 2)), "svd")[1] == -math.inf
    assert thin[0].weight.dtype == torch.float32


def test_a_last_layer_with_more_outputs_than_inputs_is_condensed() -> None:
    """What comes before decides the rank: the shortened product has the same singular values."""
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 50)).double()
    z = torch.randn(40, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    values = np.stack([torch.linalg.svdvals(torch.func.jacrev(module)(x)).detach().numpy() for x in z])
    np.testing.assert_allclose(singular_values(module, z), values, rtol=1e-9, atol=1e-12)
    network = splinescope.from_torch(module, input_shape=(4,))
    np.testing.assert_allclose(singular_values(network, z), values, rtol=1e-9, atol=1e-12)
    assert (log_volume(module, z) == -np.inf).tolist() == (values[:, -1] < 1e-12).tolist()


def test_large_outputs_in_bounded_memory() -> None:
    """One direction after the other where a single Jacobian is as much as may be held."""
    module = nn.Sequential(nn.Linear(40, 8), nn.Tanh(), nn.Unflatten(1, (8, 1, 1)), nn.Upsample(scale_factor=96))
    z = torch.randn(2, 40, generator=torch.Generator().manual_seed(0))
    assert (log_volume(module, z) == -np.inf).all()
    few = module[:2].double()
    expected = log_volume(few, z.double(), "svd", 8) + 8 * math.log(96)
    np.testing.assert_allclose(log_volume(module.double(), z.double(), "svd", 8), expected, rtol=1e-9)


def test_networks_of_several_kinds() -> None:
    """Against autograd, as networks."""
    torch.manual_seed(0)
    hidden = [nn.Linear(3, 9), nn.ReLU(), nn.Linear(9, 8), nn.LeakyReLU(0.1), nn.Linear(8, 7), nn.Hardtanh()]
    for module in (
        nn.Sequential(*hidden, nn.Linear(7, 12), nn.Unflatten(1, (3, 2, 2))),
        nn.Sequential(nn.ReLU(), *hidden),
        nn.Sequential(nn.Flatten(), nn.Linear(3, 5), nn.ReLU()),
        nn.Sequential(nn.Linear(3, 8), nn.Unflatten(1, (2, 4)), nn.MaxPool1d(2), nn.Flatten()),
    ):
        module.double()
        network = splinescope.from_torch(module, input_shape=(3,))
        z = torch.randn(25, 3, dtype=torch.float64)
        expected = [
            np.linalg.svd(torch.func.jacrev(module)(x[None]).reshape(-1, 3).detach(), compute_uv=False) for x in z
        ]
        np.testing.assert_allclose(singular_values(network, z), np.stack(expected), atol=1e-12)
