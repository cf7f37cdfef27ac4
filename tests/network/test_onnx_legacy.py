"""Broadcasting by attributes, as ONNX had it before version 7 of the operator set.

What is expected is written out by hand from the standard of these versions, and compared again with the reference
implementation of ONNX at each import.
"""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from onnx.reference import ReferenceEvaluator

from splinescope.errors import InvalidInputError, SplinescopeError, UnsupportedOpError
from splinescope.network import Network, from_onnx
from splinescope.network.importers.onnx_legacy import BINARY, aligned_shape
from splinescope.network.importers.onnx_reference import reference_ops
from tests.network.agreement import onnx_model

RNG = np.random.default_rng(3)
SHAPE = (3, 4, 3)
FUNCTIONS = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}


def reals(*shape: int) -> np.ndarray:
    """Weights away from zero."""
    return (RNG.uniform(0.5, 2.0, shape) * RNG.choice([-1.0, 1.0], shape)).astype(np.float32)


def by_hand(function: Any, x: np.ndarray, c: np.ndarray, axis: int) -> np.ndarray:
    """Each number of `c` meets all numbers of `x` whose places from `axis` on are its own."""
    y = np.empty(x.shape)
    for place in itertools.product(*map(range, x.shape)):
        own = tuple(p if n > 1 else 0 for p, n in zip(place[axis:], c.shape, strict=False))
        y[place] = function(x[place], c[own] if c.ndim else c)
    return y


def read(nodes: list[onnx.NodeProto], folder: Path, constants: dict[str, np.ndarray], opset: int = 6) -> Network:
    onnx.save(onnx_model(nodes, ["N", *SHAPE], constants, opset), folder / "model.onnx")
    return from_onnx(folder / "model.onnx")


SIDES: list[tuple[tuple[int, ...], dict[str, int], int]] = [
    ((3,), {"axis": 1}, 1),
    ((4,), {"axis": 2}, 2),
    ((3,), {"axis": 3}, 3),
    ((3,), {}, 3),
    ((3, 4), {"axis": 1}, 1),
    ((4, 3), {"axis": 2}, 2),
    ((4, 3), {}, 2),
    ((3, 4, 3), {"axis": 1}, 1),
    ((1, 3), {"axis": 0}, 0),
    ((1, 3, 4), {"axis": 0}, 0),
    ((3, 1, 1), {"axis": 1}, 1),
    ((1, 4), {"axis": 1}, 1),
    ((3,), {"axis": -1}, 3),
    ((1,), {"axis": 1}, 1),
    ((1,), {}, 3),
    ((), {}, 0),
]


@pytest.mark.parametrize("opset", [1, 6])
@pytest.mark.parametrize("op", FUNCTIONS)
@pytest.mark.parametrize(("shape", "attributes", "axis"), SIDES)
def test_constant_is_broadcast_along_its_axis(
    op: str, shape: tuple[int, ...], attributes: dict[str, int], axis: int, opset: int, tmp_path: Path
) -> None:
    c = reals(*shape)
    node = helper.make_node(op, ["x", "c"], ["y"], name="n", broadcast=1, **attributes)
    network = read([node], tmp_path, {"c": c}, opset)
    x = RNG.normal(size=(1, *SHAPE))
    np.testing.assert_allclose(network(x), by_hand(FUNCTIONS[op], x, c.astype(np.float64), axis), rtol=1e-12)
    assert network.import_report.reference == "onnx reference"


@pytest.mark.parametrize("op", ["Add", "Sub"])
def test_variable_is_broadcast_along_its_axis(op: str, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["s"], axes=[2, 3], keepdims=0),
        helper.make_node("Relu", ["s"], ["r"]),
        helper.make_node(op, ["x", "r"], ["y"], name="n", broadcast=1, axis=0),
    ]
    network = read(nodes, tmp_path, {})
    x = RNG.normal(size=(2, *SHAPE))
    r = np.maximum(x.sum(axis=(2, 3)), 0.0)
    np.testing.assert_allclose(network(x), FUNCTIONS[op](x, r[:, :, None, None]), rtol=1e-12)


def test_constant_first(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["s"], axes=[2, 3], keepdims=0),
        helper.make_node("Sub", ["c", "s"], ["y"], name="n", broadcast=1, axis=0),
    ]
    c = reals(1, 3, 2)
    x = RNG.normal(size=(1, *SHAPE))
    np.testing.assert_allclose(read(nodes, tmp_path, {"c": c})(x), c - x.sum(axis=(2, 3))[:, :, None], rtol=1e-12)


