"""Targets, and files of VNN-LIB."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from splinescope.errors import InvalidInputError
from splinescope.preimage import (
    BoxTarget,
    ClassTarget,
    PointTarget,
    PolytopeTarget,
    UnionTarget,
    preimage_of,
    read_vnnlib,
)
from tests.preimage.nets import cube, formula, network

HEAD = """(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real) ; an output
(declare-const Y_1 Real)
"""
BOUNDS = "(assert (<= X_0 1))(assert (>= X_0 -1.0))(assert (<= X_1 0.5))(assert (>= X_1 0.25))\n"


@pytest.mark.parametrize("smallest", [False, True])
def test_classes_are_those_of_argmax(smallest: bool) -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.standard_normal((200, 4)), rng.integers(0, 2, (200, 4)).astype(float)])
    winner = (values.argmin if smallest else values.argmax)(axis=1)
    for label in range(4):
        assert (ClassTarget(label, smallest).contains(values) == (winner == label)).all()
    one = np.array([[-1.0], [0.0], [2.0]])
    assert [ClassTarget(k).contains(one).tolist() for k in (0, 1)] == [[True, True, False], [False, False, True]]


def test_margins_boxes_points_and_unions() -> None:
    values = np.array([[1.0, 0.0], [0.3, 0.0], [0.0, 0.0]])
    assert ClassTarget(0, margin=0.5).contains(values).tolist() == [True, False, False]
    assert BoxTarget([0.3, -np.inf], [np.inf, 0.0]).contains(values).tolist() == [True, True, False]
    assert PointTarget([0.3, 0.0]).contains(values).tolist() == [False, True, False]
    both = UnionTarget([PointTarget([0.0, 0.0]), PolytopeTarget([[-1.0, 0.0]], [-0.5])])
    assert both.contains(values).tolist() == [True, False, True]


def test_targets_that_do_not_fit() -> None:
    net = network(formula([2, 3, 2], 0))
    for target, match in (
        (ClassTarget(2), "got class 2; the network has 2"),
        (PolytopeTarget(np.eye(3), np.zeros(3)), "its `C` is of 3 outputs; the network has 2"),
        (PointTarget([1.0]), "of 1 outputs"),
    ):
        with pytest.raises(InvalidInputError, match=match):
            preimage_of(net, target, cube(2))
    with pytest.raises(InvalidInputError, match="at least one set"):
        UnionTarget([])
    with pytest.raises(InvalidInputError, match="low <= high"):
        BoxTarget([1.0], [0.0])


def write(path: Path, text: str) -> Path:
    path.write_text(HEAD + BOUNDS + text)
    return path


def test_a_specification(tmp_path: Path) -> None:
    text = "(assert (or (and (<= Y_0 Y_1) (>= Y_0 2)) (and (<= (+ Y_0 (* 2 Y_1)) (- 3)))))"
    (one,) = read_vnnlib(write(tmp_path / "a.vnnlib", text))
    assert (one.low.tolist(), one.high.tolist(), one.outputs) == ([-1.0, 0.25], [1.0, 0.5], 2)
    values = np.random.default_rng(0).uniform(-4, 4, (500, 2))
    y0, y1 = values.T
    assert (one.target.contains(values) == (((y0 <= y1) & (y0 >= 2)) | (y0 + 2 * y1 <= -3))).all()
    packed = tmp_path / "a.vnnlib.gz"
    packed.write_bytes(gzip.compress((tmp_path / "a.vnnlib").read_bytes()))
    assert read_vnnlib(packed)[0].low.tolist() == [-1.0, 0.25]


def test_several_boxes(tmp_path: Path) -> None:
    found = read_vnnlib(write(tmp_path / "a.vnnlib", "(assert (or (<= X_0 0) (>= X_0 0.5)))(assert (<= Y_0 0))"))
    assert [(one.low[0], one.high[0]) for one in found] == [(-1.0, 0.0), (0.5, 1.0)]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("(assert (<= (* Y_0 Y_1) 0))", r"\(\* Y_0 Y_1\) is not understood"),
        ("(assert (<= X_0 Y_1))", "joins X_0, Y_1"),
        ("(assert (not (<= Y_0 0)))", "is not understood"),
        ("(assert (<= Y_2 0))", "'Y_2' was not declared"),
        ("(check-sat)", r"\(check-sat\) is not understood"),
        ("(assert (<= Y_0 0)", "ends within a parenthesis"),
        ("(assert (<= Y_0 0)))", "closes that was not opened"),
        ("(assert (<= X_0 -2))", "box of inputs is empty"),
        ("(declare-const Y_3 Real)", "got Y_3; expected X_0"),
    ],
)
def test_what_is_not_understood_is_said(text: str, match: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=match):
        read_vnnlib(write(tmp_path / "a.vnnlib", text))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be read: No such file"):
        read_vnnlib(tmp_path / "none.vnnlib")
    (tmp_path / "bad.vnnlib.gz").write_bytes(b"\x1f\x8bno")
    with pytest.raises(InvalidInputError, match="damaged"):
        read_vnnlib(tmp_path / "bad.vnnlib.gz")
    (tmp_path / "open.vnnlib").write_text(HEAD + "(assert (<= X_0 1))")
    with pytest.raises(InvalidInputError, match="X_0 has no bounds on both sides"):
        read_vnnlib(tmp_path / "open.vnnlib")
