"""Toy data: plane problems with their own generators, handwritten digits, and MNIST files that the user has."""

from __future__ import annotations

import gzip
import itertools
import math
import struct
import zlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from splinescope.errors import InvalidInputError

_DATA = files("splinescope") / "data"
_MOST = 2 << 30
"""Bytes that a compressed file may unpack to."""

_IDX_IMAGES, _IDX_LABELS = 2051, 2049
_MNIST_STEMS = ("t10k", "train")
_MNIST_PARTS = {"train": "train", "test": "t10k"}


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled inputs.

    Attributes:
        inputs: [N, *shape] float32; images have the shape [channels, height, width] and values from 0 to 1.
        labels: [N] class of each input, counted from 0.
        classes: Name of each class.
        name: What the data are called in titles.
    """

    inputs: Float[Tensor, "n ..."]
    labels: Int[Tensor, " n"]
    classes: tuple[str, ...]
    name: str

    def __len__(self) -> int:
        """Number of inputs."""
        return len(self.inputs)

    def take(self, indices: list[int]) -> Float[Tensor, "k ..."]:
        """The inputs at some indices.

        Args:
            indices: Positions from 0 to `len(self) - 1`.

        Returns:
            [k, *shape] inputs in the order asked for.

        Raises:
            InvalidInputError: If an index is out of range.
        """
        for index in indices:
            if not 0 <= index < len(self):
                raise InvalidInputError(
                    f"`indices`: got {index}; expected a number from 0 to {len(self) - 1} ({self.name} has {len(self)})"
                )
        return self.inputs[indices]


def _check_count(n: int) -> None:
    if n < 2:
        raise InvalidInputError(f"`n`: got {n}; expected at least 2 points")


def two_moons(n: int = 400, noise: float = 0.08, *, generator: torch.Generator) -> Dataset:
    r"""Two interleaved half circles in the square $[-1, 1]^2$.

    Args:
        n: Number of points, halved between the classes.
        noise: Standard deviation of the Gaussian noise.
        generator: Source of randomness; global seeds stay untouched.

    Returns:
        Points of shape [2].

    Raises:
        InvalidInputError: If there are no points.

    Cost: linear in the number of points.

    Example:
        >>> moons = two_moons(100, noise=0.0, generator=torch.Generator().manual_seed(0))
        >>> tuple(moons.inputs.shape), bool(moons.inputs.abs().max() <= 1)
        ((100, 2), True)
    """
    _check_count(n)
    labels = torch.arange(n) % 2
    angles = math.pi * torch.rand(n, generator=generator)
    upper = torch.stack([angles.cos() - 0.5, angles.sin() - 0.25], dim=1)
    inputs = torch.where(labels[:, None] == 0, upper, -upper) / 1.5
    inputs = inputs + noise * torch.randn(n, 2, generator=generator)
    return Dataset(inputs, labels, ("upper moon", "lower moon"), "two moons")


def rings(n: int = 400, noise: float = 0.05, *, generator: torch.Generator) -> Dataset:
    r"""A disc of radius 0.4 and a ring around it of radii 0.6 to 0.9.

    Args:
        n: Number of points, halved between the classes.
        noise: Standard deviation of the Gaussian noise.
        generator: Source of randomness; global seeds stay untouched.

    Returns:
        Points of shape [2].

    Raises:
        InvalidInputError: If there are no points.

    Cost: linear in the number of points.

    Example:
        >>> data = rings(100, noise=0.0, generator=torch.Generator().manual_seed(0))
        >>> disc, ring = (data.inputs[data.labels == label].norm(dim=1) for label in (0, 1))
        >>> len(disc), len(ring), bool(disc.max() < 0.41), bool(ring.min() > 0.59)
        (50, 50, True, True)
    """
    _check_count(n)
    labels = torch.arange(n) % 2
    fraction = torch.rand(n, generator=generator)
    low = torch.where(labels == 0, 0.0, 0.6)
    high = torch.where(labels == 0, 0.4, 0.9)
    radii = (low**2 + fraction * (high**2 - low**2)).sqrt()  # uniform in area
    angles = 2 * math.pi * torch.rand(n, generator=generator)
    inputs = torch.stack([radii * angles.cos(), radii * angles.sin()], dim=1)
    inputs = inputs + noise * torch.randn(n, 2, generator=generator)
    return Dataset(inputs, labels, ("disc", "ring"), "rings")


def spirals(
    n: int = 600, arms: int = 2, noise: float = 0.02, turns: float = 0.6, *, generator: torch.Generator
) -> Dataset:
    r"""Arms of an Archimedean spiral, one class each, at radii from 0.1 to 0.9.

    Args:
        n: Number of points, shared evenly by the arms.
        arms: Number of classes, at least 2.
        noise: Standard deviation of the Gaussian noise.
        turns: How often each arm goes around.
        generator: Source of randomness; global seeds stay untouched.

    Returns:
        Points of shape [2].

    Raises:
        InvalidInputError: If there are no points, or fewer than two arms.

    Cost: linear in the number of points.

    Example:
        >>> data = spirals(90, arms=3, generator=torch.Generator().manual_seed(0))
        >>> data.labels.bincount().tolist()
        [30, 30, 30]
    """
    _check_count(n)
    if arms < 2:
        raise InvalidInputError(f"`arms`: got {arms}; expected at least 2 classes")
    labels = torch.arange(n) % arms
    radii = 0.1 + 0.8 * torch.rand(n, generator=generator).sqrt()
    angles = 2.5 * math.pi * turns * radii + 2 * math.pi * labels / arms
    inputs = torch.stack([radii * angles.cos(), radii * angles.sin()], dim=1)
    inputs = inputs + noise * torch.randn(n, 2, generator=generator)
    return Dataset(inputs, labels, tuple(f"arm {arm}" for arm in range(arms)), "spirals")


def star(n: int = 50, arms: int = 5, inner: float = 0.4, noise: float = 0.0, *, generator: torch.Generator) -> Dataset:
    r"""The outline of a star with tips on the unit circle, one class for each arm.

    Args:
        n: Number of points, shared evenly by the arms.
        arms: Number of arms, at least 2.
        inner: Distance of the corners between the arms from the centre, from 0 to 1.
        noise: Standard deviation of the Gaussian noise.
        generator: Source of randomness; global seeds stay untouched.

    Returns:
        Points of shape [2], uniform along the outline.

    Raises:
        InvalidInputError: If there are no points, fewer than two arms, or `inner` is out of range.

    Cost: linear in the number of points.

    Example:
        >>> data = star(100, generator=torch.Generator().manual_seed(0))
        >>> radii = data.inputs.norm(dim=1)
        >>> len(data.classes), bool((0.3 < radii).all() and (radii <= 1).all())
        (5, True)
    """
    _check_count(n)
    if arms < 2:
        raise InvalidInputError(f"`arms`: got {arms}; expected at least 2 arms")
    if not 0 < inner < 1:
        raise InvalidInputError(f"`inner`: got {inner}; expected a number between 0 and 1")
    labels = torch.arange(n) % arms
    along = 2 * torch.rand(n, generator=generator) - 1  # from the corner before the tip, over the tip, to the next one
    tip = math.pi / 2 + 2 * math.pi * labels / arms
    corner = tip + torch.sign(along) * math.pi / arms
    share = along.abs()[:, None]
    tips, corners = (torch.stack([angle.cos(), angle.sin()], dim=1) for angle in (tip, corner))
    inputs = (1 - share) * tips + share * inner * corners + noise * torch.randn(n, 2, generator=generator)
    return Dataset(inputs, labels, tuple(f"arm {arm}" for arm in range(arms)), "star")


def digits() -> Dataset:
    """The 1,797 handwritten digits of the UCI repository, as images of shape [1, 8, 8] with values from 0 to 1.

    They come with splinescope, in the order of scikit-learn's `load_digits`. Source: Alpaydin and Kaynak (1998),
    Optical Recognition of Handwritten Digits, https://doi.org/10.24432/C50P49; licence CC BY 4.0.

    Returns:
        Images and their digits.

    Cost: reading 45 kB.

    Example:
        >>> data = digits()
        >>> tuple(data.inputs.shape), data.labels[:4].tolist()
        ((1797, 1, 8, 8), [0, 1, 2, 3])
    """
    with (_DATA / "digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    inputs = torch.tensor(images, dtype=torch.float32)[:, None] / 16
    return Dataset(inputs, torch.tensor(labels, dtype=torch.int64), tuple(str(digit) for digit in range(10)), "digits")


def mnist(path: str | Path, part: str | None = None) -> Dataset:
    """MNIST, Fashion-MNIST or other data in MNIST's own IDX files, from the user's disk.

    Args:
        path: The file of images (`t10k-images-idx3-ubyte`, or `.gz`), or a folder that holds one; a folder's test set
            (`t10k`) goes before its training set. The labels are read from beside the images where they are. The folder
            may be that of torchvision, which holds `MNIST/raw`.
        part: "train" or "test" to read that set of a folder.

    Returns:
        Images of shape [1, height, width] with values from 0 to 1; labels are 0 where there is no file of labels.

    Raises:
        InvalidInputError: If there is no such file, or it is damaged or of another format.

    Cost: reading the files; four bytes for each pixel.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "t10k-images-idx3-ubyte"
        ...     _ = file.write_bytes(struct.pack(">IIII", 2051, 1, 2, 2) + bytes([0, 255, 255, 0]))
        ...     mnist(file).inputs.tolist()
        [[[[0.0, 1.0], [1.0, 0.0]]]]
    """
    if part not in (None, *_MNIST_PARTS):
        raise InvalidInputError(f"`part`: got {part!r}; expected 'train', 'test' or None")
    images_path = _find_images(Path(path), _MNIST_STEMS if part is None else (_MNIST_PARTS[part],))
    images = _read_idx(images_path, _IDX_IMAGES)
    labels_path = images_path.with_name(images_path.name.replace("images", "labels").replace("idx3", "idx1"))
    if labels_path != images_path and labels_path.is_file():
        labels = torch.tensor(_read_idx(labels_path, _IDX_LABELS), dtype=torch.int64)
    else:
        labels = torch.zeros(len(images), dtype=torch.int64)
    if len(labels) != len(images):
        raise InvalidInputError(f"`path`: {labels_path} has {len(labels)} labels for {len(images)} images")
    inputs = torch.tensor(images, dtype=torch.float32)[:, None] / 255
    classes = tuple(str(label) for label in range(int(labels.max()) + 1 if len(labels) else 0))
    return Dataset(inputs, labels, classes, images_path.parent.name or "mnist")


def _find_images(path: Path, stems: tuple[str, ...]) -> Path:
    """The file of images that a path means."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise InvalidInputError(f"`path`: {path} does not exist; expected MNIST's folder or its file of images")
    folders = (path, path / "raw", path / "MNIST" / "raw")
    for folder, stem, joint, suffix in itertools.product(folders, stems, "-.", ("", ".gz")):
        candidate = folder / f"{stem}-images{joint}idx3-ubyte{suffix}"
        if candidate.is_file():
            return candidate
    wanted = " or ".join(f"{stem}-images-idx3-ubyte" for stem in stems)
    raise InvalidInputError(f"`path`: no {wanted} (or .gz) in {path}")


def _read_idx(path: Path, magic: int) -> np.ndarray:
    """The bytes of an IDX file as an array of its own shape."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            data = stream.read(_MOST + 1 if path.suffix == ".gz" else -1)
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidInputError(f"`path`: {path} cannot be read: {error}") from error
    if len(data) > _MOST and path.suffix == ".gz":
        raise InvalidInputError(
            f"`path`: {path} unpacks to more than {_MOST >> 30} GiB; if that is right, unpack it first"
        )
    dimensions = magic - 2048
    header = 4 + 4 * dimensions
    if len(data) < header or struct.unpack_from(">i", data)[0] != magic:
        raise InvalidInputError(f"`path`: {path} is not an IDX file of {'images' if dimensions == 3 else 'labels'}")
    shape = struct.unpack_from(f">{dimensions}i", data, 4)
    if min(shape) < 0 or len(data) != header + math.prod(shape):
        raise InvalidInputError(
            f"`path`: {path} is damaged: {len(data) - header} bytes for an array of shape {tuple(shape)}"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)
