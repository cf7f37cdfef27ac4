"""Points that the command line is given: arrays, images, and entries of data sets."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from splinescope import datasets
from splinescope.cli.values import Shape, first_line, numbers, whole_numbers
from splinescope.errors import InvalidInputError
from splinescope.storage import check_content, load_archive, load_array

Sides = tuple[list[np.ndarray], list[np.ndarray]]
"""Starts and ends in their own shapes; a file with rows is one array."""


def read_entries(source: str | None, chosen: str | None) -> list[np.ndarray]:
    """Points of a data set.

    Args:
        source: "digits", "mnist:PATH", or a .npy, .npz or .csv file with one point per row; None for no data.
        chosen: Which, as a comma-separated list; None if and only if there is no data.

    Returns:
        The points in their own shapes.

    Raises:
        InvalidInputError: If only one is given, or there are no such points.
    """
    if (source is None) != (chosen is None):
        raise InvalidInputError("`--data`, `--indices`: only one was given; expected both, as in digits and 3,7,11")
    if source is None or chosen is None:
        return []
    indices = whole_numbers("--indices", chosen)
    rows = data_set(source)
    if not isinstance(rows, np.ndarray):
        try:
            return list(rows.take(indices).numpy())
        except InvalidInputError as error:
            raise InvalidInputError(f"`--data {source}`: {error}") from error
    bad = [index for index in indices if rows.ndim < 2 or not 0 <= index < len(rows)]
    if bad:
        raise InvalidInputError(f"`--indices`: got {bad[0]}; {source} has the shape {rows.shape}, one point per row")
    return [rows[index] for index in indices]


def data_set(source: str) -> datasets.Dataset | np.ndarray:
    """A data set, or the rows of a file.

    Args:
        source: See `read_entries`.

    Returns:
        The set, which has a length.

    Raises:
        InvalidInputError: If there is none.
    """
    try:
        if source == "digits":
            return datasets.digits()
        if source.startswith("mnist:"):
            return datasets.mnist(Path(source.removeprefix("mnist:")).expanduser())
    except InvalidInputError as error:
        raise InvalidInputError(f"`--data {source}`: {error}") from error
    if not Path(source).suffix:
        raise InvalidInputError(f"`--data`: got {source!r}; expected digits, mnist:PATH, or a .npy, .npz or .csv file")
    return read_array("--data", Path(source))


def read_array(option: str, file: Path) -> np.ndarray:
    """The numbers of a file."""
    readers = {".npy": load_array, ".npz": _read_npz, ".csv": _read_csv, ".png": _read_png}
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise InvalidInputError(f"`{option}`: {file} is not of a known type; expected {', '.join(readers)}")
    if not file.is_file():
        raise InvalidInputError(f"`{option}`: {file} does not exist")
    try:
        array = np.asarray(reader(file))
    except InvalidInputError as error:
        raise InvalidInputError(f"`{option}`: {file}: {error}") from error
    except Exception as error:  # libraries of pictures have exceptions of their own
        raise InvalidInputError(f"`{option}`: {file} cannot be read: {first_line(error)}") from error
    if array.dtype.kind not in "fiub" or array.size == 0:
        raise InvalidInputError(f"`{option}`: {file} holds {array.dtype} of shape {array.shape}; expected numbers")
    array = np.atleast_1d(array.astype(np.float64))
    wrong = int(array.size - np.isfinite(array).sum())
    if wrong:
        raise InvalidInputError(f"`{option}`: {file}: {wrong} of {array.size} numbers are NaN or infinite")
    return array


def _read_npz(file: Path) -> Any:
    arrays = load_archive(file)
    if len(arrays) != 1:
        raise InvalidInputError(f"holds {len(arrays)} arrays ({', '.join(arrays)}); expected one")
    return next(iter(arrays.values()))


def _read_csv(file: Path) -> Any:
    """Numbers between commas, or between semicolons; one line is one point, several are rows."""
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    rows = [_csv_row(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise InvalidInputError("is empty")
    odd = next((number for number, row in enumerate(rows, 1) if len(row) != len(rows[0])), None)
    if odd is not None:
        raise InvalidInputError(f"row {odd} has {len(rows[odd - 1])} numbers, and the first one has {len(rows[0])}")
    return np.array(rows[0] if len(rows) == 1 else rows)


def _csv_row(number: int, line: str) -> list[float]:
    words = line.split(";" if ";" in line else ",")
    empty = next((place for place, word in enumerate(words, 1) if not word.strip()), None)
    if empty is not None:
        raise InvalidInputError(f"line {number}: field {empty} is empty; expected a number in each")
    if any("," in word for word in words):
        raise InvalidInputError(
            f"line {number}: {line.strip()[:40]!r} has commas beside semicolons; write decimal points"
        )
    try:
        return [float(word) for word in words]
    except ValueError as error:
        raise InvalidInputError(f"line {number}: {first_line(error)}; expected numbers between commas") from error


def _read_png(file: Path) -> Any:
    """An image as [channels, height, width] from 0 to 1; an opaque alpha channel is dropped."""
    from matplotlib.image import imread

    with file.open("rb") as stream:
        head = stream.read(24)
    if len(head) == 24 and head[12:16] == b"IHDR":  # else it is damaged, which the reader of pictures says
        width, height = struct.unpack(">II", head[16:])
        check_content(8 * 4 * width * height, f"an image of {width} x {height} pixels")
    image = np.asarray(imread(str(file)), dtype=np.float64)
    if image.ndim == 2:
        return image[None]
    if image.shape[2] in (2, 4):
        if image[..., -1].min() < 1:
            raise InvalidInputError("has transparent pixels; expected an opaque image")
        image = image[..., :-1]
    if image.shape[2] == 3 and (image == image[..., :1]).all():
        image = image[..., :1]
    return image.transpose(2, 0, 1)


def fit_points(points: Sequence[np.ndarray], shape: Shape, sources: Sequence[str] = ()) -> list[np.ndarray]:
    """Bring points to a network's input shape where only the arrangement differs; grey images fill three channels."""
    fitted = []
    for number, point in enumerate(points):
        if point.ndim == 3 and point.shape[0] == 1 and len(shape) == 3 and shape == (3, *point.shape[1:]):
            point = np.repeat(point, 3, axis=0)
        ours, theirs = ([size for size in sizes if size > 1] for sizes in (point.shape, shape))
        flat = point.size == math.prod(shape) and min(len(ours), len(theirs)) <= 1
        if not (ours == theirs or flat):
            label = "; one number too many: is there a label in front?" if point.size == math.prod(shape) + 1 else ""
            raise InvalidInputError(
                f"`points`: {sources[number] if number < len(sources) else 'got a point'} of shape {point.shape}; the "
                f"model's input has the shape {tuple(shape)}{label}"
            )
        fitted.append(point.reshape(shape))
    return fitted


