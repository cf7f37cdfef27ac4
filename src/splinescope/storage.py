"""What is written to disk: files that appear whole or not at all, JSON, arrays with records; never pickle.

One rule for numbers that are not finite, for which JSON has no word: in JSON they are null. Records, which are read
back as they were, keep them in words of their own (see `encode`), and never as null.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError, StoreError

RECORD = "record"
"""Name of the text among the arrays of a file that holds its record."""

_DAMAGE = (
    OSError, ValueError, KeyError, EOFError, AttributeError, TypeError, RuntimeError, SyntaxError, tokenize.TokenError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What NumPy and JSON raise at files that are damaged, or of another kind."""


@contextmanager
def replacing(path: str | os.PathLike[str], argument: str = "path") -> Iterator[Path]:
    """Give a temporary path beside `path`; the file or folder made there takes its place if the block ends well.

    Args:
        path: File or folder to write. What is there stays until the block has ended; of a folder that takes another's
            place, there is none for an instant.
        argument: What the caller calls `path`, for errors.

    Yields:
        The temporary path, with the name of `path`; nothing is there yet.

    Raises:
        InvalidInputError: If the folder around it does not exist or cannot be written to.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with replacing(Path(folder) / "note.txt") as temporary:
        ...         _ = temporary.write_text("whole")
        ...     os.listdir(folder)
        ['note.txt']
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise InvalidInputError(f"`{argument}`: there is no folder {str(target.parent)!r}; make it first")
    try:
        folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=".splinescope-"))
    except OSError as error:
        raise InvalidInputError(f"`{argument}`: cannot write to {str(target.parent)!r}: {error.strerror}") from error
    # A file in a new folder, not one of `mkstemp`, so that it gets the permissions that any new file gets.
    temporary = folder / target.name
    try:
        yield temporary
        if temporary.is_dir() and target.is_dir():
            os.replace(target, folder / "before")
        os.replace(temporary, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def json_text(value: Any, indent: int | None = 2) -> str:
    """Plain values as JSON.

    Args:
        value: Dictionaries, sequences, texts, numbers, paths, and numpy's numbers and arrays.
        indent: Spaces for each level; None for one line.

    Returns:
        The text. Numbers that are not finite are null in it.

    Example:
        >>> json_text({"least": np.float64(0.5), "rest": [math.inf, 1]}, indent=None)
        '{"least": 0.5, "rest": [null, 1]}'
    """
    try:
        return json.dumps(value, indent=indent, allow_nan=False)
    except (TypeError, ValueError):  # something is not plain, or not finite
        return json.dumps(_plain(value), indent=indent, allow_nan=False)


def from_json(text: str | bytes, null: float | None = None) -> Any:
    """The values of a JSON text.

    Args:
        text: The text.
        null: What entries of objects that are null become: NaN where numbers are expected.

    Returns:
        Plain values.

    Raises:
        ValueError: If it is no JSON.
    """
    if null is None:
        return json.loads(text)
    return json.loads(text, object_hook=lambda row: {key: null if v is None else v for key, v in row.items()})


def write_json(path: str | os.PathLike[str], value: Any, indent: int | None = 2) -> Path:
    """Write plain values as a JSON file, whole or not at all.

    Args:
        path: The file.
        value: See `json_text`.
        indent: See `json_text`.

    Returns:
        The path.

    Raises:
        InvalidInputError: If the folder does not exist or cannot be written to.
    """
    with replacing(path) as temporary:
        temporary.write_text(json_text(value, indent) + "\n", encoding="utf-8")
    return Path(path)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, os.PathLike):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True, eq=False)
class Stored:
    """What a file of arrays holds.

    Attributes:
        arrays: The arrays by name.
        record: The plain values; None if the file has none.
    """

    arrays: dict[str, np.ndarray]
    record: Any = None


def write_arrays(
    path: str | os.PathLike[str],
    arrays: Mapping[str, np.ndarray],
    record: Any = None,
    *,
    argument: str = "path",
    compress: bool = False,
    durable: bool = False,
) -> Path:
    """Write arrays, and plain values beside them, to one `.npz` file, whole or not at all.

    NumPy alone reads the file: the values are JSON in the text `record`.

    Args:
        path: The file.
        arrays: Arrays by name, of any shapes and any type but objects.
        record: Plain values (see `json_text`), or None.
        argument: What the caller calls `path`, for errors.
        compress: Whether to make it small, which takes time.
        durable: Whether to be sure that it survives a crash of the machine.

    Returns:
        The path.

    Raises:
        InvalidInputError: If the folder does not exist or cannot be written to.
        StoreError: If the file cannot be written; what was there before stays.
    """
    named: dict[str, Any] = dict(arrays)
    if record is not None:
        assert RECORD not in named
        named = {RECORD: np.array(json_text(record, indent=None))} | named
    write = np.savez_compressed if compress else np.savez
    try:
        with replacing(path, argument) as temporary, open(temporary, "wb") as file:
            write(file, **named)
            if durable:
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        reason = error.strerror or error
        raise StoreError(f"`{argument}`: cannot write {str(path)!r}: {reason}") from error
    return Path(path)


def read_arrays(path: str | os.PathLike[str], what: str = "file of arrays", *, argument: str = "path") -> Stored:
    """Read what `write_arrays` wrote. Nothing in the file is run.

    Args:
        path: The file.
        what: What it should be, for errors.
        argument: What the caller calls `path`, for errors.

    Returns:
        Arrays and record.

    Raises:
        StoreError: If the file is missing, is not of this kind, or is damaged.
    """
    name = str(os.fspath(path))
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        record = arrays.pop(RECORD, None)
        return Stored(arrays, None if record is None else from_json(str(record)))
    except FileNotFoundError as error:
        raise StoreError(f"`{argument}`: there is no file {name!r}") from error
    except _DAMAGE as error:
        raise StoreError(
            f"`{argument}`: {name!r} is not a complete {what}; expected one that was saved whole"
        ) from error


def fingerprint(value: Any, name: str) -> str:
    """A hash of a value that `encode` takes, to the last bit of its arrays.

    Args:
        value: The value.
        name: Its name, which is part of the hash.

    Returns:
        64 hexadecimal digits (SHA-256).
    """
    arrays: dict[str, np.ndarray] = {}
    digest = hashlib.sha256(json.dumps(encode(value, arrays, name)).encode())
    for key in sorted(arrays):
        digest.update(np.ascontiguousarray(arrays[key]).tobytes())
    return digest.hexdigest()


def encode(value: Any, arrays: dict[str, np.ndarray], name: str) -> Any:
    """Turn a value into plain values for a record, with its arrays kept aside.

    Args:
        value: None, a number, a text, an array, a tensor, a list, a tuple (named or not), a dict whose keys are texts
            or numbers, or a dataclass of such values.
        arrays: Where arrays are put.
        name: Name of the value, from which the names of its arrays are made.

    Returns:
        Plain values, from which `decode` makes an equal value. Numbers that are not finite are objects with the one key
        `number` and a text.

    Raises:
        StoreError: If the value is of another kind.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {"array": name}
    if isinstance(value, dict):
        return _encoded_dict(value, arrays, name)
    if isinstance(value, list) or (isinstance(value, tuple) and not hasattr(value, "_fields")):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [encode(part, arrays, f"{name}.{number}") for number, part in enumerate(value)]}
    names = _field_names(value)
    if names is not None:
        parts = {part: encode(getattr(value, part), arrays, f"{name}.{part}") for part in names}
        return {"class": class_name(value), "fields": parts}
    return _encoded_tensor(value, arrays, name)