@pytest.mark.parametrize("op", sorted(BINARY))
def test_constants_among_themselves(op: str, tmp_path: Path) -> None:
    """Weights that the graph computes, with any of these ops."""
    logical, compares = op in ("And", "Or", "Xor"), op in ("Equal", "Greater", "Less")
    a, b = (RNG.integers(0, 2, shape).astype(bool) if logical else np.abs(reals(*shape)) for shape in ((3, 4, 3), (3,)))
    if op == "Equal":
        a, b = (RNG.integers(0, 2, shape).astype(np.int32) for shape in ((3, 4, 3), (3,)))
    node = helper.make_node(op, ["a", "b"], ["w"], name="w", broadcast=1, axis=0)
    cast = [helper.make_node("Cast", ["w"], ["v"], to=1)] if logical or compares else []
    last = helper.make_node("Mul", ["x", "v" if cast else "w"], ["y"], name="n", broadcast=1, axis=1)
    function = {
        **FUNCTIONS, "Pow": np.power, "And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor,
        "Equal": np.equal, "Greater": np.greater, "Less": np.less,
    }[op]  # fmt: skip
    x = RNG.normal(size=(1, *SHAPE))
    network = read([node, *cast, last], tmp_path, {"a": a, "b": b})
    np.testing.assert_allclose(network(x), x * function(a, b[:, None, None]), rtol=1e-6)


@pytest.mark.parametrize("opset", [1, 6])
@pytest.mark.parametrize("slope", [(3,), (1,)])
def test_slopes_are_those_of_channels(slope: tuple[int, ...], opset: int, tmp_path: Path) -> None:
    """Even where the last axis is as long: in these versions a slope belongs to a channel."""
    s = reals(*slope)
    network = read([helper.make_node("PRelu", ["x", "s"], ["y"], name="n")], tmp_path, {"s": s}, opset)
    x = RNG.normal(size=(2, *SHAPE))
    np.testing.assert_allclose(network(x), np.where(x > 0, x, x * s[:, None, None]), rtol=1e-12)
    assert network.import_report.reference == "onnx reference"


@pytest.mark.parametrize("opset", [7, 8, 9, 16])
def test_later_slopes_are_broadcast_at_the_end(opset: int, tmp_path: Path) -> None:
    s = reals(3)
    network = read([helper.make_node("PRelu", ["x", "s"], ["y"], name="n")], tmp_path, {"s": s}, opset)
    x = RNG.normal(size=(2, *SHAPE))
    np.testing.assert_allclose(network(x), np.where(x > 0, x, x * s), rtol=1e-12)
    assert network.import_report.reference == "onnxruntime"


def test_later_slopes_that_fit_one_axis_only(tmp_path: Path) -> None:
    """Onnxruntime does not run them; the reference implementation does."""
    s = reals(4)
    network = read([helper.make_node("PRelu", ["x", "s"], ["y"], name="n")], tmp_path, {"s": s}, 9)
    x = RNG.normal(size=(2, *SHAPE))
    np.testing.assert_allclose(network(x), np.where(x > 0, x, x * s[:, None]), rtol=1e-12)
    assert network.import_report.reference == "onnx reference"


