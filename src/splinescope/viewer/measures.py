"""Numbers of cells as whole numbers of few bits, and how well these tell them."""

from __future__ import annotations

from typing import Any

import numpy as np

from splinescope.plotting.colors import ColorScale, scale_of
from splinescope.viewer.packing import Packer

LEVELS = 65534
"""The largest whole number of a measure in 16 bits."""


def add_measure(packer: Packer, key: str, values: np.ndarray, label: str, weights: np.ndarray) -> dict[str, Any]:
    """Append numbers of all cells in 16 bits; see `measure_of`.

    Args:
        packer: Where to.
        key: What the page calls them.
        values: [F] the numbers.
        label: What they are, with units.
        weights: [F] how much of the picture each colours.

    Returns:
        How they are stored, and the scale of their colours.
    """
    stored, record = measure_of(key, values, label, weights)
    packer.add(f"measure.{key}", stored, 2)
    return record


def measure_of(
    key: str, values: np.ndarray, label: str, weights: np.ndarray, levels: int = LEVELS
) -> tuple[np.ndarray, dict[str, Any]]:
    """Numbers of all cells as whole numbers: exactly if they are whole and few, else evenly between two ends.

    Ends are those of the logarithms where these spread better; the lowest whole number then stands for zero, if there
    is one. A number is off by at most half of a step, (most - least) / levels, of itself or of its logarithm.

    Args:
        key: What the page calls them.
        values: [F] the numbers.
        label: What they are, with units.
        weights: [F] how much of the picture each colours.
        levels: The largest whole number; one more stands for no number.

    Returns:
        The whole numbers; and how they are stored, and the scale of their colours.
    """
    finite = np.isfinite(values)
    positive = finite & (values > 0)
    with np.errstate(over="ignore"):
        scale: ColorScale = scale_of(values, label, weights=weights)
    exact = bool(finite.any()) and _few(values[finite], levels)
    spread = bool(scale.logarithmic and positive.any() and (values[finite] >= 0).all())
    logarithmic = spread and not exact
    zeros = logarithmic and bool((finite & ~positive).any())
    usable = positive if logarithmic else finite
    kept = np.log(values[usable]) if logarithmic else values[usable]
    low, high = (float(kept.min()), float(kept.max())) if len(kept) else (0.0, 1.0)
    if exact:
        high = low + levels
    elif zeros:
        low -= (high - low) / (levels - 1) or 1.0  # one step below: the place of zero
    stored = np.where(finite, 0, levels + 1).astype(np.uint64)
    extent = max(high / 2 - low / 2, np.finfo(float).tiny)  # of halves, as the whole may be infinite
    stored[usable] = np.rint(np.clip((kept / 2 - low / 2) / extent, 0, 1) * levels).astype(np.uint64)
    return stored, {
        "key": key,
        "label": label,
        "stored_as_logarithms": logarithmic,
        "least": low,
        "most": high,
        "levels": levels,
        "logarithmic": spread,
        "exact": exact,
        "zeros": zeros,
        "missing": not bool(finite.all()),
        "low": scale.low,
        "high": scale.high,
        "positive": bool((positive == finite).all()),
    }


def _few(values: np.ndarray, levels: int) -> bool:
    """Whether numbers are whole and within so many steps of each other."""
    low, high = float(values.min()), float(values.max())
    whole = max(abs(low), abs(high)) < 2.0**53 and high - low <= levels
    return bool(whole and (values == np.rint(values)).all())
