"""CIFAR-10 from the user's disk, as arrays or in its own binary format. Nothing is downloaded, no pickle is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from splinescope.datasets import Dataset
from splinescope.errors import InvalidInputError, StoreError
from splinescope.storage import load_archive

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_RECORD = 1 + 3 * 32 * 32
_EXPECTED = (
    "expected an .npz file with `images` [N, 32, 32, 3] uint8 and `labels` [N], a .bin file of CIFAR-10's binary "
    "version, or a folder that holds such files"
)


def cifar10(path: str | Path, part: str = "train") -> Dataset:
    """CIFAR-10, or a part of it, from the user's disk.

    Source of the data: Krizhevsky, "Learning multiple layers of features from tiny images" (2009).

    Args:
        path: An .npz file with `images` [N, 32, 32, 3] uint8 and `labels` [N] from 0 to 9; a file of the binary
            version, such as `data_batch_1.bin`; or a folder with `data_batch_*.bin` and `test_batch.bin`, with one .npz
            file, or with two of which one has "test" in its name.
        part: "train", or "test" for the test images of a folder that has them apart (see `has_test`).

    Returns:
        Images of shape [3, 32, 32] with values from 0 to 1.

    Raises:
        InvalidInputError: If there is no such file, or it is damaged or of another format.
    """
    found = _files(Path(path), part == "test")
    images, labels = zip(
        *(_read_npz(file) if file.suffix == ".npz" else _read_binary(file) for file in found), strict=True
    )
    inputs = torch.from_numpy(np.concatenate(images)).permute(0, 3, 1, 2).float() / 255
    return Dataset(inputs, torch.from_numpy(np.concatenate(labels).astype(np.int64)), CLASSES, "CIFAR-10")


def has_test(path: str | Path) -> bool:
    """Whether a path is a folder in which CIFAR-10's test images are apart."""
    return Path(path).is_dir() and bool(_apart(Path(path), test=True)) and bool(_apart(Path(path), test=False))


def _apart(folder: Path, test: bool) -> list[Path]:
    """The files of one part in a folder."""
    arrays = [path for path in sorted(folder.glob("*.npz")) if ("test" in path.stem) == test]
    return arrays if len(arrays) == 1 else sorted(folder.glob("test_batch.bin" if test else "data_batch_*.bin"))


def _files(path: Path, test: bool) -> list[Path]:
    """The files that a path means."""
    if path.is_file() and path.suffix in (".npz", ".bin"):
        return [path]
    if path.is_dir():
        arrays = sorted(path.glob("*.npz"))
        found = arrays if len(arrays) == 1 else _apart(path, test)
        if found:
            return found
        if list(path.glob("data_batch_*")):
            raise InvalidInputError(
                f"`data`: {path} holds CIFAR-10's Python version, whose pickles could run code; take the binary version"
            )
        raise InvalidInputError(f"`data`: {path} holds {len(arrays)} .npz files and no data_batch_*.bin; {_EXPECTED}")
    state = "is of another format" if path.exists() else "does not exist"
    raise InvalidInputError(f"`data`: {path} {state}; {_EXPECTED}")


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        archive = load_archive(path, {"images", "labels"})
    except (OSError, StoreError) as error:
        raise InvalidInputError(f"`data`: {path} cannot be read: {error}; {_EXPECTED}") from error
    if missing := {"images", "labels"} - archive.keys():
        raise InvalidInputError(f"`data`: {path} cannot be read: it has no `{min(missing)}`; {_EXPECTED}")
    images, labels = archive["images"], archive["labels"]
    shaped = images.ndim == 4 and images.shape[1:] == (32, 32, 3) and images.dtype == np.uint8
    labelled = labels.dtype.kind in "iu" and labels.shape == images.shape[:1] and len(labels)
    if not shaped or not labelled or labels.min() < 0 or labels.max() > 9:
        raise InvalidInputError(
            f"`data`: {path} has images {images.dtype} {images.shape} and labels {labels.dtype} {labels.shape}; "
            f"{_EXPECTED}"
        )
    return images, labels


def _read_binary(path: Path) -> tuple[np.ndarray, np.ndarray]:
    data = np.frombuffer(path.read_bytes(), np.uint8)
    if not len(data) or len(data) % _RECORD or data[::_RECORD].max() > 9:
        raise InvalidInputError(f"`data`: {path} is damaged: {len(data)} bytes are no records of {_RECORD}")
    records = data.reshape(-1, _RECORD)
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0]
