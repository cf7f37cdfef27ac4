"""Reads ReLU networks that are stored as bare layers: `.npz` of arrays and `.nnet` text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from splinescope.errors import InvalidInputError, StoreError
from splinescope.network.graph import Network
from splinescope.network.importers import lower_affine as affine
from splinescope.network.importers import lower_folding as folding
from splinescope.network.importers.builder import Builder
from splinescope.network.importers.finish import finish
from splinescope.network.importers.module_copy import first_line
from splinescope.network.importers.refusals import reason_for
from splinescope.network.importers.reports import Agreement
from splinescope.network.importers.views import Value, Variable
from splinescope.storage import load_archive

UNIT = float(np.finfo(np.float64).eps)


_NNET_HEADER = 7
"""Rows of an `.nnet` file before its weights."""


@dataclass(frozen=True, eq=False)
class StoredLayer:
    """A fully connected layer: its name, [out, in] matrix and [out] offset."""

    name: str
    weight: Float[np.ndarray, "..."]
    bias: Float[np.ndarray, "..."]
    kind: str = "linear"


@dataclass(frozen=True)
class Function:
    """A layer without weights, by name and kind."""

    name: str
    kind: str


Layer: TypeAlias = StoredLayer | Function


def from_npz(path: Path) -> Network:
    """Read the arrays of a network of fully connected layers.

    Either W0 [out, in], b0 [out], W1, b1, ..., with ReLU behind all layers but the last (a bias may be missing); or
    the layers of a neural implicit surface by number and kind: 0000.dense.A [in, out], 0000.dense.b, 0001.relu._, ...

    Args:
        path: An `.npz` file.

    Returns:
        The network.

    Raises:
        InvalidInputError: If the file cannot be read, or the arrays don't make a network.
        UnsupportedOpError: If a layer is not continuous piecewise affine.
    """
    try:
        arrays = load_archive(path)
    except (OSError, StoreError) as error:
        raise InvalidInputError(f"`model`: {path} cannot be read as .npz: {error}") from error
    wrong = [name for name, array in arrays.items() if name[-1:] != "_" and array.dtype.kind not in "fiub"]
    if wrong:
        raise InvalidInputError(
            f"`model`: {path} holds {wrong[0]} of type {arrays[wrong[0]].dtype}; expected real numbers"
        )
    if arrays and all(_NUMBERED.fullmatch(name) for name in arrays):
        return _perceptron(path, _numbered_layers(path, arrays))
    count = sum(name.startswith("W") and name[1:].isdigit() for name in arrays)
    if not count or not {f"W{i}" for i in range(count)} <= set(arrays):
        found = ", ".join(sorted(arrays)[:8])
        raise InvalidInputError(f"`model`: {path} has the arrays {found}; expected W0 [out, in], b0 [out], W1, b1, ...")
    layers: list[Layer] = []
    for i in range(count):
        weight = np.asarray(arrays[f"W{i}"], np.float64)
        bias = np.asarray(arrays.get(f"b{i}", np.zeros(weight.shape[:1])), np.float64)
        layers += [StoredLayer(f"layer{i}", weight, bias.reshape(-1)), Function(f"relu{i}", "relu")]
    return _perceptron(path, layers[:-1])


_NUMBERED = re.compile(r"(\d{1,9})\.(\w+)\.(A|b|_)")


def _numbered_layers(path: Path, arrays: dict[str, np.ndarray]) -> list[Layer]:
    """Layers of arrays that are named by number and kind."""
    places = sorted(
        {(int(number), name.rpartition(".")[0], kind) for name in arrays for number, kind, _ in _NUMBERED.findall(name)}
    )
    missing = [f"{name}.{part}" for _, name, kind in places if kind == "dense" for part in "Ab"]
    missing = [name for name in missing if name not in arrays]
    if missing:
        raise InvalidInputError(f"`model`: {path} has no array {missing[0]}; expected one for each dense layer")
    return [
        StoredLayer(name, np.asarray(arrays[f"{name}.A"].T, np.float64), np.asarray(arrays[f"{name}.b"], np.float64))
        if kind == "dense"
        else Function(name, kind)
        for _, name, kind in places
    ]


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
        n_in, layers = _nnet_layers(rows)
    except (OSError, UnicodeDecodeError, ValueError, OverflowError, IndexError) as error:
        raise InvalidInputError(f"`model`: {path} is not a network in .nnet format: {first_line(error)}") from error
    plain = all(mean == 0 for mean in rows[5]) and all(spread == 1 for spread in rows[6])
    notes = (
        () if plain else ("The file's means and ranges are not applied: inputs and outputs are the normalised ones.",)
    )
    return _perceptron(path, layers[:-1], notes, _range(rows, n_in))


def _nnet_layers(rows: list[list[float]]) -> tuple[int, list[Layer]]:
    """Number of inputs, and the layers with a ReLU behind each of them; raises what lists and numbers raise."""
    count, n_in = int(rows[0][0]), int(rows[0][1])
    sizes = [int(n) for n in rows[1][: count + 1]]  # files have surplus sizes
    if (len(sizes), sizes[0]) != (count + 1, n_in) or count < 1 or min(sizes) < 1:
        raise ValueError(f"it has {count} layers and the sizes {sizes[:8]}, which do not match")
    at = _NNET_HEADER
    layers: list[Layer] = []
    for number, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        weight = np.array(rows[at : at + fan_out])
        bias = np.array([row[0] for row in rows[at + fan_out : at + 2 * fan_out]])
        if (weight.shape, bias.shape) != ((fan_out, fan_in), (fan_out,)):
            raise ValueError(f"layer {number} has a matrix of shape {weight.shape}, and its sizes do not match")
        layers += [StoredLayer(f"layer{number}", weight, bias), Function(f"relu{number}", "relu")]
        at += 2 * fan_out
    return n_in, layers


def _range(rows: list[list[float]], n_in: int) -> tuple[Tensor, Tensor] | None:
    """The range of normalised inputs that an `.nnet` file states, if it is one."""
    low, high, mean, spread = (np.array(rows[line][:n_in]) for line in (3, 4, 5, 6))
    if not all(len(part) == n_in for part in (low, high, mean, spread)) or bool((spread == 0).any()):
        return None
    with np.errstate(all="ignore"):
        ends = (low - mean) / spread, (high - mean) / spread
    ordered = all(np.isfinite(end).all() for end in ends) and bool((ends[0] < ends[1]).all())
    return (_tensor(ends[0]), _tensor(ends[1])) if ordered else None


def _perceptron(
    path: Path, layers: list[Layer], notes: tuple[str, ...] = (), bounds: tuple[Tensor, Tensor] | None = None
) -> Network:
    width = None
    for layer in layers:
        if isinstance(layer, StoredLayer):
            shape, size = layer.weight.shape, layer.bias.shape
            if len(shape) != 2 or size != shape[:1] or width not in (None, shape[1]):
                raise InvalidInputError(
                    f"`model`: {path}: layer {layer.name} has a matrix of shape {shape} and a bias of shape {size}; "
                    "expected [out, in] and [out], with `in` the number of outputs of the layer before"
                )
            width = len(layer.bias)
    first = next((layer for layer in layers if isinstance(layer, StoredLayer)), None)
    if first is None:
        raise InvalidInputError(f"`model`: {path} holds no dense layer; expected a network")
    b = Builder(batched=True)
    x: Value = b.add_input((1, first.weight.shape[1]), "input")
    for layer in layers:
        b.origin, b.op = layer.name, layer.kind
        x = _applied(b, b.variable(x), layer)
    network = finish(b, x)
    with torch.no_grad():
        comparison = Agreement(network, bounds)
        with np.errstate(all="ignore"):
            outputs = _tensor(_by_numpy(layers, comparison.x.numpy()))
        if not bool(outputs.isfinite().all(dim=1).any()):
            problem = "The network overflows at every input that was tried, so that it was not compared."
            return comparison.report([], (*notes, problem), problem)
        found = comparison.deviation("numpy float64", outputs, UNIT)
    return comparison.report([found], notes)


def _applied(b: Builder, x: Variable, layer: Layer) -> Value:
    if isinstance(layer, StoredLayer):
        return affine.linear(b, x, _tensor(layer.weight), _tensor(layer.bias))
    if layer.kind == "relu":
        return folding.relu(b, x)
    if layer.kind == "squeeze_last":
        return b.reshape(x, x.shape[:-1])
    raise b.refusal(reason_for(layer.kind))


def _by_numpy(layers: list[Layer], x: np.ndarray) -> np.ndarray:
    """The network again, without any of splinescope's ops."""
    for layer in layers:
        if isinstance(layer, StoredLayer):
            x = x @ layer.weight.T + layer.bias
        elif layer.kind == "relu":
            x = np.maximum(x, 0.0)
    return x


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))
