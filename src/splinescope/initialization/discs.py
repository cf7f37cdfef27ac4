"""Discs in the plane: how much of a polygon, and of segments, is inside."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def areas_in_polygon(
    centres: Float[np.ndarray, "discs 2"], radius: float, polygon: Float[np.ndarray, "corners 2"]
) -> Float[np.ndarray, " discs"]:
    """Area of the part of each disc that lies in a polygon.

    Green's theorem around the common boundary: along each side straight inside the disc, and by circular sectors
    outside of it.

    Args:
        centres: Centres of the discs.
        radius: Their radius.
        polygon: Corners of the polygon, counter-clockwise.

    Returns:
        The areas.
    """
    start = polygon[None] - centres[:, None]
    stop = np.roll(polygon, -1, axis=0)[None] - centres[:, None]
    enter, leave = _chords(start, stop, radius)
    step = stop - start
    first, last = start + enter[..., None] * step, start + leave[..., None] * step
    sectors = _angles(start, first) + _angles(last, stop)
    area: np.ndarray = 0.5 * (_cross(first, last) + radius**2 * sectors).sum(axis=1)
    return area


def lengths_inside(
    centres: Float[np.ndarray, "discs 2"], radius: float, segments: Float[np.ndarray, "segments 2 2"]
) -> Float[np.ndarray, "discs segments"]:
    """Length of the part of each segment that lies in each disc.

    Args:
        centres: Centres of the discs.
        radius: Their radius.
        segments: Ends of the segments.

    Returns:
        The lengths.
    """
    start, stop = (segments[None, :, end] - centres[:, None] for end in (0, 1))
    enter, leave = _chords(start, stop, radius)
    lengths: np.ndarray = (leave - enter) * np.hypot(*np.moveaxis(stop - start, -1, 0))
    return lengths


def _chords(start: np.ndarray, stop: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Parameters in [0, 1] between which segments are in the disc around the origin; equal where none is."""
    step = stop - start
    square = np.einsum("...i,...i", step, step)
    with np.errstate(divide="ignore", invalid="ignore"):
        foot = np.where(square > 0, -np.einsum("...i,...i", start, step) / square, 0.0)
        away = start + foot[..., None] * step
        half = np.sqrt(np.maximum(radius**2 - np.einsum("...i,...i", away, away), 0.0) / square)
    half = np.where(square > 0, half, 0.0)
    return np.clip(foot - half, 0.0, 1.0), np.clip(foot + half, 0.0, 1.0)


def _cross(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    product: np.ndarray = one[..., 0] * two[..., 1] - one[..., 1] * two[..., 0]
    return product


def _angles(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return np.arctan2(_cross(one, two), np.einsum("...i,...i", one, two))
