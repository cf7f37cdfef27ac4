"""Frozen dataclasses as plain JSON and arrays, and back, without pickle.

A record is JSON except that arrays are named in it and kept aside. Only classes that the reader lists are ever made, so
that a file can hold data and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch

from splinescope.errors import StoreError


def encode(value: Any, arrays: dict[str, np.ndarray], name: str) -> Any:
    """Turn a value into JSON.

    Args:
        value: None, a number, a text, an array, a tensor, a list, a tuple, a dict with texts as keys, or a dataclass of
            such values.
        arrays: Where arrays are put.
        name: Name of the value, from which the names of its arrays are made.

    Returns:
        What `json` writes.

    Raises:
        StoreError: If the value is of another kind.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray | torch.Tensor):
        tensor = isinstance(value, torch.Tensor)
        arrays[name] = value.detach().numpy() if isinstance(value, torch.Tensor) else value
        return {"tensor" if tensor else "array": name}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [encode(part, arrays, f"{name}.{number}") for number, part in enumerate(value)]}
    if isinstance(value, dict):
        return {"dict": {str(key): encode(part, arrays, f"{name}.{key}") for key, part in value.items()}}
    if is_dataclass(value) and not isinstance(value, type):
        kept = [field.name for field in fields(value) if field.init]
        parts = {part: encode(getattr(value, part), arrays, f"{name}.{part}") for part in kept}
        return {"class": type(value).__name__, "fields": parts}
    raise StoreError(
        f"{name}: a {type(value).__name__} cannot be stored; expected numbers, texts, arrays or dataclasses"
    )


def decode(record: Any, arrays: Mapping[str, np.ndarray], classes: Mapping[str, type]) -> Any:
    """Make the value of a record.

    Args:
        record: What `encode` returned.
        arrays: The arrays that it names.
        classes: The dataclasses that may occur, by name.

    Returns:
        The value.

    Raises:
        StoreError: If the record names an array or a class that is not there, or a class has other fields.
    """
    if not isinstance(record, dict):
        return record
    try:
        if "array" in record:
            return arrays[record["array"]]
        if "tensor" in record:
            return torch.from_numpy(np.array(arrays[record["tensor"]]))
        if "list" in record:
            return [decode(part, arrays, classes) for part in record["list"]]
        if "tuple" in record:
            return tuple(decode(part, arrays, classes) for part in record["tuple"])
        if "dict" in record:
            return {key: decode(part, arrays, classes) for key, part in record["dict"].items()}
        made = {key: decode(part, arrays, classes) for key, part in record["fields"].items()}
        return classes[record["class"]](**made)
    except (KeyError, TypeError) as error:
        raise StoreError(f"the stored record does not fit this version of splinescope: {error}") from error
