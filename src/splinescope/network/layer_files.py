"""Reads ReLU networks that are stored as bare layers: `.npz` of arrays and `.nnet` text."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.network import lower_affine as affine
from splinescope.network import lower_folding as folding
from splinescope.network.builder import Builder
from splinescope.network.finish import finish
from splinescope.network.graph import Network
from splinescope.network.values import Variable


def from_npz(path: Path) -> Network:
    """Read the arrays W0 [out, in], b0 [out], W1, b1, ... of a ReLU network: ReLU follows all layers but the last.

    Args:
        path: An `.npz` file; a bias may be missing.

    Returns:
        The network.

    Raises:
        InvalidInputError: If the file cannot be read, or the arrays don't make a network.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise InvalidInputError(f"`model`: {path} cannot be read as .npz: {error}") from error
    count = sum(name.startswith("W") and name[1:].isdigit() for name in arrays)
    expected = {f"W{i}" for i in range(count)}
    if not count or not expected <= set(arrays):
        found = ", ".join(sorted(arrays)[:8])
        raise InvalidInputError(f"`model`: {path} has the arrays {found}; expected W0 [out, in], b0 [out], W1, b1, ...")
    layers = []
    for i in range(count):
        weight = np.asarray(arrays[f"W{i}"], np.float64)
        bias = np.asarray(arrays.get(f"b{i}", np.zeros(weight.shape[:1])), np.float64)
        layers.append((weight, bias.reshape(-1)))
    return _perceptron(path, layers)


def from_nnet(path: Path) -> Network:
    """Read the text format `.nnet` of collision-avoidance networks.

    The network takes normalised inputs: the file's ranges and means are not applied.

    Args:
        path: The file.

    Returns:
        The network.

    Raises:
        InvalidInputError: If the file is not of this format.
    """
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("//")]
        rows = [[float(word) for word in line.replace(",", " ").split()] for line in lines]
        count, n_in = int(rows[0][0]), int(rows[0][1])
        sizes = [int(n) for n in rows[1]]
        assert len(sizes) == count + 1 and sizes[0] == n_in
        at, layers = 7, []
        for fan_out, fan_in in zip(sizes[1:], sizes[:-1], strict=True):
            weight = np.array(rows[at : at + fan_out])
            bias = np.array([row[0] for row in rows[at + fan_out : at + 2 * fan_out]])
            assert weight.shape == (fan_out, fan_in) and bias.shape == (fan_out,)
            layers.append((weight, bias))
            at += 2 * fan_out
    except (OSError, UnicodeDecodeError, ValueError, IndexError, AssertionError) as error:
        raise InvalidInputError(f"`model`: {path} is not a network in .nnet format: {error or 'sizes do not match'}") from error
    return _perceptron(path, layers)


def _perceptron(path: Path, layers: list[tuple[Float[np.ndarray, "out in"], Float[np.ndarray, " out"]]]) -> Network:
    for i, (weight, bias) in enumerate(layers):
        if weight.ndim != 2 or bias.shape != weight.shape[:1] or (i and weight.shape[1] != len(layers[i - 1][1])):
            raise InvalidInputError(
                f"`model`: {path}: layer {i} has a matrix of shape {weight.shape} and a bias of shape {bias.shape}; "
                "expected [out, in] and [out], with `in` the number of outputs of the layer before"
            )
    b = Builder(batched=True)
    x: Variable = b.add_input((1, layers[0][0].shape[1]), "input")
    for i, (weight, bias) in enumerate(layers):
        b.origin, b.op = f"layer{i}", "linear"
        x = affine.linear(b, x, _tensor(weight), _tensor(bias))
        if i + 1 < len(layers):
            b.origin, b.op = f"relu{i}", "relu"
            x = folding.relu(b, x)
    return finish(b, x)


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))
