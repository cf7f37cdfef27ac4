"""Frames of a training run in one page: each is a compressed block of its own, inflated when it is looked at."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.progress import Report
from splinescope.viewer.contents import contents, opened, share_scales
from splinescope.viewer.packing import Packer
from splinescope.viewer.page import Page, page_of
from splinescope.viewer.page_record import seen_classes

MOST_FRAMES = 1000
"""Frames of one page at most."""


def explore_frames(
    frames: Mapping[Any, Any] | Sequence[Any],
    path: str | os.PathLike[str] | None = None,
    *,
    color: str = "pattern",
    title: str | None = None,
    progress: Report | None = None,
) -> Page:
    """A page with a slider: the same plane, segment or space for several networks, such as those of a training run.

    All frames share the colours: one scale for each measure, one colour for each class and for each activation pattern.
    The view, the chosen colours and the pointer stay where they are from frame to frame.

    Args:
        frames: Complexes of one domain by what their frames are called (training steps: "step 100"), or a sequence of
            them; or the files in which they were saved, which are opened one at a time, as
            `splinescope.observers.saved_frames(folder)` gives them.
        path: A file to write it to; None to write none.
        color: As in `explore`.
        title: What stands at the top; None for the number of frames.
        progress: Called with the share and the number of finished frames.

    Returns:
        The page.

    Raises:
        InvalidInputError: If there are none or too many, of several domains or kinds, or as for `explore`.

    Frames of planes with more than 20,000 cells keep what is seen: coordinates of 20 bits of the domain's extent,
    measures in 8 bits, no numbers of cells and no affine maps. The page says so.

    Cost: that of `explore` for each frame, in time, and in bytes for small ones; some 3.4 bytes for each cell of large
    planes. The browser reads the frame that is looked at, keeps the last six, and takes the next one ahead.

    Example:
        >>> import splinescope, torch
        >>> domain = splinescope.Slice.box([-1, -1], [1, 1])
        >>> modules = {step: torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU()) for step in (0, 10)}
        >>> explore_frames({step: splinescope.tessellate(module, domain) for step, module in modules.items()}).title
        '2 frames'
    """
    named = dict(frames) if isinstance(frames, Mapping) else dict(enumerate(frames))
    if not 1 <= len(named) <= MOST_FRAMES:
        raise InvalidInputError(f"`frames`: got {len(named)}; expected 1 to {MOST_FRAMES:,} complexes")
    records: list[dict[str, Any]] = []
    packers: list[Packer] = []
    for number, (name, frame) in enumerate(named.items()):
        cells = opened(frame)
        record, packer = contents(cells, {}, color, framed=len(named) > 1)
        records.append({**record, "arrays": packer.listing})
        packers.append(packer)
        if not _alike(records[0], record):
            raise InvalidInputError(
                f"`frames`: {_name(name)} is of another domain or kind than the first; expected one"
            )
        if progress is not None:
            progress((number + 1) / len(named), number + 1)
    _share_scales(records)
    _share_classes(records)
    first = {key: value for key, value in records[0].items() if key != "arrays"}
    listed = [
        {"name": _name(name), "record": {key: value for key, value in record.items() if value != first.get(key)}}
        for name, record in zip(named, records, strict=True)
    ]
    page = page_of(
        {**first, "frames": listed}, packers, title or f"{len(named):,} frame{'' if len(named) == 1 else 's'}"
    )
    if path is not None:
        page.save(path)
    return page


def _name(name: Any) -> str:
    """What a frame is called: steps by their number."""
    return f"step {name:,}" if isinstance(name, int) else str(name)


def _alike(first: dict[str, Any], record: dict[str, Any]) -> bool:
    """Whether two frames are of the same kind and place."""
    same = ("kind", "frame", "axes", "solid")
    return all(first.get(key) == record.get(key) for key in same) and bool(first["classes"]) == bool(record["classes"])


def _share_scales(records: list[dict[str, Any]]) -> None:
    """Give each measure one scale of colours over all frames."""
    for column in zip(*(record["measures"] for record in records), strict=True):
        share_scales(column)


def _share_classes(records: list[dict[str, Any]]) -> None:
    """Name the classes of all frames in each."""
    if records[0]["classes"]:
        fullest = max((record["classes"] for record in records), key=lambda classes: len(classes["names"]))
        present = sorted({label for record in records for label in record["classes"]["present"]})
        for record in records:
            record["classes"] = {**fullest, **seen_classes(np.array(present))}
