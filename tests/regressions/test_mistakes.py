"""Data that are no data, given to the studies: one line each, and no traceback of others."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.generative import UniformBox, VolumeSampler, log_volume
from splinescope.landscape import layer_hessian, loss_line
from splinescope.preimage import ClassTarget, preimage_of
from splinescope.trajectory import align, equal_up_to_symmetry, feature_maps, loss_barrier, trajectories

torch.manual_seed(0)
NET = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3)).double()
X, Y = torch.randn(5, 2).double(), torch.randn(5, 3).double()
LABELS = torch.tensor([0, 1, 2, 0, 1])
NAN = X * float("nan")
STEP = {"0.weight": torch.ones(4, 2)}


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: layer_hessian(NET, "0", "abc", Y), "`inputs`: got"),
        (lambda: layer_hessian(NET, "0", [[1, 2], [3]], Y), "`inputs`: got"),
        (lambda: layer_hessian(NET, "0", X.to(torch.complex128), Y), "`inputs`: got"),
        (lambda: layer_hessian(NET, "0", X[:0], Y[:0]), "`inputs`: got the shape"),
        (lambda: layer_hessian(NET, "0", NAN, Y), "`inputs`: some numbers are NaN"),
        (lambda: layer_hessian(NET, "0", X, list("abcde")), "`targets`: got"),
        (lambda: layer_hessian(NET, "0", X, Y).rank(float("nan")), "`tolerance`: got nan"),
        (lambda: loss_line(NET, {"0.weight": "ab"}, X, Y), r"`direction\['0.weight'\]`: got"),
        (lambda: ClassTarget(True), "`label`: got True"),
        (lambda: align(NET, NET, X[:0]), "`data`: got the shape"),
        (lambda: align(NET, NET, NAN), "`data`: some numbers are NaN"),
        (lambda: trajectories(NET, X[:0]), "`inputs`: got the shape"),
        (lambda: feature_maps(NET, NAN), "`data`: some numbers are NaN"),
        (lambda: loss_barrier(NET, NET, X[:0], LABELS[:0]), "`targets`: got 0 for 0 inputs"),
        (lambda: loss_barrier(NET, NET, X, LABELS, points=0), "`points`: got 0"),
        (lambda: equal_up_to_symmetry(NET, NET, float("nan")), "`tolerance`: got nan"),
        (lambda: log_volume(NET, NAN), "`latents`: some numbers are NaN"),
        (lambda: log_volume(NET, torch.zeros(2, 5).double()), "`generator`: it fails for latents of shape"),
        (lambda: VolumeSampler(NET, UniformBox((0.0,), (1.0,)), pool=8).sample(2), "`generator`: it fails"),
        (lambda: VolumeSampler(NET, UniformBox((0.0, 0.0), (1.0, 1.0)), pool=8).sample(-1), "`number`: got -1"),
    ],
)
def test_refused(ask: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ask()


UNTYPED = """
import numpy as np, splinescope, torch
from torch import nn
from splinescope.generative import quality
from splinescope.landscape import layer_hessian, loss_line
from splinescope.preimage import ClassTarget, UnionTarget
net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3)).double()
x, y, step = torch.randn(5, 2).double(), torch.randn(5, 3).double(), {"0.weight": torch.ones(4, 2)}
plane, points = splinescope.Slice.box([0, 0], [1, 1]), np.arange(10.0)[:, None]
for ask in (
    lambda: layer_hessian(net, "0", x, y).eigenvalues(2.5),
    lambda: layer_hessian(net, "0", x, y).rank(-1),
    lambda: loss_line(net, [torch.ones(4, 2)], x, y),
    lambda: loss_line(net, step, x, y, interval=(0,)),
    lambda: loss_line(net, step, x, y, interval="ab"),
    lambda: ClassTarget(1.5),
    lambda: ClassTarget("a"),
    lambda: UnionTarget([3]),
    lambda: splinescope.tessellate_slices(net, plane),
    lambda: splinescope.tessellate_slices(net, None),
    lambda: quality(points, points, 2.5),
):
    try:
        ask()
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_refused_where_nobody_checks_types() -> None:
    """Tests check annotations of all calls; users' programs don't."""
    done = subprocess.run([sys.executable, "-c", UNTYPED], capture_output=True, text=True, check=True)
    told = done.stdout.splitlines()
    assert [line.split()[0] for line in told] == ["InvalidInputError"] * 11
    names = ["k", "tolerance", "direction", "interval", "interval", "label", "label", "parts"]
    names += ["domains", "domains", "neighbours"]
    assert [line.split("`")[1] for line in told] == names


def test_a_tiny_box() -> None:
    found = preimage_of(NET, ClassTarget(0), splinescope.Box([0.0, 0.0], [1e-300, 1e-300]))
    assert found.complete
    assert np.isfinite(found.volume)
