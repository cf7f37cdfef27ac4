"""What `class-connectivity` looks at: images, networks, layers and pairs."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from splinescope import models
from splinescope.errors import InvalidInputError
from splinescope.experiments.class_connectivity.problems import (
    ResidualNet,
    correct_pairs,
    given_network,
    layers_of,
    make_module,
    mixed_pairs,
    read_images,
)
from splinescope.experiments.class_connectivity.settings import Settings
from splinescope.experiments.shared.reproduce import measure
from splinescope.network import from_torch, split


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def write_mnist(folder: Path) -> None:
    """Two sets of MNIST's own files, the training set of twice as many images."""
    rng = np.random.default_rng(0)
    for stem, count in (("train", 8), ("t10k", 4)):
        images, labels = rng.integers(0, 256, (count, 9, 9), np.uint8), (np.arange(count) % 3).astype(np.uint8)
        header = struct.pack(">iiii", 2051, count, 9, 9)
        (folder / f"{stem}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
        header = struct.pack(">ii", 2049, count)
        (folder / f"{stem}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(header + labels.tobytes()))


def test_images_of_all_kinds(tmp_path: Path) -> None:
    digits = read_images(None, 500, 0.25)
    assert (digits.name, digits.train, len(digits.inputs)) == ("digits", 500, 500 + 449)
    (tmp_path / "mnist").mkdir()
    write_mnist(tmp_path / "mnist")
    mnist = read_images(str(tmp_path / "mnist"), 6, 0.25)
    assert (mnist.name, mnist.train, len(mnist.inputs)) == ("MNIST", 6, 10)
    assert mnist.labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    colour = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    np.savez(tmp_path / "cifar.npz", images=colour, labels=np.arange(20) % 10)
    cifar = read_images(str(tmp_path / "cifar.npz"), 100, 0.25)
    assert (cifar.name, cifar.train, tuple(cifar.inputs.shape)) == ("CIFAR-10", 15, (20, 3, 32, 32))


def test_networks_fit_their_images(tmp_path: Path) -> None:
    digits = read_images(None, 500, 0.25)
    assert tuple(make_module(digits, (5, 5), seeded())(digits.inputs[:2]).shape) == (2, 10)
    colour = np.zeros((20, 32, 32, 3), np.uint8)
    np.savez(tmp_path / "cifar.npz", images=colour, labels=np.arange(20) % 10)
    cifar = read_images(str(tmp_path / "cifar.npz"), 100, 0.25)
    module = make_module(cifar, (4, 4), seeded())
    assert isinstance(module, ResidualNet)
    images = torch.rand(3, 3, 32, 32, generator=seeded(1))
    network = from_torch(module, input_shape=(3, 32, 32))
    np.testing.assert_allclose(network(images.numpy()), module(images).detach().numpy(), atol=1e-5)
    assert torch.equal(module.last.weight, make_module(cifar, (4, 4), seeded()).last.weight)
    # Blocks start near the identity: the first one changes activations by little.
    before = torch.relu(module.first(images))
    change = (module.blocks[0](before) - before).detach().norm() / before.detach().norm()
    assert 0 < float(change) < 0.3


def test_layers_by_words() -> None:
    network = from_torch(models.mlp([6, 5, 4, 3, 10], generator=seeded()), input_shape=(6,))
    found = layers_of(network, ("input", "first", "middle", "last", "3", "-2"))
    assert [layer.shape for layer in found.values()] == [(6,), (5,), (5,), (3,), (4,), (3,)]
    assert split(network, found["last"].index).after.num_units == 0
    assert split(network, found["first"].index).before.num_units == 5
    wide = from_torch(models.mlp([6, 9, 9, 9, 9, 10], generator=seeded()), input_shape=(6,))
    assert layers_of(wide, ("middle",))["middle"].index == layers_of(wide, ("first",))["first"].index + 2
    shallow = from_torch(models.mlp([6, 5, 10], generator=seeded()), input_shape=(6,))
    with pytest.raises(InvalidInputError, match="`layers`: got 'first'; this network has no layer between"):
        layers_of(shallow, ("first",))
    with pytest.raises(InvalidInputError, match="no node or module `conv`"):
        layers_of(shallow, ("conv",))


def test_pairs_are_what_they_should_be() -> None:
    rng = np.random.default_rng(3)
    labels, leading = rng.integers(0, 4, 60), rng.integers(0, 4, 60)
    right = leading == labels
    for make, needed in ((correct_pairs, True), (mixed_pairs, False)):
        everything = make(leading, labels, 10_000, np.random.default_rng(0))
        assert len({tuple(sorted(pair)) for pair in everything.ends.tolist()}) == len(everything)
        assert (leading[everything.ends] == everything.targets[:, None]).all()
        assert right[everything.ends[:, 0]].all()
        assert (right[everything.ends[:, 1]] == needed).all()
        good, wrong = (np.bincount(leading[rows], minlength=4) for rows in (right, ~right))
        assert len(everything) == int((good * (good - 1) // 2).sum() if needed else (good * wrong).sum())
        few = make(leading, labels, 8, np.random.default_rng(0))
        assert np.bincount(few.targets, minlength=4).tolist() == [2, 2, 2, 2]
    nothing = mixed_pairs(labels, labels, 5, np.random.default_rng(0))
    assert len(nothing) == 0


def test_given_networks_must_fit(tmp_path: Path) -> None:
    digits = read_images(None, 500, 0.25)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "good.npz", W0=rng.normal(size=(10, 64)), b0=np.zeros(10))
    np.savez(tmp_path / "small.npz", W0=rng.normal(size=(10, 63)), b0=np.zeros(10))
    assert given_network(str(tmp_path / "good.npz"), digits).input_shape == (64,)
    with pytest.raises(InvalidInputError, match=r"`model`: .*small.npz takes inputs of shape \(63,\)"):
        given_network(str(tmp_path / "small.npz"), digits)


def test_a_given_network_with_its_own_scale(tmp_path: Path) -> None:
    """Images are scaled for it; a network that reads the scale off again says the same as without."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) / 4 for shape in ((12, 64), (12, 12), (10, 12))]
    scaled = [weights[0] * 0.25, *weights[1:]]
    shift = [weights[0] @ np.full(64, 0.5), np.zeros(12), np.zeros(10)]
    for name, layers, biases in (("plain", weights, [np.zeros(12), *shift[1:]]), ("scaled", scaled, shift)):
        arrays = {f"W{i}": layer for i, layer in enumerate(layers)} | {f"b{i}": bias for i, bias in enumerate(biases)}
        np.savez(tmp_path / f"{name}.npz", **arrays)
    small = {"pairs": 12, "component-points": 0, "decoder-epochs": 1, "decoder-width": 2, "layers": "input,first"}
    small = {name.replace("-", "_"): value for name, value in small.items()}
    measure("class-connectivity", out=tmp_path / "a", settings=small | {"model": str(tmp_path / "plain.npz")})
    other = small | {"model": str(tmp_path / "scaled.npz"), "mean": "0.5", "std": "0.25"}
    measure("class-connectivity", out=tmp_path / "b", settings=other)
    plain, scaled_numbers = (json.loads((tmp_path / name / "numbers.json").read_text()) for name in "ab")
    assert plain["twins"] is None
    for kind in ("correct", "misclassified"):
        one, two = plain["kinds"][kind]["input"], scaled_numbers["kinds"][kind]["input"]
        assert one["ends"] == two["ends"]
        np.testing.assert_allclose(one["minimum_margin"], two["minimum_margin"], atol=1e-9)
    with pytest.raises(InvalidInputError, match="`mean`: got 2 numbers for 1 channels"):
        measure("class-connectivity", out=tmp_path / "c", settings=other | {"mean": "0.5,0.1"})


def test_presets() -> None:
    smoke, paper = Settings.smoke(3), Settings.paper(3)
    assert smoke.pairs < paper.pairs
    assert smoke.seed == paper.seed == 3
    assert paper.with_data(Path("x")).data == str(Path("x").resolve())
