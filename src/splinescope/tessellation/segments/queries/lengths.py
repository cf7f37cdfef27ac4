"""How far the outputs travel along segments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from splinescope.shown import Shown
from splinescope.tessellation.segments.batch import SegmentBatch
from splinescope.tessellation.segments.complex import SegmentComplex


@dataclass(frozen=True)
class ImageLengths(Shown):
    """Lengths of segments and of their images under the network, before its head.

    Attributes:
        segments: [S] Euclidean length in the input space (of the covered part).
        images: [S] Euclidean length of the image path in the output space.
        chords: [S] distance of the images of both ends.
        total_variation: [S, n_out] total variation of each output.
    """

    segments: Float[np.ndarray, " S"]
    images: Float[np.ndarray, " S"]
    chords: Float[np.ndarray, " S"]
    total_variation: Float[np.ndarray, "S n_out"]

    @property
    def stretch(self) -> Float[np.ndarray, " S"]:
        """Length of the image per length of the segment, the mean speed."""
        return self.images / self.segments


def image_lengths(cells: SegmentComplex | SegmentBatch) -> ImageLengths:
    r"""Exact length of the image path, $\int |\frac{d}{dt} f(a + t (b - a))|\,dt$, and the variation of each output.

    On a cell the image is a straight segment, so that the integral is the sum of the distances of the outputs at
    neighbouring vertices.

    Args:
        cells: The cells of one segment or of many.

    Returns:
        The lengths.

    Cost: linear in the number of cells and outputs.

    Example:
        From (0, 2) to (0, 1), to (1, 0), to (3, 0), which is 3 and the square root of 2:

        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Segment([-1.0, 2.0], [3.0, -2.0]))
        >>> lengths = image_lengths(cells)
        >>> lengths.images.round(6).tolist(), lengths.total_variation.tolist()
        ([4.414214], [[3.0, 2.0]])
    """
    batch = cells.batch if isinstance(cells, SegmentComplex) else cells
    starts = batch.cell_starts
    first = batch.offsets[:-1] - np.arange(len(batch))
    steps = batch.vertex_outputs[starts + 1] - batch.vertex_outputs[starts]
    last = batch.offsets[1:] - 1
    across = batch.vertex_outputs[last] - batch.vertex_outputs[batch.offsets[:-1]]
    return ImageLengths(
        batch.domain.lengths * batch.t[last],
        np.add.reduceat(np.linalg.norm(steps, axis=1), first),
        np.linalg.norm(across, axis=1),
        np.add.reduceat(np.abs(steps), first, axis=0),
    )