def normalise(points: Sequence[np.ndarray], mean: str, std: str) -> list[np.ndarray]:
    """Points less `mean`, divided by `std`; several comma-separated numbers are one per channel."""
    shift, scale = np.array(numbers("--mean", mean)), np.array(numbers("--std", std))
    if scale.min() <= 0:
        raise InvalidInputError(f"`--std`: got {std}; expected positive numbers")
    results = []
    for point in points:
        for name, value in (("--mean", shift), ("--std", scale)):
            if len(value) not in (1, point.shape[0]):
                raise InvalidInputError(f"`{name}`: got {len(value)} numbers for {point.shape[0]} channels")
        column = (-1, *[1] * (point.ndim - 1))
        results.append((point - shift.reshape(column)) / scale.reshape(column))
    return results


def rows_of(array: np.ndarray, shape: Shape) -> list[np.ndarray]:
    """The points of a file: one, or one per row."""
    return list(array) if array.ndim > 1 and array.size != math.prod(shape) else [array]


def read_pairs(start: Path | None, end: Path | None, data: str | None, indices: str | None) -> Sides:
    """Starts and ends as they are in two files, or alternate in a data set.

    Args:
        start: File with starts.
        end: File with ends.
        data: Data set, instead of both.
        indices: Which of its points: start and end of each pair.

    Returns:
        Starts and ends.

    Raises:
        InvalidInputError: If something is missing, or given twice.
    """
    points = read_entries(data, indices)
    if points and (start is not None or end is not None):
        raise InvalidInputError("`--data`, `--from`: both were given; expected one of them")
    if len(points) % 2:
        raise InvalidInputError(f"`--indices`: got {len(points)} points; expected a start and an end, as in 3,7")
    if points:
        return points[0::2], points[1::2]
    if start is None or end is None:
        missing = "--from" if start is None else "--to"
        raise InvalidInputError(f"`{missing}`: not given; expected `--from A --to B`, or `--data SOURCE --indices I,J`")
    return [read_array("--from", start)], [read_array("--to", end)]


def fit_pairs(sides: Sides, shape: Shape, mean: str, std: str) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends as a network takes them.

    Args:
        sides: What `read_pairs` gave.
        shape: The network's input shape.
        mean: Taken from every point.
        std: Divides it after that.

    Returns:
        [S, *shape] starts and ends.

    Raises:
        InvalidInputError: If shapes or counts don't fit, or both ends of a pair are one point.
    """
    several = [rows_of(side[0], shape) if len(side) == 1 else side for side in sides]
    starts, ends = (np.stack(fit_points(normalise(points, mean, std), shape)) for points in several)
    if len(starts) != len(ends):
        raise InvalidInputError(f"`--from`, `--to`: got {len(starts)} and {len(ends)} points; expected as many")
    same = np.flatnonzero((starts == ends).reshape(len(starts), -1).all(axis=1))
    if len(same):
        raise InvalidInputError(f"`--from`, `--to`: both ends of pair {same[0]} are the same point")
    return starts, ends
