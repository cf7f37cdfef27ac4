"""Animations: frames, titles, colours that hold still, files."""

from __future__ import annotations

import base64
import io
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.animation import FFMpegWriter
from PIL import Image
from torch import nn

import splinescope
from splinescope.errors import InvalidInputError, MissingDependencyError, StoreError
from splinescope.plotting import animate
from splinescope.plotting.animation import colors_over, frame_title
from splinescope.plotting.colors import CLASS_STRENGTH, class_colors, tinted
from splinescope.plotting.data import fill_cells
from splinescope.tessellation.affine import norms
from splinescope.tessellation.files import save_complex
from tests.fixtures.lazily import Lazily

SQUARE = splinescope.Slice.box([-1.0, -1.0], [1.0, 1.0])


def halves(place: float, slope: float, classes: int = 2) -> splinescope.PolyhedralComplex:
    """Two cells, on the sides of x = 0; class 1 where x > place, else class 0."""
    hidden, out = nn.Linear(2, 1).double(), nn.Linear(1, classes).double()
    with torch.no_grad():
        hidden.weight.copy_(torch.tensor([[1.0, 0.0]]))
        hidden.bias.zero_()
        out.weight.zero_()
        out.bias.fill_(-9.0)
        out.weight[1, 0] = slope
        out.bias[0], out.bias[1] = 0.0, -slope * place
    network = splinescope.from_torch(nn.Sequential(hidden, nn.ReLU(), out), (2,))
    return splinescope.tessellate(network, SQUARE)


FRAMES = Lazily({1000: lambda: halves(0.5, 10.0), 0: lambda: halves(0.25, 0.1), 20: lambda: halves(0.75, 1.0)})


def pixels(path: Path) -> list[np.ndarray]:
    """All frames of an animation as [height, width, 3] numbers from 0 to 1."""
    if path.suffix == ".gif":
        with Image.open(path) as movie:
            found = []
            for number in range(movie.n_frames):  # type: ignore[attr-defined]
                movie.seek(number)
                found.append(np.asarray(movie.convert("RGB")) / 255.0)
            return found
    texts = re.findall(r'frames\[\d+\] = "data:image/png;base64,([^"]*)"', path.read_text())
    images = [Image.open(io.BytesIO(base64.b64decode(text.replace("\\\n", "")))) for text in texts]
    return [np.asarray(image.convert("RGB")) / 255.0 for image in images]


def near(image: np.ndarray, color: Any) -> float:
    """Share of the pixels that have a colour."""
    return float((np.abs(image - np.asarray(color)[:3]).max(axis=2) < 0.02).mean())


@pytest.mark.parametrize("ending", [".gif", ".html"])
def test_frames_are_in_order_and_classes_keep_their_colours(ending: str, tmp_path: Path) -> None:
    path = animate(FRAMES, tmp_path / f"movie{ending}", "class", pause=0.0, line_width=0.0, boundary=False, dpi=60)
    images = pixels(path)
    assert len(images) == 3
    assert len({image.shape for image in images}) == 1
    zero, one = tinted(class_colors(2), CLASS_STRENGTH)
    # The axes' part of the picture is the same in all frames; class 1 has 3/8, 1/8 and 1/4 of the square.
    shares = [near(image, one) / (near(image, zero) + near(image, one)) for image in images]
    assert shares == pytest.approx([0.375, 0.125, 0.25], abs=0.02)


def test_the_last_frame_stays_on(tmp_path: Path) -> None:
    images = pixels(animate(FRAMES, tmp_path / "movie.html", fps=2, pause=1.5, dpi=40))
    assert len(images) == 6
    assert all(np.array_equal(image, images[2]) for image in images[3:])
    assert not np.array_equal(images[1], images[2])


def test_one_scale_for_all_frames() -> None:
    colors = colors_over(FRAMES)
    assert colors.scale is not None
    values = np.concatenate([norms(cells) for cells in FRAMES.values()])
    assert colors.scale.low <= values[values > 0].min() * (1 + 1e-9)
    assert colors.scale.high == pytest.approx(10.0)
    # The same norm has the same colour in all frames, and other norms have others.
    twin = colors.fills(halves(0.1, 1.0))
    mine = colors.fills(FRAMES[20])
    assert {tuple(color) for color in twin.colors} == {tuple(color) for color in mine.colors}
    bright = [colors.fills(FRAMES[step]).colors[:, :3].sum(axis=1).max() for step in (0, 20, 1000)]
    assert bright[0] < bright[1] < bright[2]


def test_colours_of_classes_and_cells() -> None:
    frames = {0: halves(0.2, 1.0, classes=5), 1: halves(2.0, 1.0, classes=5)}
    colors = colors_over(frames, "class")
    assert colors.classes == (0, 1)
    assert colors_over({1: frames[1]}, "class").classes == (0,)
    assert colors.fills(frames[1]).colors.tolist() == tinted(class_colors(5), CLASS_STRENGTH)[[0, 0]].tolist()
    cells = colors_over(FRAMES, "cells")
    for frame in FRAMES.values():
        assert np.array_equal(cells.fills(frame).colors, fill_cells(frame, "pattern").colors)


def test_title() -> None:
    assert frame_title(1000, FRAMES[1000]) == "step 1,000: 2 cells"


def test_frames_from_files(tmp_path: Path) -> None:
    saved = {step: save_complex(cells, tmp_path / f"{step}.npz") for step, cells in FRAMES.items()}
    one = animate(FRAMES, tmp_path / "a.html", "cells", dpi=40)
    other = animate({step: str(path) for step, path in saved.items()}, tmp_path / "b.html", "cells", dpi=40)
    for mine, theirs in zip(pixels(one), pixels(other), strict=True):
        assert np.array_equal(mine, theirs)


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="the program ffmpeg is not installed")
def test_mp4(tmp_path: Path) -> None:
    path = animate(FRAMES, tmp_path / "movie.mp4", dpi=40)
    assert b"ftyp" in path.read_bytes()[:16]


def test_mp4_without_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FFMpegWriter, "isAvailable", classmethod(lambda cls: False))
    with pytest.raises(MissingDependencyError, match=r"`ffmpeg`, which is not installed; install it, or write .gif"):
        animate(FRAMES, tmp_path / "movie.mp4")


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="`frames`: got none"):
        animate({}, tmp_path / "movie.gif")
    with pytest.raises(InvalidInputError, match=r"`path`: got .*movie.avi'; expected .* .gif, .mp4, .html"):
        animate(FRAMES, tmp_path / "movie.avi")
    with pytest.raises(InvalidInputError, match="`color`: got 'area'; expected one of 'norm', 'class', 'cells'"):
        animate(FRAMES, tmp_path / "movie.gif", "area")
    with pytest.raises(InvalidInputError, match="`fps`, `pause`: got 0"):
        animate(FRAMES, tmp_path / "movie.gif", fps=0)
    with pytest.raises(StoreError, match="there is no file"):
        animate({0: tmp_path / "no.npz"}, tmp_path / "movie.gif")
    network = FRAMES[0].network
    other = splinescope.tessellate(network, splinescope.Slice.box([0.0, 0.0], [1.0, 1.0]))
    with pytest.raises(InvalidInputError, match="`frames`: that of step 30 is of another slice"):
        animate({**FRAMES, 30: other}, tmp_path / "movie.gif", dpi=40)
    assert list(tmp_path.iterdir()) == []
