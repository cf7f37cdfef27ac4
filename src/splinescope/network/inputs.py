"""Inputs as users give them: one or a batch, flat or in the network's shape, as arrays, tensors or plain numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from splinescope.errors import InvalidInputError


@dataclass(frozen=True, eq=False)
class Inputs:
    """A batch of inputs, and whether it was given as one input without a batch axis.

    Attributes:
        batch: [N, *input_shape] in float64 on the CPU; a tensor if one came, else an array of its own.
        single: Whether one input came, without a batch axis; N is then 1.
    """

    batch: np.ndarray | Tensor
    single: bool


def read_inputs(x: Any, input_shape: tuple[int, ...], name: str = "x") -> Inputs:
    """Take one input or a batch, flat or in shape.

    What has the shape of one input is one input, and `[N, *input_shape]` is a batch; else each input may be flat:
    `[n]` is one, and `[N, n]` a batch. A number alone is the input of a network of one.

    Args:
        x: Numbers: an array, a tensor, or nested lists.
        input_shape: Shape of one input.
        name: The argument, for the error.

    Returns:
        The batch. Autograd goes through tensors.

    Raises:
        InvalidInputError: If it is not made of real numbers, or has another shape.

    Cost: none for tensors and arrays, of which it takes a view where it can.

    Example:
        >>> read_inputs([0.1, 0.2], (2,)).single, read_inputs([[1, 2, 3, 4]], (2, 2)).batch.shape
        (True, (1, 2, 2))
    """
    values = real_numbers(x, name)
    shape, size = tuple(values.shape), math.prod(input_shape)
    if shape[1:] == input_shape and shape != input_shape:
        return Inputs(values, single=False)
    single = shape in (input_shape, (size,)) or (size == 1 and not shape)
    if not single and shape[1:] != (size,):
        raise InvalidInputError(f"`{name}`: got the shape {shape}; expected {expected_inputs(input_shape)}")
    return Inputs(values.reshape(1 if single else shape[0], *input_shape), single)


def read_batch(x: Any, input_shape: tuple[int, ...], name: str) -> np.ndarray | None:
    """A batch of inputs that may be flat, as an array in float64; for callers with checks and errors of their own.

    Args:
        x: [N, *input_shape] or [N, n] numbers.
        input_shape: Shape of one input.
        name: The argument, for the error.

    Returns:
        [N, *input_shape], or None if the shape is another.

    Raises:
        InvalidInputError: If it is not made of real numbers.
    """
    values = real_numbers(x.detach().cpu().numpy() if isinstance(x, Tensor) else x, name)
    assert isinstance(values, np.ndarray)
    if values.ndim < 2 and input_shape:
        return None
    return in_shape(values, input_shape, batched=True)


def in_shape(values: np.ndarray, input_shape: tuple[int, ...], *, batched: bool) -> np.ndarray | None:
    """Inputs in the network's shape, if they have it or are flat.

    Args:
        values: Inputs.
        input_shape: Shape of one.
        batched: Whether the first axis is that of a batch.

    Returns:
        The inputs in shape, or None if they have another one.
    """
    own = values.shape[1:] if batched else values.shape
    if own not in (input_shape, (math.prod(input_shape),)):
        return None
    return values.reshape(*values.shape[:1], *input_shape) if batched else values.reshape(input_shape)


def expected_inputs(input_shape: tuple[int, ...]) -> str:
    """What inputs may look like, in words for an error."""
    batch = ", ".join(["N", *map(str, input_shape)])
    flat = f", or {math.prod(input_shape)} flat numbers for each" if len(input_shape) != 1 else ""
    return f"one input of shape {list(input_shape)} or a batch [{batch}]{flat}"


def finite_batch(x: Any, input_shape: tuple[int, ...], name: str = "inputs") -> Tensor:
    """A batch of at least one input, whose numbers are finite.

    Args:
        x: [N, *input_shape] or [N, n] numbers.
        input_shape: Shape of one input.
        name: The argument, for the error.

    Returns:
        [N, *input_shape] in float64, on the CPU.

    Raises:
        InvalidInputError: If it is one input, none, or has numbers that are not finite or not real.

    Cost: one look at all numbers.

    Example:
        >>> finite_batch([[1, 2, 3, 4]], (2, 2)).shape
        torch.Size([1, 2, 2])
    """
    numbers = real_numbers(x, name)
    shape = tuple(numbers.shape)
    if shape[:1] == (0,):
        raise InvalidInputError(f"`{name}`: got the shape {shape}; expected at least one input")
    found = read_inputs(numbers, input_shape, name)
    if found.single:
        raise InvalidInputError(f"`{name}`: got one input of shape {shape}; expected a batch of them")
    batch = found.batch.detach() if isinstance(found.batch, Tensor) else torch.from_numpy(found.batch)
    if not bool(torch.isfinite(batch).all()):
        raise InvalidInputError(f"`{name}`: some numbers are NaN or infinite; expected finite ones")
    return batch


def real_numbers(x: Any, name: str) -> np.ndarray | Tensor:
    """Real numbers in float64, of any shape.

    Args:
        x: An array, a tensor, or nested lists.
        name: The argument, for the error.

    Returns:
        A tensor if one came, else an array of its own.

    Raises:
        InvalidInputError: If it is none of these, or complex.

    Cost: a copy of arrays.

    Example:
        >>> real_numbers([1, 2], "x").dtype
        dtype('float64')
    """
    if isinstance(x, Tensor) and not x.is_complex():
        return x.to(dtype=torch.float64, device="cpu")
    try:
        values = np.asarray(x)
        if values.dtype.kind in "biufO":
            return np.array(values, dtype=np.float64)
        what = f"numbers of type {values.dtype}"
    except (TypeError, ValueError, RuntimeError):
        what = type(x).__name__
    raise InvalidInputError(f"`{name}`: got {what}; expected real numbers: an array, a tensor or lists of one length")
