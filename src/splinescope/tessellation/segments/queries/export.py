"""The cells of segments as a file, with what NumPy alone is asked of them."""

from __future__ import annotations

import os
from pathlib import Path

from splinescope.errors import InvalidInputError
from splinescope.storage import write_arrays
from splinescope.tessellation.files import stored_form
from splinescope.tessellation.segments.batch import SegmentBatch
from splinescope.tessellation.segments.complex import SegmentComplex
from splinescope.tessellation.segments.queries.classes import class_intervals

MOST_CLASSES = 1000
"""Outputs beyond which comparing them all is no classification."""


def save_segments(cells: SegmentComplex | SegmentBatch, path: str | os.PathLike[str]) -> Path:
    """Write the cells of segments as an .npz file for `numpy.load`; `splinescope.open` reads it as a batch, too.

    The arrays are those of `SegmentBatch`: `starts`, `ends`, `offsets`, `t`, `vertex_outputs`, `flip_offsets`,
    `flip_op`, `flip_unit`, `truncated`; and, for outputs in a vector of at most 1,000, the rows of `ClassIntervals` as
    `class_offsets`, `class_start`, `class_stop` and `classes`. Beside them is what `cells.save` writes.

    Args:
        cells: The cells of one segment or of many.
        path: File to write; it appears whole or not at all.

    Returns:
        The path.

    Raises:
        InvalidInputError: If the ending is not .npz, or the folder does not exist.

    Cost: the size of the arrays, which are not compressed, and that of `class_intervals`.

    Example:
        >>> import numpy as np
        >>> from tempfile import TemporaryDirectory
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Segment([-1.0, 2.0], [3.0, -2.0]))
        >>> with TemporaryDirectory() as folder:
        ...     path = save_segments(cells, f"{folder}/cells.npz")
        ...     np.load(path)["t"].tolist()
        [0.0, 0.25, 0.5, 1.0]
    """
    batch = cells.batch if isinstance(cells, SegmentComplex) else cells
    target = Path(path)
    if target.suffix != ".npz":
        raise InvalidInputError(f"`path`: got {str(path)!r}; expected a file that ends in .npz")
    arrays, record = stored_form(batch)
    arrays |= {"starts": batch.domain.starts, "ends": batch.domain.ends}
    if competes(batch):
        found = class_intervals(batch)
        rows = {"offsets": found.offsets, "start": found.start, "stop": found.stop}
        arrays |= {f"class_{name}": array for name, array in rows.items()} | {"classes": found.classes}
    return write_arrays(target, arrays, record)


def competes(cells: SegmentComplex | SegmentBatch) -> bool:
    """Whether the largest output means something: outputs in a vector of at most 1,000.

    Args:
        cells: The cells of one segment or of many.

    Returns:
        Whether they are classes.

    Cost: nothing; it looks at the shape of the outputs.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> cells = splinescope.tessellate(relu, splinescope.Segment([-1.0, 2.0], [3.0, -2.0]))
        >>> competes(cells)
        True
    """
    return len(cells.network.output_shape) <= 1 and cells.vertex_outputs.shape[1] <= MOST_CLASSES
