"""The cells of segments as a file of plain arrays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from splinescope.errors import InvalidInputError
from splinescope.storage import write_arrays
from splinescope.tessellation.segments.batch import SegmentBatch
from splinescope.tessellation.segments.classes import class_intervals
from splinescope.tessellation.segments.complex import SegmentComplex

MOST_CLASSES = 1000
"""Outputs beyond which comparing them all is no classification."""


def save_segments(cells: SegmentComplex | SegmentBatch, path: str | os.PathLike[str]) -> Path:
    """Write the cells of segments as an .npz file of plain arrays, which `numpy.load` reads.

    The arrays are those of `SegmentBatch`: `starts`, `ends`, `offsets`, `t`, `vertex_outputs`, `flip_offsets`,
    `flip_op`, `flip_unit`, `truncated`; and, for outputs in a vector of at most 1,000, the rows of `ClassIntervals` as
    `class_offsets`, `class_start`, `class_stop` and `classes`.

    Args:
        cells: The cells of one segment or of many.
        path: File to write; it appears whole or not at all.

    Returns:
        The path.

    Raises:
        InvalidInputError: If the ending is not .npz, or the folder does not exist.
    """
    batch = cells.batch if isinstance(cells, SegmentComplex) else cells
    target = Path(path)
    if target.suffix != ".npz":
        raise InvalidInputError(f"`path`: got {str(path)!r}; expected a file that ends in .npz")
    arrays: dict[str, Any] = {
        "starts": batch.domain.starts,
        "ends": batch.domain.ends,
        "offsets": batch.offsets,
        "t": batch.t,
        "vertex_outputs": batch.vertex_outputs,
        "flip_offsets": batch.flip_offsets,
        "flip_op": batch.flip_op,
        "flip_unit": batch.flip_unit,
        "truncated": batch.truncated,
    }
    if competes(batch):
        found = class_intervals(batch)
        rows = {"offsets": found.offsets, "start": found.start, "stop": found.stop}
        arrays |= {f"class_{name}": array for name, array in rows.items()} | {"classes": found.classes}
    return write_arrays(target, arrays)


def competes(cells: SegmentComplex | SegmentBatch) -> bool:
    """Whether the largest output means something: outputs in a vector of at most 1,000.

    Args:
        cells: The cells of one segment or of many.

    Returns:
        Whether they are classes.
    """
    return len(cells.network.output_shape) <= 1 and cells.vertex_outputs.shape[1] <= MOST_CLASSES
