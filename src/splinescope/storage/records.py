"""Values with their arrays kept aside, as records from which equal values are made."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, get_type_hints

import numpy as np
from jaxtyping import AbstractArray, jaxtyped

from splinescope.errors import StoreError


def fingerprint(value: Any, name: str) -> str:
    """A hash of a value that `encode` takes, to the last bit of its arrays.

    Args:
        value: The value.
        name: Its name, which is part of the hash.

    Returns:
        64 hexadecimal digits (SHA-256).

    Raises:
        StoreError: If the value is of another kind.

    Cost: one pass over the arrays.

    Example:
        >>> fingerprint(np.array([1.0]), "x") == fingerprint(np.array([1.0]), "x") != fingerprint(np.array([2.0]), "x")
        True
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

    Cost: linear in the number of parts; arrays are not copied.

    Example:
        >>> arrays: dict[str, np.ndarray] = {}
        >>> encode((1, np.array([0.5])), arrays, "pair")
        {'tuple': [1, {'array': 'pair.1'}]}
        >>> arrays
        {'pair.1': array([0.5])}
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

    Cost: none.

    Example:
        >>> class_name(np.float64)
        'float64'
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
        StoreError: If the record names an array or a class that is not there, what it says of one does not fit it, or
            a tensor, which is a network's, has numbers that are not finite.

    Cost: linear in the number of parts; arrays are not copied.

    Example:
        >>> decode({"tuple": [1, {"array": "pair.1"}]}, {"pair.1": np.array([0.5])}, {})
        (1, array([0.5]))
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
        kind = classes[record["class"]]
        _check_annotations(kind, made)
        return kind(**made)
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


def _check_annotations(kind: type, made: dict[str, Any]) -> None:
    """Raise `ValueError` if arrays do not have the shapes that the fields of a class are annotated with."""
    with jaxtyped("context"):
        for name, hint in _shaped_fields(kind).items():
            if name in made and not isinstance(made[name], hint):
                shape = getattr(made[name], "shape", None)
                raise ValueError(
                    f"`{name}` of {kind.__name__} is of another type, or its shape {shape} does not fit the others"
                )


@cache
def _shaped_fields(kind: type) -> dict[str, type]:
    """Annotations of fields that say what shape they have."""
    try:
        hints = get_type_hints(kind)
    except NameError:  # names that are imported for type checkers only
        return {}
    return {name: hint for name, hint in hints.items() if isinstance(hint, type) and issubclass(hint, AbstractArray)}


def _decoded_tensor(array: np.ndarray, axes: list[int] | None) -> Any:
    import torch

    tensor = torch.from_numpy(array)
    if not bool(torch.isfinite(tensor).all()):
        raise ValueError("a weight of its network is NaN or infinite")
    return tensor if axes is None else tensor.permute(*np.argsort(axes).tolist())
