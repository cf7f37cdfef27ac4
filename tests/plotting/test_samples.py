"""Sheets of what generators make."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from splinescope.errors import InvalidInputError
from splinescope.plotting import plot_samples
from splinescope.plotting.samples import MOST, sample_kind


def test_images_lie_side_by_side_on_one_scale() -> None:
    images = np.arange(6.0)[:, None] * np.ones(64)
    ax = plot_samples(images, columns=3)
    sheet = ax.images[0].get_array()
    assert sheet.shape == (2 * 9 - 1, 3 * 9 - 1, 3)
    np.testing.assert_allclose(sheet[0, [0, 9, 18], 0], [0.0, 0.2, 0.4])
    np.testing.assert_allclose(sheet[9, [0, 9, 18], 0], [0.6, 0.8, 1.0])
    assert (sheet[8] == 1).all()
    colour = plot_samples(np.random.default_rng(0).random((4, 3, 16, 32)))
    assert colour.images[0].get_array().shape[2] == 3
    plt.close("all")


def test_outlines_and_points() -> None:
    angles = np.linspace(0, 2 * np.pi, 30)
    outlines = np.stack([np.cos(angles), 0.3 * np.sin(angles)], axis=1)[None] * np.ones((MOST + 5, 1, 1))
    assert len(plot_samples(outlines).patches) == MOST
    assert len(plot_samples(np.zeros((50, 2))).collections[0].get_offsets()) == 50
    plt.close("all")


def test_what_cannot_be_shown() -> None:
    assert sample_kind((5,)) is None
    assert sample_kind((64, 2)) == "outlines"
    for outputs in (np.zeros((3, 5)), np.zeros((0, 64)), np.zeros(4)):
        with pytest.raises(InvalidInputError, match="images"):
            plot_samples(outputs)
