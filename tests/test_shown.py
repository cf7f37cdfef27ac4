"""Results show themselves: one line without raw arrays, a table for notebooks, a picture."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from dataclasses import dataclass, fields, is_dataclass

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.plotting import plot_domain, plot_numbers, plot_solid
from splinescope.plotting.results import _PICTURES, numbers_of
from splinescope.plotting.solids import outside
from splinescope.shown import Shown, summary
from splinescope.tessellation.boundary import class_regions
from splinescope.tessellation.statistics import cell_statistics

ARRAYS = re.compile(r"ndarray|Float\[|Int\[|Bool\[|UInt8\[|Tensor")
INSIDE = {"Node", "Explored", "Locator", "Passed", "Keys", "Stored", "IntegerRow"}
"""Dataclasses with arrays that packages name for one another, and no one gets as an answer."""


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def cells():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 9), nn.ReLU(), nn.Linear(9, 3))
    return splinescope.tessellate(net, splinescope.Slice.box([-3, -3], [3, 3]))


def public_dataclasses() -> set[type]:
    """Dataclasses that the packages offer."""
    found = set()
    for package in pkgutil.walk_packages(splinescope.__path__, "splinescope."):
        if package.ispkg and not re.search(r"experiments|cli|network|geometry|storage|workers", package.name):
            module = importlib.import_module(package.name)
            offered = (getattr(module, name, None) for name in getattr(module, "__all__", ()))
            found |= {kind for kind in offered if inspect.isclass(kind) and is_dataclass(kind)}
    return found


def test_no_result_prints_raw_arrays() -> None:
    kinds = public_dataclasses()
    assert len(kinds) > 100
    with_arrays = {kind for kind in kinds if any(ARRAYS.search(str(field.type)) for field in fields(kind))}
    assert len(with_arrays) > 60
    raw = {kind.__name__ for kind in with_arrays if not issubclass(kind, Shown)} - INSIDE
    assert raw == set()
    for kind in with_arrays & {kind for kind in kinds if issubclass(kind, Shown)}:
        assert inspect.unwrap(kind.__repr__).__code__.co_filename != "<string>", kind  # not the one of dataclasses


def test_lines_are_short(cells) -> None:
    found = [cells.linear_regions(), cells.folds(), cells.extrema(), cells.certificate, class_regions(cells)]
    for result in (cells, cells.decision_boundary(), cell_statistics(cells), cells.affine_maps(), cells.domain, *found):
        line = repr(result)
        assert line.startswith(type(result).__name__)
        assert len(line) < 300
        assert "array" not in line
        assert "\n" not in line
    assert "A=float64[" in repr(cells.affine_maps())


def test_notebooks_get_a_table_and_a_picture(cells) -> None:
    for result in (cells.decision_boundary(), cells.affine_maps()):
        page = result._repr_html_()
        assert "<table>" in page
        assert "data:image/png;base64," in page
    assert not plt.get_fignums()
    assert "<img" not in cells.certificate._repr_html_()


def test_summaries() -> None:
    assert summary(np.array([1.0, 2.5])) == "[1, 2.5]"
    assert summary(np.float32(3.0)) == "3"
    assert summary(torch.zeros(3, 4)) == "float32[3, 4]"
    assert summary({"a": 1}) == "dict of 1"
    assert summary((1, "a")) == "(1, 'a')"
    assert summary("x" * 100) == repr("x" * 57 + "...")
    assert summary(None) == "None"
    assert summary(nn.Linear(2, 3)) == "Linear(in_features=2, out_features=3, bias=True)"


def test_a_line_of_ones_own_is_kept() -> None:
    @dataclass(frozen=True)
    class Mine(Shown):
        x: np.ndarray

        def __repr__(self) -> str:
            return "mine"

    @dataclass(frozen=True)
    class Theirs(Mine):
        y: int = 0

    @dataclass(frozen=True)
    class Plain(Shown):
        x: np.ndarray

    assert repr(Mine(np.zeros(9))) == "mine"
    assert repr(Plain(np.zeros(9))) == "Plain(x=float64[9])"


def test_each_picture_is_there() -> None:
    for place in _PICTURES.values():
        module, _, name = place.partition(":")
        assert callable(getattr(importlib.import_module(f"splinescope.plotting.{module}"), name))


def test_numbers_are_drawn(cells) -> None:
    assert set(numbers_of(cells.affine_maps())) == {"norm of A", "norm of c"}
    np.testing.assert_allclose(numbers_of(cells.affine_maps())["norm of A"], cells.norms("frobenius"), rtol=1e-9)
    ax = plot_numbers({"few": [1, 1, 2], "wide": [1e-3, 1.0, 50.0], "no": [np.nan]})
    few, wide = ax.child_axes
    assert [bar.get_height() for bar in few.patches] == [2, 1]
    assert wide.get_xscale() == "log"
    assert sum(bar.get_height() for bar in wide.patches) == 3
    with pytest.raises(InvalidInputError, match="`columns`: got no numbers"):
        plot_numbers({"no": []})


def test_the_outside_of_a_solid() -> None:
    net = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    solid = splinescope.tessellate(net, splinescope.Box([-1, -1, -1], [1, 2, 1]))
    skin = outside(solid)
    assert skin.area == pytest.approx(2 * (2 * 3 + 2 * 3 + 2 * 2))
    flux = (skin.areas * (skin.centres * skin.normals).sum(axis=1)).sum() / 3
    assert flux == pytest.approx(12.0)  # normals point outwards: the divergence theorem gives the volume
    assert plot_solid(solid, color="volume", height=60).get_title() == f"{len(solid):,} cells"
    with pytest.raises(InvalidInputError, match="`color`: got 'red'"):
        plot_solid(solid, color="red")
    assert plot_domain(solid.domain).get_title() == "Box of 3 dimensions, size 12"
