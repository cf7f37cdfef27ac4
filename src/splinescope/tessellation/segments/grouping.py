"""Segments of similar size together: rounding errors are estimated for all segments of a group at once."""

from __future__ import annotations

import numpy as np

from splinescope.tessellation.rounding import groups_alike
from splinescope.tessellation.segments.assembly import FinishedSegments
from splinescope.tessellation.segments.kernels.lists import chosen_entries, chosen_offsets


def groups_of(starts: np.ndarray, ends: np.ndarray) -> list[np.ndarray]:
    """Numbers of the segments of each group.

    Args:
        starts: [S, n] flat inputs at their starts.
        ends: [S, n] flat inputs at their ends.

    Returns:
        Groups of ascending numbers; usually there is only one.
    """
    return groups_alike(np.maximum(np.abs(starts).max(axis=1, initial=0.0), np.abs(ends).max(axis=1, initial=0.0)))


def terms_of(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """[*input_shape] to what inputs on segments are rounded relatively, as the largest of all; see `Domain.terms`."""
    return np.asarray(np.maximum(np.abs(starts), np.abs(ends)).max(axis=0))


def reordered(finished: FinishedSegments, order: np.ndarray) -> FinishedSegments:
    """The same segments in another order.

    Args:
        finished: The segments.
        order: [S] number of the segment that takes each place.

    Returns:
        The segments, numbered by their places.
    """
    points = chosen_entries(finished.offsets, order)
    bits = chosen_entries(finished.flip_offsets, points)
    return FinishedSegments(
        np.arange(len(order)),
        chosen_offsets(finished.offsets, order),
        finished.t[points],
        finished.outputs[points],
        tuple(words[order] for words in finished.first),
        chosen_offsets(finished.flip_offsets, points),
        finished.flip_nodes[bits],
        finished.flip_columns[bits],
    )
