"""Preimages in files: arrays by their names and the rest as a record, with the network; never pickle."""

from __future__ import annotations

import os
from dataclasses import is_dataclass, replace
from pathlib import Path

from splinescope.errors import StoreError
from splinescope.preimage.boxes import Boxes
from splinescope.preimage.preimage import Preimage
from splinescope.preimage.targets import sets
from splinescope.storage import class_name, decode, encode, read_arrays, write_arrays
from splinescope.tessellation.files import stored_classes

FORMAT = 1
"""Version of the layout."""


def save_preimage(preimage: Preimage, path: str | os.PathLike[str]) -> Path:
    """Write a preimage to one `.npz` file, with its network, domain and target. `preimage.save(path)` is the same.

    Args:
        preimage: The preimage.
        path: File to write.

    Returns:
        The path.

    Raises:
        InvalidInputError: If the folder does not exist.
        StoreError: If the file cannot be written, or the target or the domain is of a class of your own.
    """
    classes = _classes()
    for part in (preimage.domain, preimage.target, *(node.op for node in preimage.network.nodes)):
        if classes.get(class_name(type(part))) is not type(part):
            raise StoreError(f"`path`: a {type(part).__qualname__} cannot be stored; expected classes of splinescope")
    arrays: dict[str, object] = {}
    record = encode(replace(preimage, parts=()), arrays, "preimage")  # type: ignore[arg-type]
    named = {name.removeprefix("preimage."): array for name, array in arrays.items()}
    header = {"splinescope": "preimage", "format": FORMAT, "preimage": record}
    return write_arrays(path, named, header)  # type: ignore[arg-type]


def open_preimage(path: str | os.PathLike[str]) -> Preimage:
    """Open a file that `preimage.save(path)` wrote. Nothing in it is run.

    Args:
        path: The file.

    Returns:
        The preimage, equal in every array. Cost: the size of the file.

    Raises:
        StoreError: If the file is missing, is not of this kind, is damaged, or comes from a newer version.

    Example:
        >>> import tempfile, torch, splinescope
        >>> from splinescope.preimage import ClassTarget, preimage_of
        >>> found = preimage_of(torch.nn.ReLU(), ClassTarget(1), splinescope.Box([-1.0, -1.0], [1.0, 1.0]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     again = open_preimage(found.save(f"{folder}/found.npz"))
        >>> again.volume == found.volume
        True
    """
    stored = read_arrays(path, "file of a preimage")
    header = stored.record
    if not isinstance(header, dict) or header.get("splinescope") != "preimage":
        raise StoreError(f"`path`: {str(path)!r} holds no preimage; expected a file that `preimage.save` wrote")
    if header["format"] > FORMAT:
        raise StoreError(f"`path`: {str(path)!r} was saved by a newer version; update splinescope")
    arrays = {f"preimage.{name}": array for name, array in stored.arrays.items()}
    try:
        found = decode(header["preimage"], arrays, _classes())
    except StoreError as error:
        raise StoreError(f"`path`: {str(path)!r} is damaged: {error}") from error
    if not isinstance(found, Preimage):
        raise StoreError(f"`path`: {str(path)!r} is damaged: what it holds is no preimage")
    return found


def _classes() -> dict[str, type]:
    """The classes that a stored preimage may be made of."""
    parts = [part for part in vars(sets).values() if isinstance(part, type) and is_dataclass(part)]
    return stored_classes() | {class_name(part): part for part in (*parts, Boxes, Preimage)}
