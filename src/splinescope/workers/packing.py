"""Functions and values as bytes. What a process sends to its own workers is pickled once, by pickle itself.

A queue of processes would send each of torch's tensors as an open file, and would take what it cannot read for the
death of a worker.
"""

from __future__ import annotations

import pickle
from functools import cache
from importlib.util import find_spec
from typing import Any

from splinescope.errors import InvalidInputError


def pack(value: Any, name: str = "function") -> bytes:
    """A value as bytes for another process.

    Args:
        value: A function with its arguments, or anything else that can be pickled. What is defined in a notebook, or in
            another function, needs the package `cloudpickle`, which Dask and joblib bring along.
        name: What the caller calls it, for the error.

    Returns:
        The bytes.

    Raises:
        InvalidInputError: If it cannot be pickled.

    Cost: that of pickle.

    Example:
        >>> unpack(pack((max, (1, 2))))
        (<built-in function max>, (1, 2))
    """
    by_value = _is_of_main(value) and _has_cloudpickle()
    if not by_value:
        try:
            return pickle.dumps(value)
        except Exception as error:
            if not _has_cloudpickle():
                raise InvalidInputError(
                    f"`{name}`: it cannot be sent to another process ({type(error).__name__}: {error}); expected what "
                    "a module defines at its top; or install `cloudpickle`"
                ) from error
    import cloudpickle

    try:
        packed: bytes = cloudpickle.dumps(value)
    except Exception as error:
        raise InvalidInputError(
            f"`{name}`: it cannot be sent to another process ({type(error).__name__}: {error}); expected a function "
            "whose values can be pickled"
        ) from error
    return packed


def unpack(packed: bytes) -> Any:
    """What `pack` packed.

    Args:
        packed: The bytes, of a process of one's own.

    Returns:
        An equal value.

    Cost: that of pickle.

    Example:
        >>> unpack(pack([1, 2]))
        [1, 2]
    """
    return pickle.loads(packed)  # noqa: S301 - packed by this library's own process


@cache
def _has_cloudpickle() -> bool:
    return find_spec("cloudpickle") is not None


def _is_of_main(value: Any) -> bool:
    """Whether a function is of the program itself, which workers may not be able to import."""
    function = value[0] if isinstance(value, tuple) and value else value
    return getattr(function, "__module__", None) == "__main__"
