"""Published generators: what volumes, samplers and measures make of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import splinescope
from splinescope import datasets, models
from splinescope.experiments.debias import run as debias
from splinescope.experiments.debias import settings as debias_settings
from splinescope.experiments.shared.images import images_of
from splinescope.generative import (
    Gaussian,
    UniformBox,
    VolumeSampler,
    approach,
    cell_log_volumes,
    conditioned,
    entropy,
    frequencies_by_rho,
    log_volume,
    project,
    sample,
    singular_values,
    volume,
)
from splinescope.network import Network
from tests.network.asset_modules import build
from tests.network.assets import ABSENT, ASSETS, assets
from tests.seeds import thorough

FILES = {asset.name: asset.paths[0] for asset in assets()}
pytestmark = pytest.mark.skipif(not FILES, reason=ABSENT)


def published(name: str) -> nn.Module:
    """A generator of the assets as a module in float64."""
    return build(name, FILES[name])[0].double()


@pytest.mark.parametrize(("name", "latents"), [("foilnet_wgan_generator", 128), ("csinva_mnist_mlp_generator", 64)])
def test_published_generators_are_rank_deficient_almost_everywhere(name: str, latents: int) -> None:
    """So that "uniform on the manifold" is of no volume, and only leading singular values can be sampled by."""
    module, z = published(name), np.random.default_rng(0).standard_normal((100, latents))
    values = singular_values(module, z)
    expected = np.stack([torch.linalg.svdvals(_jacobian(module, x)).numpy() for x in torch.from_numpy(z[:5])])
    np.testing.assert_allclose(values[:5], expected[:, : values.shape[1]], rtol=1e-8, atol=1e-12)
    deficient = values[:, -1] <= 2.0**-44 * values[:, 0]
    assert deficient.mean() > 0.9
    assert (np.isneginf(log_volume(module, z)) == deficient).mean() > 0.98
    assert np.isfinite(log_volume(module, z, top=10)).mean() > 0.95
    np.testing.assert_allclose(log_volume(module.float(), z, top=5), np.log(values[:, :5]).sum(1), rtol=1e-3, atol=1e-3)


def _jacobian(module: nn.Module, x: Tensor) -> Tensor:
    return torch.func.jacrev(lambda q: module(q[None]).flatten())(x).detach()


@pytest.mark.parametrize(("name", "latents"), [("foilnet_wgan_generator", 128), ("csinva_mnist_mlp_generator", 64)])
def test_slices_are_measured_exactly(name: str, latents: int) -> None:
    """A plane of latents: its surface by cells, by Jacobians at random latents, and its nearest points."""
    module = published(name)
    basis = np.linalg.qr(np.random.default_rng(1).standard_normal((latents, 2)))[0].T
    square = 0.25 * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    network = splinescope.from_torch(module, input_shape=(latents,))
    cells = splinescope.tessellate(network, splinescope.Slice(np.zeros(latents), basis, square))
    directions = torch.from_numpy(basis)
    behind = replace(network, head=None)
    t = np.random.default_rng(2).uniform(-0.25, 0.25, (1_000, 2))
    logs = log_volume(lambda q: behind(q @ directions), t, "svd")
    owners = cells.locate(t)
    found = cell_log_volumes(cells)[owners]
    agree = np.isclose(logs, found, atol=1e-6) | (np.isneginf(found) & (logs < -10))
    assert agree.mean() > 0.999
    factors = np.exp(logs)
    assert volume(cells) == pytest.approx(0.25 * factors.mean(), abs=1.25 * factors.std() / np.sqrt(1_000))
    assert np.isfinite(entropy(cells)) == np.isfinite(cell_log_volumes(cells)).all()
    drawn = sample(cells, 30, 1.0, 3)
    assert project(cells, drawn.outputs).distances.max() < 1e-6


def test_exponents_and_classes_of_published_digits() -> None:
    """Figure 11 in numbers: small volumes are ones, large ones the digits of many strokes."""
    folder = ASSETS / "data" / "mnist"
    if not folder.is_dir():
        pytest.skip(f"no MNIST in {folder}")
    images = datasets.mnist(folder, "train")
    inputs, labels = images.inputs[:3000].flatten(1), images.labels[:3000]
    rng = torch.Generator().manual_seed(0)
    classifier = models.mlp([784, 64, 10], generator=rng)
    models.train_classifier(classifier, inputs, labels, generator=rng, epochs=5)

    def classes(outputs: np.ndarray) -> Any:
        with torch.no_grad():
            return classifier(torch.from_numpy((outputs + 1) / 2).float()).argmax(dim=1).numpy()

    module = build("csinva_mnist_mlp_generator", FILES["csinva_mnist_mlp_generator"])[0]
    sampler = VolumeSampler(module, Gaussian(64), pool=1_000, top=10)
    own, wide = frequencies_by_rho(sampler, classes, [0.0, 0.5], 10)
    low = frequencies_by_rho(sampler, classes, [-0.3], 10)[0]
    assert low.low[1] > own.high[1]
    assert wide.high[1] < own.low[1]
    assert own.shares[1] > 0.2


@pytest.mark.parametrize(
    ("name", "channels"), [("vnncomp_cgan_imgsz32_nch_1", 1), ("vnncomp_cgan_imgsz32_nch_3_upsample", 3)]
)
def test_conditional_gans(name: str, channels: int) -> None:
    """A condition and four noises: the generator is the first half of its graph."""
    network = _generator_of(splinescope.load(FILES[name]), (channels, 32, 32))
    z = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 5))
    logs = log_volume(network, z)
    expected = [np.log(np.linalg.svd(_differences(network, x), compute_uv=False)).sum() for x in z[:6]]
    np.testing.assert_allclose(logs[:6], expected, rtol=1e-5)
    near = conditioned(network, {0: 0.25})
    latents = z[:, 1:]
    whole = np.column_stack([np.full(20, 0.25), latents])
    np.testing.assert_allclose(near(latents[:3]), network(whole[:3]), atol=1e-12)
    expected = [np.linalg.slogdet(J.T @ J)[1] / 2 for J in (_differences(near, x) for x in latents[:3])]
    np.testing.assert_allclose(log_volume(near, latents)[:3], expected, rtol=1e-5)
    sampler = VolumeSampler(near, UniformBox((-0.5,) * 4, (0.5,) * 4), 1.0, pool=50)
    assert 1 < sampler.effective_sample_size <= 50
    assert sampler.sample(10).outputs.shape == (10, channels, 32, 32)


def _differences(network: Network, x: np.ndarray) -> np.ndarray:
    """The Jacobian by central differences, which are exact within a cell."""
    steps = 1e-7 * np.eye(len(x))
    ahead, behind = (network(x + sign * steps).reshape(len(x), -1) for sign in (1, -1))
    return ((ahead - behind) / 2e-7).T


def _generator_of(whole: Network, shape: tuple[int, ...]) -> Network:
    """The part that makes the image, which the discriminator then reads."""
    last = max(index for index, node in enumerate(whole.nodes) if node.shape == shape)
    return Network(whole.nodes[: last + 1], last)


def test_shifts_of_digits() -> None:
    """A generator of two inputs, an image and eight latents: of the latents it is a network with a smooth end."""
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(str(FILES["dist_shift_mnist_generator"]))
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
    weights = [tensors[node.input[1]] for node in graph.graph.node if node.op_type == "Gemm"]
    biases = [tensors[node.input[2]] for node in graph.graph.node if node.op_type == "Gemm"]
    image = torch.rand(784, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    module = _shifted(weights, biases, image)
    z = np.random.default_rng(0).standard_normal((30, 8))
    logs = log_volume(module, z)
    expected = [0.5 * torch.logdet(J.T @ J) for J in (_jacobian(module, x) for x in torch.from_numpy(z[:5]))]
    np.testing.assert_allclose(logs[:5], np.array(expected), rtol=1e-6)
    network = splinescope.from_torch(module, input_shape=(8,))
    np.testing.assert_allclose(log_volume(network, z), logs, rtol=1e-9)
    assert np.abs(log_volume(network, z, "affine") - logs).min() > 0.1  # before the sigmoid
    targets = VolumeSampler(module, Gaussian(8), pool=500).sample(5).outputs
    assert approach(module, targets, Gaussian(8), pool=500).distances.max() < 1e-4


def _shifted(weights: list[np.ndarray], biases: list[np.ndarray], image: Tensor) -> nn.Module:
    """Image and latents side by side, a layer with ReLU, and a layer with sigmoid, at a fixed image."""
    first, last = (torch.from_numpy(w.copy()).double() for w in weights)
    start = nn.Linear(8, len(first)).double()
    image_first = first[:, :784] @ image
    start.weight.data, start.bias.data = first[:, 784:], torch.from_numpy(biases[0].copy()).double() + image_first
    end = nn.Linear(*reversed(last.shape)).double()
    end.weight.data, end.bias.data = last, torch.from_numpy(biases[1].copy()).double()
    return nn.Sequential(start, nn.ReLU(), end, nn.Sigmoid())


@thorough
def test_classes_of_the_published_digits_by_the_experiment() -> None:
    """What `debias` measures of it: rank-deficient nearly everywhere, and no law of latents with equal shares."""
    folder = ASSETS / "data" / "mnist"
    if not folder.is_dir():
        pytest.skip(f"no MNIST in {folder}")
    settings = replace(
        debias_settings.Settings.smoke(0), data=str(folder), generator=str(FILES["csinva_mnist_mlp_generator"])
    )
    images = images_of(settings.data, 700)
    rng = torch.Generator().manual_seed(0)
    classifier = models.mlp([784, 16, 10], generator=rng)
    models.train_classifier(classifier, images.inputs, images.labels, generator=rng, epochs=3)
    classifier.double()
    found = debias._published(replace(settings, published_pool=200), debias.published_of(settings, images), classifier)
    assert found["latents"] == 64
    assert min(found["deficient"].values()) > 0.9
    assert [(law["latents"], law["rho"], law["top"]) for law in found["laws"] if law["top"] or not law["rho"]] == [
        ("gaussian", 0.0, 0), ("gaussian", 1.0, 10), ("uniform", 0.0, 0), ("uniform", 1.0, 10),
    ]  # fmt: skip
    assert all(law["imbalance"] > 0.1 for law in found["laws"])
