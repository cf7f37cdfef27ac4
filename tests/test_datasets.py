"""Toy data: shapes, ranges, determinism, and files that are not what they should be."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from splinescope import datasets
from splinescope.errors import InvalidInputError

PLANE = [datasets.two_moons, datasets.rings, datasets.spirals]


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("make", PLANE)
def test_plane_data_are_balanced_and_repeatable(make: Callable[..., datasets.Dataset]) -> None:
    before = torch.random.get_rng_state()
    data, again = make(100, generator=seeded()), make(100, generator=seeded())
    assert torch.equal(torch.random.get_rng_state(), before)
    assert data.inputs.shape == (100, 2)
    assert torch.equal(data.inputs, again.inputs)
    assert torch.bincount(data.labels).tolist() == [50, 50]
    assert len(data.classes) == 2


@pytest.mark.parametrize("make", PLANE)
def test_noiseless_plane_data_fill_the_square(make: Callable[..., datasets.Dataset]) -> None:
    assert float(make(100, noise=0.0, generator=seeded()).inputs.abs().max()) <= 1


def test_rings_have_their_radii() -> None:
    data = datasets.rings(1000, noise=0.0, generator=seeded())
    radii = data.inputs.norm(dim=1)
    assert float(radii[data.labels == 0].max()) <= 0.4 + 1e-6
    assert float(radii[data.labels == 1].min()) >= 0.6 - 1e-6


def test_too_few_points_or_arms() -> None:
    with pytest.raises(InvalidInputError, match=r"`n`: got 1; expected at least 2"):
        datasets.rings(1, generator=seeded())
    with pytest.raises(InvalidInputError, match=r"`arms`: got 1"):
        datasets.spirals(10, arms=1, generator=seeded())


def test_digits() -> None:
    data = datasets.digits()
    assert data.inputs.shape == (1797, 1, 8, 8)
    assert (float(data.inputs.min()), float(data.inputs.max())) == (0.0, 1.0)
    assert data.labels[:4].tolist() == [0, 1, 2, 3]
    assert data.take([3, 7]).shape == (2, 1, 8, 8)
    with pytest.raises(InvalidInputError, match=r"`indices`: got 1797; expected a number from 0 to 1796"):
        data.take([1797])


def test_digits_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    data, bunch = datasets.digits(), load_digits()
    inputs = torch.tensor(bunch.images, dtype=torch.float32)[:, None] / 16
    assert data.inputs.dtype == torch.float32
    assert torch.equal(data.inputs, inputs)
    assert data.labels.dtype == torch.int64
    assert data.labels.tolist() == bunch.target.tolist()


def idx(images: torch.Tensor) -> bytes:
    return struct.pack(">4i", 2051, *images.shape) + bytes(images.flatten().tolist())


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("labelled", [True, False])
def test_mnist_files(tmp_path: Path, suffix: str, labelled: bool) -> None:
    pack = gzip.compress if suffix else bytes
    images = torch.arange(24).reshape(2, 3, 4) * 10
    (tmp_path / f"t10k-images-idx3-ubyte{suffix}").write_bytes(pack(idx(images)))
    if labelled:
        labels = struct.pack(">2i", 2049, 2) + bytes([7, 1])
        (tmp_path / f"t10k-labels-idx1-ubyte{suffix}").write_bytes(pack(labels))
    data = datasets.mnist(tmp_path)
    assert torch.allclose(data.inputs[:, 0] * 255, images.float())
    assert data.labels.tolist() == ([7, 1] if labelled else [0, 0])


@pytest.mark.parametrize("folder", [".", "raw", "MNIST/raw"])
def test_mnist_parts_and_torchvisions_folder(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for stem, value in (("t10k", 1), ("train", 2)):
        images = torch.full((value, 3, 4), value)
        (tmp_path / folder / f"{stem}-images-idx3-ubyte").write_bytes(idx(images))
    assert len(datasets.mnist(tmp_path).labels) == 1
    assert len(datasets.mnist(tmp_path, "test").labels) == 1
    assert len(datasets.mnist(tmp_path, "train").labels) == 2
    (tmp_path / folder / "train-images-idx3-ubyte").unlink()
    with pytest.raises(InvalidInputError, match="no train-images-idx3-ubyte"):
        datasets.mnist(tmp_path, "train")
    with pytest.raises(InvalidInputError, match="`part`: got 'all'; expected 'train', 'test' or None"):
        datasets.mnist(tmp_path, "all")


def test_mnist_of_bad_files(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"does not exist"):
        datasets.mnist(tmp_path / "nowhere")
    with pytest.raises(InvalidInputError, match=r"no t10k-images-idx3-ubyte or train-images-idx3-ubyte"):
        datasets.mnist(tmp_path)
    file = tmp_path / "images"
    file.write_bytes(b"not an IDX file at all")
    with pytest.raises(InvalidInputError, match=r"is not an IDX file of images"):
        datasets.mnist(file)
    file.write_bytes(idx(torch.zeros(2, 3, 4, dtype=torch.int64))[:-1])
    with pytest.raises(InvalidInputError, match=r"is damaged: 23 bytes for an array of shape \(2, 3, 4\)"):
        datasets.mnist(file)
    file = tmp_path / "images.gz"
    file.write_bytes(gzip.compress(idx(torch.zeros(2, 3, 4, dtype=torch.int64)))[:-12])
    with pytest.raises(InvalidInputError, match=r"cannot be read"):
        datasets.mnist(file)


def test_mnist_with_the_wrong_number_of_labels(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(torch.zeros(2, 3, 4, dtype=torch.int64)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 2049, 1) + b"\0")
    with pytest.raises(InvalidInputError, match=r"1 labels for 2 images"):
        datasets.mnist(tmp_path)