def class_name(value: Any) -> str:
    """What records call the class of a value: its name, or one that it had when files were first written.

    Args:
        value: A dataclass or a named tuple, or the class itself.

    Returns:
        Its attribute `stored_as` if it has one, else the name of its class.
    """
    kind = value if isinstance(value, type) else type(value)
    return str(getattr(kind, "stored_as", kind.__name__))


def _encoded_dict(value: dict[Any, Any], arrays: dict[str, np.ndarray], name: str) -> Any:
    entries = {key: encode(part, arrays, f"{name}.{key}") for key, part in value.items()}
    if all(isinstance(key, str) for key in entries):
        return {"dict": entries}
    return {"items": [[encode(key, arrays, f"{name}:key"), entry] for key, entry in entries.items()]}


def _field_names(value: Any) -> list[str] | None:
    """Names of what a dataclass or a named tuple is made of; None of anything else."""
    if isinstance(value, type):
        return None
    if is_dataclass(value):
        return [field.name for field in fields(value) if field.init]
    return list(value._fields) if isinstance(value, tuple) and hasattr(value, "_fields") else None


def _encoded_tensor(value: Any, arrays: dict[str, np.ndarray], name: str) -> Any:
    """A tensor with the order of its axes in memory, on which roundings of products may depend."""
    import torch

    if not isinstance(value, torch.Tensor):
        raise StoreError(
            f"{name}: a {type(value).__name__} cannot be stored; expected numbers, texts, arrays or dataclasses"
        )
    array = value.detach().cpu().numpy()
    order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
    if array.flags.forc or not array.transpose(order).flags.c_contiguous:
        arrays[name] = array
        return {"tensor": name}
    arrays[name] = array.transpose(order)
    return {"tensor": name, "axes": order}


def decode(record: Any, arrays: Mapping[str, np.ndarray], classes: Mapping[str, type]) -> Any:
    """Make the value of a record.

    Only classes that the caller lists are ever made, so that a file can hold data and nothing else.

    Args:
        record: What `encode` returned.
        arrays: The arrays that it names.
        classes: The dataclasses and named tuples that may occur, by name.

    Returns:
        The value.

    Raises:
        StoreError: If the record names an array or a class that is not there, or what it says of one does not fit it.
    """
    try:
        return _decoded(record, arrays, classes)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, AssertionError, RuntimeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise StoreError(f"the stored record does not fit this version of splinescope: {reason}") from error


def _decoded(record: Any, arrays: Mapping[str, np.ndarray], classes: Mapping[str, type]) -> Any:
    if not isinstance(record, dict):
        return record
    if "class" in record:
        made = {key: _decoded(part, arrays, classes) for key, part in record["fields"].items()}
        return classes[record["class"]](**made)
    if "array" in record:
        return arrays[record["array"]]
    if "tensor" in record:
        return _decoded_tensor(np.array(arrays[record["tensor"]]), record.get("axes"))
    if "number" in record:
        return float(record["number"])
    if "list" in record:
        return [_decoded(part, arrays, classes) for part in record["list"]]
    if "tuple" in record:
        return tuple(_decoded(part, arrays, classes) for part in record["tuple"])
    if "items" in record:
        return {_decoded(key, arrays, classes): _decoded(part, arrays, classes) for key, part in record["items"]}
    return {key: _decoded(part, arrays, classes) for key, part in record["dict"].items()}


def _decoded_tensor(array: np.ndarray, axes: list[int] | None) -> Any:
    import torch

    tensor = torch.from_numpy(array)
    return tensor if axes is None else tensor.permute(*np.argsort(axes).tolist())
