"""Small pictures of a slice's anchors, for networks whose inputs are images."""

from __future__ import annotations

from math import isqrt
from string import ascii_uppercase
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from splinescope.plotting.figures import figure_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.tessellation.planar.complex import PlanarComplex

SMALLEST_SIDE = 8
"""Fewer pixels than this on a side are no picture."""


def image_shape(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Read an input shape as that of an image.

    Args:
        shape: Input shape without the batch.

    Returns:
        Channels (1 or 3), height, width; None if the shape is not plausibly an image. A flat input is one if it
        has the length of a grey or colour square of at least 8 pixels on a side.
    """
    if len(shape) == 3 and shape[0] in (1, 3):
        found = shape
    elif len(shape) == 2:
        found = (1, *shape)
    elif len(shape) == 1:
        channels = next((c for c in (1, 3) if shape[0] % c == 0 and isqrt(shape[0] // c) ** 2 * c == shape[0]), None)
        if channels is None:
            return None
        found = (channels, isqrt(shape[0] // channels), isqrt(shape[0] // channels))
    else:
        return None
    return (found[0], found[1], found[2]) if min(found[1:]) >= SMALLEST_SIDE else None


def anchor_images(cells: PlanarComplex) -> list[Float[np.ndarray, "height width 3"]]:
    """Pictures of the anchors, scaled to [0, 1] over all of them.

    Args:
        cells: The complex.

    Returns:
        One picture (red, green, blue) per anchor; none if the slice has no anchors or the inputs are not images.
    """
    shape = image_shape(tuple(cells.network.input_shape))
    anchors = cells.domain.anchors
    if shape is None or anchors is None:
        return []
    origin = np.asarray(cells.domain.origin).ravel()
    inputs = origin + np.asarray(anchors) @ np.asarray(cells.domain.basis).reshape(2, -1)
    low, high = inputs.min(), inputs.max()
    pictures = (inputs - low) / (high - low if high > low else 1.0)
    images = [np.moveaxis(picture.reshape(shape), 0, -1) for picture in pictures]
    return [np.broadcast_to(image, (*image.shape[:2], 3)) for image in images]


def draw_anchors(
    ax: Axes, anchors: Float[np.ndarray, "anchors 2"], images: list[Float[np.ndarray, "height width 3"]]
) -> None:
    """Mark the anchors within the axes, with letters and pictures beside them, these on the side away from the others.

    Letters are on the other side of an anchor than its picture; without pictures towards the middle of the anchors.

    Args:
        ax: Axes whose limits are set.
        anchors: Slice coordinates.
        images: One picture per anchor, or none.
    """
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    ax.plot(*anchors.T, "o", ms=5.5, mfc="white", mec="black", mew=1.2, zorder=6)
    limits = np.array([ax.get_xlim(), ax.get_ylim()])
    places = np.array([_free_place(anchor, anchors, limits) for anchor in anchors])
    inwards = np.sign(anchors.mean(axis=0) - anchors)
    away = np.where(np.isclose(places, anchors), inwards, anchors - places)
    _name(ax, anchors, away if images else inwards)
    box = ax.get_position()
    width, height = figure_of(ax).get_size_inches()
    side = 0.15 * min(box.width * width, box.height * height)
    for anchor, image, place in zip(anchors, images, places, strict=False):
        if (anchor < limits[:, 0]).any() or (anchor > limits[:, 1]).any():
            continue
        picture = OffsetImage(image, zoom=side * 72 / max(image.shape[:2]), interpolation="nearest")
        frame = {"boxstyle": "square,pad=0.08", "lw": 0.8, "ec": "black", "fc": "white"}
        link = {"arrowstyle": "-", "lw": 0.8, "color": "black"}
        note = AnnotationBbox(
            picture,
            anchor,
            xybox=(float(place[0]), float(place[1])),
            bboxprops=frame,
            arrowprops=link,
            zorder=7,
            pad=0.1,
        )
        note.set_in_layout(False)
        ax.add_artist(note)


def _name(ax: Axes, anchors: np.ndarray, sides: np.ndarray) -> None:
    """Letters beside several anchors, in the order in which they were given, each on a side of its anchor."""
    if len(anchors) < 2:
        return
    from matplotlib.patheffects import withStroke

    for letter, anchor, side in zip(ascii_uppercase, anchors, sides, strict=False):
        right, up = bool(side[0] >= 0), bool(side[1] >= 0)
        ax.annotate(
            letter,
            (float(anchor[0]), float(anchor[1])),
            (5 if right else -5, 4 if up else -4),
            textcoords="offset points",
            ha="left" if right else "right",
            va="bottom" if up else "top",
            fontweight="bold",
            path_effects=[withStroke(linewidth=2.0, foreground="white")],
            zorder=7,
        ).set_in_layout(False)


def _free_place(anchor: np.ndarray, anchors: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Centre of a thumbnail: of sixteen places around the anchor the one within the axes that is farthest outwards."""
    span = limits[:, 1] - limits[:, 0]
    angles = 2 * np.pi * np.arange(16) / 16
    directions = np.column_stack([np.cos(angles), np.sin(angles)])
    # A square clears the anchor by the same amount in every direction if its centre is on a larger square.
    places = anchor + 0.13 * span * directions / np.abs(directions).max(axis=1, keepdims=True)
    outside = np.maximum(limits[:, 0] + 0.095 * span - places, places - limits[:, 1] + 0.095 * span).max(axis=1) > 0
    outwards = ((anchor - anchors.mean(axis=0)) / span) @ directions.T
    return places[int(np.argmax(outwards - 1e3 * outside))]
