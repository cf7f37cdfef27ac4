"""`load` for each kind of file, and what it says about files that it cannot read."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.network import load


class Convolutional(nn.Module):
    """A net for exported programs."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2))
        self.classes = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classes(self.features(x).flatten(1))


def exported(folder: Path, batch: int, dynamic: bool) -> tuple[nn.Module, Path]:
    """A module and the file of its program."""
    module, path = Convolutional().eval(), folder / "model.pt2"
    shapes = {"x": {0: torch.export.Dim("batch")}} if dynamic else None
    torch.export.save(torch.export.export(module, (torch.zeros(batch, 1, 6, 6),), dynamic_shapes=shapes), path)
    return module, path


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize(("batch", "dynamic"), [(1, False), (3, True)])
def test_exported_program(batch: int, dynamic: bool, tmp_path: Path) -> None:
    module, path = exported(tmp_path, batch, dynamic)
    network = load(path, trust=True)
    x = torch.randn(5, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(x), module(x).detach().double(), rtol=1e-5, atol=1e-6)
    assert network.input_shape == (1, 6, 6)
    assert network.num_units == 2 * 16 + 8
    assert network.import_report.max_relative < 1e-5


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_exported_program_for_another_batch(tmp_path: Path) -> None:
    _, path = exported(tmp_path, 4, False)
    with pytest.raises(
        InvalidInputError, match="exported for batches of 4; export it with a batch of 1 or a dynamic one"
    ):
        load(path, trust=True)


def test_arrays_of_a_relu_network(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    w0, b0, w1 = rng.normal(size=(4, 2)), rng.normal(size=4), rng.normal(size=(3, 4))
    np.savez(tmp_path / "net.npz", W0=w0, b0=b0, W1=w1)
    network = load(str(tmp_path / "net.npz"))
    x = rng.normal(size=(6, 2))
    np.testing.assert_allclose(network(x), np.maximum(x @ w0.T + b0, 0) @ w1.T, rtol=1e-13)
    assert (network.num_units, network.import_report.reference) == (4, "numpy float64")


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"weights": np.ones(3)}, r"has the arrays weights; expected W0 \[out, in\]"),
        ({"W0": np.ones((2, 3)), "W2": np.ones((2, 2))}, "has the arrays W0, W2; expected W0"),
        ({"W0": np.ones((2, 3)), "W1": np.ones((2, 3))}, r"layer layer1 has a matrix of shape \(2, 3\)"),
        ({"W0": np.ones((2, 3)), "b0": np.ones(3)}, r"a bias of shape \(3,\)"),
        ({"W0": np.ones(3)}, r"a matrix of shape \(3,\)"),
        ({"W0": np.full((2, 3), np.nan)}, "node `layer0` .linear. has 6 weights that are NaN or infinite"),
        ({}, "expected W0"),
    ],
)
def test_arrays_that_are_no_network(arrays: dict[str, np.ndarray], reason: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", **arrays)
    with pytest.raises(InvalidInputError, match=reason):
        load(tmp_path / "net.npz")


def test_numbered_layers(tmp_path: Path) -> None:
    rng, none = np.random.default_rng(0), np.zeros(0)
    weights = {"0000.dense.A": rng.normal(size=(3, 4)), "0000.dense.b": rng.normal(size=4)}
    weights |= {"0002.dense.A": rng.normal(size=(4, 1)), "0002.dense.b": rng.normal(size=1)}
    np.savez(tmp_path / "sdf.npz", **weights, **{"0001.relu._": none, "0003.squeeze_last._": none})
    network = load(tmp_path / "sdf.npz")
    assert (network.input_shape, network.output_shape, network.num_units) == ((3,), (), 4)
    np.savez(tmp_path / "sdf.npz", **weights, **{"0001.elu._": none})
    with pytest.raises(UnsupportedOpError, match=r"node `0001.elu` \(elu\): it is smooth and curved"):
        load(tmp_path / "sdf.npz")


NNET = """// a comment
2,2,1,3,
2,3,1,
0,
-1.0,-1.0,
1.0,1.0,
{mean},0.0,0.0,
1.0,1.0,1.0,
1.0,2.0,
-1.0,0.5,
0.0,1.0,
0.5,
-0.5,
0.0,
1.0,1.0,-2.0,
0.25,
"""


def test_nnet(tmp_path: Path) -> None:
    path = tmp_path / "net.nnet"
    path.write_text(NNET.format(mean="0.0"), encoding="utf-8")
    network = load(path)
    x = np.array([[1.0, -1.0]])
    hidden = np.maximum([1 - 2 + 0.5, -1 - 0.5 - 0.5, -1.0], 0)
    np.testing.assert_allclose(network(x), [[hidden @ [1, 1, -2] + 0.25]])
    assert network.import_report.notes == ()
    path.write_text(NNET.format(mean="3.0"), encoding="utf-8")
    assert "means and ranges are not applied" in load(path).import_report.notes[0]
    surplus = NNET.format(mean="0.0").replace("2,3,1,", "2,3,1,7,", 1)
    path.write_text(surplus, encoding="utf-8")
    np.testing.assert_array_equal(load(path)(x), network(x))
    path.write_text("2,2,1,3,\n2,3,\n", encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"is not a network in \.nnet format"):
        load(path)


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, ("1/0",))


def test_weights_alone_are_explained_and_never_run(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 3).state_dict(), tmp_path / "weights.pth")
    with pytest.raises(
        InvalidInputError, match=r"holds weights \(2 entries\), without the code that uses them; .* pass the module\n"
    ) as caught:
        load(tmp_path / "weights.pth")
    assert "module.load_state_dict(torch.load('weights.pth', weights_only=True))" in caught.value.__notes__[0]
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(InvalidInputError, match=r"evil\.pt is a pickle that may run code, and is not opened"):
        load(tmp_path / "evil.pt")
    (tmp_path / "text.ckpt").write_text("nothing", encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"`model`: .*text\.ckpt"):
        load(tmp_path / "text.ckpt")


def test_archive_whose_names_are_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("é", b"")
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xff"))
    with pytest.raises(InvalidInputError, match=r"weights\.pt"):
        load(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"there is no file .*missing\.onnx; expected a path of type \.onnx"):
        load(tmp_path / "missing.onnx")
    for name in ("model.h5", "model.pt2", "model.npz", "model.nnet"):
        (tmp_path / name).write_bytes(b"\xff\xfe nonsense")
        with pytest.raises(InvalidInputError, match=f"`model`: .*{name}"):
            load(tmp_path / name)
