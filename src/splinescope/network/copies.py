"""Copies of a network on another device or in another type, and the linear parts of its affine ops."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.ops import AffineOp, Op


def placed(network: Network, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float64) -> Network:
    """The same network with its numbers elsewhere, for studies that evaluate many inputs.

    What is exact needs float64 on the CPU, which is where networks are imported to. A copy made here can be walked
    (`splinescope.network.evaluate.walk`) with inputs of its own device and type.

    Args:
        network: The network.
        device: A device of torch.
        dtype: A floating-point type.

    Returns:
        The network itself where nothing changes, else a copy.

    Raises:
        InvalidInputError: If the device is not there, or the type is none of floating point.
    """
    if not dtype.is_floating_point:
        raise InvalidInputError(f"`dtype`: got {dtype}; expected a floating-point type such as torch.float32")
    try:
        probe = torch.empty(0, dtype=dtype, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInputError(f"`device`: got {str(device)!r}, which cannot be used here ({reason})") from error
    if probe.device.type == "cpu" and dtype == torch.float64:
        return network
    nodes = tuple(dataclasses.replace(node, op=_moved(node.op, probe)) for node in network.nodes)
    return dataclasses.replace(network, nodes=nodes)


def linear_part(op: Op) -> Op:
    r"""An op without its offset: of $x \mapsto W x + b$ the map $x \mapsto W x$.

    Args:
        op: An op that does not fold.

    Returns:
        The op itself if it is linear, else a copy.
    """
    return op.linear if isinstance(op, AffineOp) else op


def _moved(op: Op, probe: Tensor) -> Op:
    """A copy of an op whose numbers have the type of `probe`, and all of whose tensors are on its device."""
    changes = {
        field.name: _like(getattr(op, field.name), probe)
        for field in dataclasses.fields(op)  # type: ignore[arg-type]
    }
    return dataclasses.replace(op, **changes)  # type: ignore[type-var]


def _like(value: Any, probe: Tensor) -> Any:
    if isinstance(value, Tensor):
        return value.to(device=probe.device, dtype=probe.dtype if value.is_floating_point() else None)
    if isinstance(value, tuple):
        return tuple(_like(entry, probe) for entry in value)
    return value