def test_convolutional_network_of_an_old_file(tmp_path: Path) -> None:
    """Bias by channel, scale by channel, slopes by channel, as files of 2017 have them."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], kernel_shape=[2, 1]),
        helper.make_node("Add", ["a", "b"], ["c"], name="bias", broadcast=1, axis=1),
        helper.make_node("Mul", ["c", "s"], ["d"], name="scale", broadcast=1, axis=1),
        helper.make_node("PRelu", ["d", "p"], ["y"], name="fold"),
    ]
    weights = {"w": reals(3, 3, 2, 1), "b": reals(3), "s": reals(3), "p": reals(3)}
    network = read(nodes, tmp_path, weights)
    x = RNG.normal(size=(3, *SHAPE))
    with torch.no_grad():
        w, b, s, p = (torch.from_numpy(weights[name]).double() for name in "wbsp")
        z = torch.nn.functional.conv2d(torch.from_numpy(x), w, b) * s.reshape(3, 1, 1)
        expected = torch.nn.functional.prelu(z, p).numpy()
    np.testing.assert_allclose(network(x), expected, rtol=1e-12)


BAD: list[tuple[str, tuple[int, ...], dict[str, int], str]] = [
    ("Add", (3,), {}, r"\(1, 3, 4, 3\) and \(3,\): expected equal shapes, since it does not say broadcast=1"),
    ("Mul", (4,), {"broadcast": 1, "axis": 1}, "expected a part of the first shape, from axis 1 on"),
    ("Mul", (4,), {"broadcast": 1}, "expected a part of the first shape, from axis 3 on"),
    ("Sub", (3, 4, 3, 2, 1), {"broadcast": 1}, "expected a part of the first shape"),
    ("Div", (3,), {"broadcast": 1, "axis": 4}, "expected a part of the first shape, from axis 4 on"),
    ("Add", (3, 4), {"broadcast": 1, "axis": -1}, "what its axis=-1 means is not defined"),
    ("PRelu", (4,), {}, "expected one slope, or one for each channel"),
    ("PRelu", (3, 1), {}, "expected one slope, or one for each channel"),
]


@pytest.mark.parametrize(("op", "shape", "attributes", "reason"), BAD)
def test_shapes_that_do_not_fit_are_refused(
    op: str, shape: tuple[int, ...], attributes: dict[str, int], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match=rf"node `n` \({op}\) of an operator set before version 7 .*{reason}"):
        read([helper.make_node(op, ["x", "c"], ["y"], name="n", **attributes)], tmp_path, {"c": reals(*shape)})


@pytest.mark.parametrize("op", ["Mul", "Pow", "Greater"])
def test_what_is_not_piecewise_affine_is_refused_as_ever(op: str, tmp_path: Path) -> None:
    names, words = (["x", "x"], {}) if op == "Mul" else (["x", "c"], {"broadcast": 1, "axis": 1})
    with pytest.raises(UnsupportedOpError, match=rf"node `n` \({op}\): it (multiplies|takes powers|jumps from 0 to 1)"):
        read([helper.make_node(op, names, ["y"], name="n", **words)], tmp_path, {"c": reals(3)})


def test_what_cannot_be_checked_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("splinescope.network.importers.reports.runners", lambda *_: iter(()))
    node = helper.make_node("Add", ["x", "c"], ["y"], name="n", broadcast=1, axis=1)
    with pytest.raises(UnsupportedOpError, match=r"node `n` \(Add\): it broadcasts as before version 7"):
        read([node], tmp_path, {"c": reals(3)})


def test_axis_that_is_ignored_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison knows what the attributes mean by itself."""
    home = importlib.import_module("splinescope.network.importers.from_onnx")
    monkeypatch.setattr(home, "aligned_shape", lambda op, node, shape, other, attributes: other)
    node = helper.make_node("Add", ["x", "c"], ["y"], name="n", broadcast=1, axis=1)
    with pytest.raises(SplinescopeError, match="the import is wrong: its outputs differ from onnx reference"):
        read([node], tmp_path, {"c": reals(3)})


@pytest.mark.parametrize(("shape", "attributes", "axis"), SIDES)
def test_reference_is_as_the_standard_says(shape: tuple[int, ...], attributes: dict[str, int], axis: int) -> None:
    c, x = reals(*shape), reals(1, *SHAPE)
    node = helper.make_node("Sub", ["x", "c"], ["y"], name="n", broadcast=1, **attributes)
    model = onnx_model([node], [1, *SHAPE], {"c": c}, 6)
    found = ReferenceEvaluator(model, new_ops=reference_ops()).run(None, {"x": x})[0]
    np.testing.assert_allclose(found, by_hand(np.subtract, x, c, axis), rtol=1e-6)


def test_aligned_shapes_of_the_standard() -> None:
    """The examples in the text of Add, version 6."""
    on = {"broadcast": 1}
    assert aligned_shape("Add", "n", (2, 3, 4, 5), (), on) == ()
    assert aligned_shape("Add", "n", (2, 3, 4, 5), (5,), on) == (5,)
    assert aligned_shape("Add", "n", (2, 3, 4, 5), (4, 5), on) == (4, 5)
    assert aligned_shape("Add", "n", (2, 3, 4, 5), (3, 4), {**on, "axis": 1}) == (3, 4, 1)
    assert aligned_shape("Add", "n", (2, 3, 4, 5), (2,), {**on, "axis": 0}) == (2, 1, 1, 1)
    assert aligned_shape("Add", "n", (2, 3), (2, 3), {}) == (2, 3)
