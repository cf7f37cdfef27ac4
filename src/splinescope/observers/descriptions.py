"""What is measured, in words that tell two configurations apart."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

_FEW = 8
"""Parts up to which a list is described part by part; points may be given as long lists of numbers."""


def describe(value: Any) -> Any:
    """A description that JSON can hold and that is the same in every process.

    Args:
        value: A measure, or a part of one.

    Returns:
        Numbers and texts as they are; for arrays type, shape and a digest of their bytes; for dataclasses their name
        and fields, but for those that do not count in comparisons; for functions their name, for partial ones what
        they hold, for other objects the name of their class.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else str(value)
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().contiguous()
        return _digest(str(value.dtype).removeprefix("torch."), value.shape, value.view(-1).view(torch.uint8).numpy())
    if isinstance(value, list | tuple):
        if len(value) <= _FEW or not isinstance(value[0], int | float | list | tuple):
            return [describe(part) for part in value]
        try:
            value = np.asarray(value)
        except ValueError:  # ragged
            return [describe(part) for part in value]
        if value.dtype == object:
            return [describe(part) for part in value.tolist()]
    if isinstance(value, np.ndarray | np.generic):
        array = np.ascontiguousarray(value)
        return _digest(str(array.dtype), np.shape(value), array)
    if isinstance(value, Mapping):
        return {str(key): describe(part) for key, part in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.compare]
        return {"kind": type(value).__qualname__} | {name: describe(getattr(value, name)) for name in fields}
    if isinstance(value, partial):
        return {"kind": "partial"} | {name: describe(getattr(value, name)) for name in ("func", "args", "keywords")}
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _digest(dtype: str, shape: tuple[int, ...], array: np.ndarray) -> str:
    return f"{dtype}{list(shape)} {hashlib.sha256(array.tobytes()).hexdigest()[:16]}"
