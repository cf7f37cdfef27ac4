"""Pictures of landscapes: what is drawn where, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from matplotlib.figure import Figure

from splinescope.errors import InvalidInputError
from splinescope.landscape import (
    LossGrid,
    LossLine,
    LossPlane,
    between,
    loss_grid,
    loss_line,
    loss_plane,
    random_plane,
    trajectory_plane,
)
from splinescope.plotting import (
    plot_landscape,
    plot_landscape_surface,
    plot_loss_line,
    plot_loss_plane,
    plot_loss_profiles,
)
from splinescope.plotting.landscape_data import contours, profile
from tests.landscape.nets import formula_net


def data() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 3, generator=generator).double(), torch.randint(2, (6,), generator=generator)


def grid(dimension: int = 2) -> LossGrid:
    module = formula_net([3, 4, 2], 0)
    plane = random_plane(module, dimension=dimension)
    axes = ([-1.0, 0.0, 2.0, 3.0], [0.0, 1.0, 5.0])[:dimension]
    return loss_grid(module, plane, "squared", data(), axes=axes)


def line() -> LossLine:
    module = formula_net([3, 4, 2], 0)
    return loss_line(module, random_plane(module, dimension=1).directions[0], *data())


def plane() -> LossPlane:
    module = formula_net([3, 4, 2], 0)
    steps = [step["0.weight"] for step in random_plane(module).directions]
    return loss_plane(module, "0", steps, *data())


def axes(**options: object) -> object:
    return Figure(figsize=(5, 4)).add_subplot(**options)


def test_contours_have_the_grids_coordinates() -> None:
    """The first axis goes to the right: nothing is transposed."""
    found = contours(grid())
    assert found.x.tolist() == [-1.0, 0.0, 2.0, 3.0]
    assert found.y.tolist() == [0.0, 1.0, 5.0]
    np.testing.assert_array_equal(found.values, grid().values)
    assert (np.diff(found.levels) > 0).all()
    ax = plot_landscape(grid(), ax=axes())
    assert ax.get_xlim() == (-1.0, 3.0)
    assert ax.get_ylim() == (0.0, 5.0)
    assert ax.get_xlabel() == "random direction 1"


def test_contours_of_an_exact_plane_and_of_holes() -> None:
    exact = plane()
    found = contours(exact, logarithmic=True)
    np.testing.assert_allclose(found.values[3, 7], exact([[found.x[3], found.y[7]]])[0])
    assert found.logarithmic
    spoiled = grid()
    spoiled.values[1, 2] = np.nan
    spoiled.values[0, 0] = np.inf
    assert np.isnan(contours(spoiled).values).sum() == 2
    plot_landscape(spoiled, ax=axes())
    spoiled.values[:] = np.nan
    with pytest.raises(InvalidInputError, match="no loss is finite"):
        contours(spoiled)
    with pytest.raises(InvalidInputError, match="got a line"):
        contours(grid(1))


def test_profiles_mark_exact_minima() -> None:
    exact = line()
    found = profile(exact)
    np.testing.assert_allclose(found.values, exact(found.t))
    assert set(exact.breakpoints) <= set(found.t)
    assert found.minima.tolist() == [list(minimum) for minimum in exact.minima]
    ax = plot_loss_profiles([exact, grid(1)], ["exact", "sampled"], ax=axes(), title="two")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["exact", "sampled"]
    with pytest.raises(InvalidInputError, match="`labels`"):
        plot_loss_profiles([exact], [], ax=axes())
    with pytest.raises(InvalidInputError, match="two dimensions"):
        plot_loss_profiles([grid()], ["grid"], ax=axes())


def test_pictures_of_lines_planes_and_surfaces() -> None:
    exact = plane()
    ax = plot_loss_plane(exact, ax=axes())
    assert ax.get_title() == f"{len(exact):,} cells, 6 samples"
    star = ax.lines[-1]
    assert (star.get_xdata()[0], star.get_ydata()[0]) == exact.global_minimum.point
    ax = plot_loss_line(line(), ax=axes())
    assert ax.get_title() == f"{len(line()):,} pieces"
    assert plot_landscape_surface(grid(), ax=axes(projection="3d"), title="surface").get_title() == "surface"
    assert plot_landscape_surface(grid(), logarithmic=True).get_zlabel() == "$\\log_{10}$ loss"
    pyplot.close("all")
    with pytest.raises(InvalidInputError, match="flat axes"):
        plot_landscape_surface(grid(), ax=axes())


def test_networks_that_the_plane_was_made_of_are_marked() -> None:
    nets = [formula_net([3, 4, 2], seed) for seed in range(5)]
    for made, marks in ((trajectory_plane(nets), 3), (between(*nets[:3]), 3)):
        values = loss_grid(nets[0], made, "squared", data(), axes=[-1.0, 0.0, 1.0])
        ax = plot_landscape(values, ax=axes())
        assert len(ax.lines) == marks
