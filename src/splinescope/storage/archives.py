"""The one reader of NumPy's files. Nothing in them is run, and sizes are looked at before anything is allocated."""

from __future__ import annotations

import math
import os
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.lib import format as npy

from splinescope.errors import InvalidInputError, StoreError

CONTENT_LIMIT = 2 << 30
"""Bytes that the content of a compressed file may take, and what a model makes of its sizes, unless it is raised."""

LIMIT_VARIABLE = "SPLINESCOPE_CONTENT_LIMIT"
"""The environment variable that raises it."""

_DAMAGE = (
    OSError, ValueError, KeyError, EOFError, AttributeError, TypeError, RuntimeError, SyntaxError, IndexError,
    OverflowError, MemoryError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What `zipfile`, the decompressors and NumPy's reader of headers raise at files that are damaged.

`MemoryError` is what Python's parser says of a header that is nested too deeply; nothing large has been read then.
"""

_PART = 1 << 24

_PARSERS: dict[tuple[int, int], Any] = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def content_limit() -> int:
    """Bytes that the content of a file may take beyond its own size.

    Returns:
        `CONTENT_LIMIT`, or what the environment variable `SPLINESCOPE_CONTENT_LIMIT` says.

    Raises:
        InvalidInputError: If that is no number of bytes.

    Cost: none.

    Example:
        >>> content_limit() >= 1
        True
    """
    text = os.environ.get(LIMIT_VARIABLE, "")
    if not text:
        return CONTENT_LIMIT
    if not text.isdecimal() or int(text) == 0:
        raise InvalidInputError(f"`{LIMIT_VARIABLE}`: got {text!r}; expected a number of bytes")
    return int(text)


def check_content(size: int, what: str) -> None:
    """Refuse what would take more memory than the limit.

    Args:
        size: Bytes.
        what: What would take them, for the error.

    Raises:
        InvalidInputError: If it is too much.

    Cost: none.

    Example:
        >>> check_content(1000, "an array")
    """
    limit = content_limit()
    if size > limit:
        raise InvalidInputError(
            f"{what} would take {_words(size)}, which is more than {_words(limit)}; set the environment variable "
            f"{LIMIT_VARIABLE} to more bytes if you trust it"
        )


def _words(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB" if size < 1 << 60 else f"10^{math.log10(size):.0f} bytes"


def load_archive(path: str | os.PathLike[str], only: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file.

    Args:
        path: The file.
        only: Names of those to read; all if None.

    Returns:
        Arrays by name.

    Raises:
        StoreError: If the file is damaged, or not of this kind; in a few words, without its name.
        FileNotFoundError: If there is none.
        InvalidInputError: If its content is larger than the limit.

    Cost: the size of the arrays, all of which are held in memory.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/some.npz", t=np.array([0.25, 0.5]))
        ...     load_archive(f"{folder}/some.npz")["t"].tolist()
        [0.25, 0.5]
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            content = sum(member.file_size for member in members)
            check_content(content - os.path.getsize(path), f"the content of {str(path)!r}")
            names = [member.filename.removesuffix(".npy") for member in members]
            if len(set(names)) < len(names):
                raise ValueError("several arrays have the same name")
            chosen = [pair for pair in zip(names, members, strict=True) if only is None or pair[0] in only]
            return {name: _of_member(archive, member) for name, member in chosen}
    except (FileNotFoundError, InvalidInputError):
        raise
    except _DAMAGE as error:
        raise StoreError(_reason(error)) from error


def load_array(path: str | os.PathLike[str]) -> np.ndarray:
    """The array of an `.npy` file.

    Args:
        path: The file.

    Returns:
        The array.

    Raises:
        StoreError: If the file is damaged, or not of this kind; in a few words, without its name.
        FileNotFoundError: If there is none.

    Cost: the size of the array, which is held in memory.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/t.npy", np.array([0.25, 0.5]))
        ...     load_array(f"{folder}/t.npy").tolist()
        [0.25, 0.5]
    """
    try:
        with open(path, "rb") as stream:
            return _array(stream, os.fstat(stream.fileno()).st_size)
    except FileNotFoundError:
        raise
    except _DAMAGE as error:
        raise StoreError(_reason(error)) from error


def _of_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"its compression, method {member.compress_type}, is not known")
    with archive.open(member) as stream:
        array = _array(stream, member.file_size)
        stream.read(1)  # the end, where the checksum is compared
    return array


def _array(stream: Any, size: int) -> np.ndarray:
    """The array of a stream of so many bytes."""
    shape, by_columns, dtype = _header(stream)
    expected, rest = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if min(shape, default=0) < 0 or expected != rest:
        raise ValueError(f"an array of shape {shape} and type {dtype} has {expected} bytes, and {rest} are there")
    content = bytearray(rest)
    places, filled = memoryview(content), 0
    while filled < rest:
        part = stream.read(min(_PART, rest - filled))
        if not part:
            raise EOFError("the file ends too early")
        places[filled : filled + len(part)] = part
        filled += len(part)
    array = np.frombuffer(content, dtype)
    return array.reshape(shape[::-1]).T if by_columns else array.reshape(shape)


def _header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether it is stored column by column, and type of the array that follows."""
    version = npy.read_magic(stream)
    if version not in _PARSERS:
        raise ValueError(f"format {version[0]}.{version[1]} of arrays is not known")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers that Python 2 wrote, and of what damaged ones look like
        shape, by_columns, dtype = _PARSERS[version](stream)
    if dtype.hasobject or dtype.names is not None or dtype.subdtype is not None or not dtype.itemsize:
        raise ValueError(f"it holds {dtype}, and only arrays of numbers and texts are read")
    return shape, by_columns, dtype


def _reason(error: BaseException) -> str:
    """The first line that an exception says, or its kind."""
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    return (str(text).strip().splitlines() or [type(error).__name__])[0]
