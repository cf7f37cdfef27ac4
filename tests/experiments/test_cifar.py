"""CIFAR-10 in its binary version and as arrays; damaged files and pickles are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from splinescope.errors import InvalidInputError
from splinescope.experiments import reproduce
from splinescope.experiments.shared.cifar import cifar10, has_test
from tests.network.assets import ASSETS

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)
LABELS = np.array([3, 5, 3, 0, 9, 5, 3], dtype=np.uint8)


def write_binary(path: Path, rows: slice = slice(None)) -> Path:
    """CIFAR-10's binary format: label, then the red, green and blue planes."""
    records = np.hstack([LABELS[rows, None], IMAGES[rows].transpose(0, 3, 1, 2).reshape(len(LABELS[rows]), -1)])
    path.write_bytes(records.tobytes())
    return path


def test_both_formats_agree(tmp_path: Path) -> None:
    np.savez(tmp_path / "part.npz", images=IMAGES, labels=LABELS)
    (tmp_path / "batches").mkdir()
    write_binary(tmp_path / "batches" / "data_batch_1.bin", slice(0, 4))
    write_binary(tmp_path / "batches" / "data_batch_2.bin", slice(4, None))
    write_binary(tmp_path / "batches" / "test_batch.bin", slice(0, 1))
    expected = IMAGES.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    for path in (tmp_path / "part.npz", tmp_path, tmp_path / "batches"):
        data = cifar10(path)
        assert np.array_equal(data.inputs.numpy(), expected)
        assert np.array_equal(data.labels.numpy(), LABELS)
        assert data.classes[3] == "cat"
    assert len(cifar10(tmp_path / "batches" / "test_batch.bin")) == 1
    assert not has_test(tmp_path)
    np.savez(tmp_path / "test.npz", images=IMAGES[:2], labels=LABELS[:2])
    for path, count in ((tmp_path / "batches", 1), (tmp_path, 2)):
        assert has_test(path)
        assert len(cifar10(path, "test")) == count
        assert np.array_equal(cifar10(path).labels.numpy(), LABELS)


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"`data`: .*nowhere does not exist; expected an \.npz file"):
        cifar10(tmp_path / "nowhere")
    with pytest.raises(InvalidInputError, match=r"holds 0 \.npz files and no data_batch"):
        cifar10(tmp_path)
    (tmp_path / "data_batch_1").write_bytes(b"pickle")
    with pytest.raises(InvalidInputError, match="whose pickles could run code; take the binary version"):
        cifar10(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(InvalidInputError, match="is of another format"):
        cifar10(tmp_path / "notes.txt")
    for name, arrays in {
        "shape": {"images": IMAGES[..., :1], "labels": LABELS},
        "type": {"images": IMAGES / 255, "labels": LABELS},
        "labels": {"images": IMAGES, "labels": LABELS + 8},
    }.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
        with pytest.raises(InvalidInputError, match=rf"{name}\.npz has images"):
            cifar10(tmp_path / f"{name}.npz")
    np.savez(tmp_path / "keys.npz", pictures=IMAGES)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "keys.npz").read_bytes()[:100])
    for name in ("keys", "cut"):
        with pytest.raises(InvalidInputError, match=rf"{name}\.npz cannot be read"):
            cifar10(tmp_path / f"{name}.npz")
    path = write_binary(tmp_path / "batch.bin")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InvalidInputError, match="are no records of 3073"):
        cifar10(path)


def test_too_few_images_of_the_classes(tmp_path: Path) -> None:
    np.savez(tmp_path / "part.npz", images=IMAGES[3:5], labels=LABELS[3:5])
    with pytest.raises(InvalidInputError, match="`data`: 0 images of the two classes; expected more of each"):
        reproduce("cats", "paper", out=tmp_path / "out", data=tmp_path / "part.npz")


@pytest.mark.skipif(not (ASSETS / "data").is_dir(), reason=f"no data in {ASSETS}; set SPLINESCOPE_ASSETS")
def test_real_images() -> None:
    data = cifar10(ASSETS / "data" / "cifar10_train_first4000")
    assert tuple(data.inputs.shape) == (4000, 3, 32, 32)
    assert 0.4 < float(data.inputs.mean()) < 0.55
