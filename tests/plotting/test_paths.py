"""Pictures of paths: what is drawn where, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.paths.profiles import path_profile, points_along
from splinescope.plotting.figures import ACCENT
from splinescope.plotting.paths import plot_loss_profile, plot_path_strip


def notch() -> splinescope.Network:
    """|x| - 1/2 + y, whose class 1 is where that is positive."""
    net = torch.nn.Sequential(torch.nn.Linear(2, 4, bias=False), torch.nn.ReLU(), torch.nn.Linear(4, 1)).double()
    with torch.no_grad():
        net[0].weight[:] = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        net[2].weight[:] = torch.tensor([[1.0, 1.0, 1.0, -1.0]])
        net[2].bias[:] = -0.5
    return splinescope.load(net)


def axes() -> object:
    return Figure(figsize=(5, 2)).subplots()


def test_profile_of_a_polyline_is_exact() -> None:
    network = notch()
    corners = np.array([[-2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [2.0, 0.0]])
    profile = path_profile(network, corners, 1)
    np.testing.assert_allclose(profile.pivots, [0.0, 0.5, 1.0])
    assert profile.margin.min() == pytest.approx(0.5)  # above the notch, at the middle corner
    at, value = profile.highest
    assert at == pytest.approx(0.5)
    assert value == pytest.approx(np.log1p(np.exp(-0.5)))
    dense = points_along(corners, 2001)
    loss = np.log1p(np.exp(-network(dense)[:, 0]))
    assert loss.max() <= value + 1e-12
    # Convex between breakpoints: the broken line through the exact values lies above.
    assert (np.interp(np.linspace(0, 1, 2001), profile.position, profile.loss) >= loss - 1e-12).all()
    seen = path_profile(network, corners, 1, samples=2001)
    assert (profile.exact, seen.exact) == (True, False)
    np.testing.assert_allclose(seen.loss, loss, atol=1e-12)
    np.testing.assert_allclose(seen.margin, network(dense)[:, 0], atol=1e-12)
    with pytest.raises(InvalidInputError, match="expected at least two different points"):
        path_profile(network, corners[:2], 1)
    with pytest.raises(InvalidInputError, match=r"`points`: got shape \(2,\)"):
        path_profile(network, corners[0], 1)


def test_points_along_a_polyline() -> None:
    corners = np.array([[0.0, 0.0], [0.0, 0.0], [3.0, 0.0], [3.0, 1.0]])
    np.testing.assert_allclose(points_along(corners, 5), [[0, 0], [1, 0], [2, 0], [3, 0], [3, 1]], atol=1e-12)


def test_wrong_images_are_framed_and_named() -> None:
    shares = np.array([[0.9, 0.1, 0.0], [0.2, 0.1, 0.7], [0.6, 0.3, 0.1]])
    ax = plot_path_strip(np.zeros((3, 1, 8, 8)), shares, 0, ("cat", "dog", "frog"), np.array([0, 0.5, 1]), axes())
    frames, bars = ax.child_axes[0::2], ax.child_axes[1::2]
    red = [frame.spines["top"].get_edgecolor() == to_rgba(ACCENT) for frame in frames]
    assert red == [False, True, False]
    assert [frame.get_title() for frame in frames] == ["", "frog", ""]
    assert [panel.get_xlabel() for panel in bars] == ["0.00", "0.50", "1.00"]
    for panel, row in zip(bars, shares, strict=True):
        np.testing.assert_allclose([patch.get_height() for patch in panel.patches], row)
        assert [patch.get_facecolor() == to_rgba(ACCENT) for patch in panel.patches] == [True, False, False]


def test_images_of_all_kinds() -> None:
    shares = np.full((2, 2), 0.5)
    colour = np.random.default_rng(0).random((2, 3, 9, 7))
    picture = plot_path_strip(colour, shares, 1, ax=axes()).child_axes[0].images[0].get_array()
    np.testing.assert_allclose(np.asarray(picture), np.moveaxis(colour[0], 0, -1))
    for grey in (colour[:, :1], colour[:, 0]):
        picture = plot_path_strip(grey, shares, 1, ax=axes()).child_axes[0].images[0].get_array()
        np.testing.assert_allclose(np.asarray(picture), colour[0, 0])
    with pytest.raises(InvalidInputError, match=r"`images`: got shape \(2, 2, 9, 7\)"):
        plot_path_strip(colour[:, :2], shares, 1)
    with pytest.raises(InvalidInputError, match=r"`probabilities`: got shape \(2, 2\) for 2 images and class 2"):
        plot_path_strip(colour, shares, 2)


def test_losses_of_two_paths() -> None:
    network = notch()
    straight = path_profile(network, np.array([[-2.0, 0.0], [2.0, 0.0]]), 1)
    bent = path_profile(network, np.array([[-2.0, 0.0], [0.0, 1.0], [2.0, 0.0]]), 1)
    ax = plot_loss_profile([straight, bent], ["straight", "bent"], axes())
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[:2] == ["straight: max. 0.974", "bent: max. 0.474"]
    assert labels[2:] == ["another class leads", "log 2: below, the class leads"]
    curve = next(line for line in ax.lines if len(line.get_xdata()) == len(straight.position))
    np.testing.assert_allclose(curve.get_ydata(), straight.loss)
    seen = path_profile(network, np.array([[-2.0, 0.0], [2.0, 0.0]]), 1, samples=9)
    ax = plot_loss_profile([seen], ["straight"], axes())
    assert ax.get_legend().get_texts()[0].get_text() == "straight: max. at least 0.974"
    with pytest.raises(InvalidInputError, match="`labels`: got 1 for 2 profiles"):
        plot_loss_profile([straight, bent], ["straight"])
