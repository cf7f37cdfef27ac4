"""The neighbourhoods in which local complexity counts folds."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from splinescope.errors import InvalidInputError


def orthonormal_frame(shape: tuple[int, ...], directions: int = 25, *, generator: torch.Generator) -> Tensor:
    r"""Random orthonormal directions $v_1, \dots, v_P$ of an input space, uniform over all such frames.

    Args:
        shape: Shape of one input.
        directions: Their number P, at most the number of inputs.
        generator: Source of randomness, on the CPU.

    Returns:
        [P, *shape] directions in float64.

    Raises:
        InvalidInputError: If there are no so many orthonormal directions.

    Cost: a QR decomposition of inputs x directions numbers.

    Example:
        >>> frame = orthonormal_frame((28, 28), 3, generator=torch.Generator().manual_seed(0))
        >>> (frame.flatten(1) @ frame.flatten(1).T).round(decimals=12).abs().tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    size = math.prod(shape)
    if not 1 <= directions <= size:
        raise InvalidInputError(f"`directions`: got {directions}; expected a number from 1 to {size}, that of inputs")
    gaussian = torch.randn(size, directions, generator=generator, dtype=torch.float64)
    q, upper = torch.linalg.qr(gaussian)
    frame = (q * upper.diagonal().sign()).T.reshape(directions, *shape).contiguous()
    return frame + 0.0  # no negative zeros


def frame_for(shape: tuple[int, ...], frame: Any, generator: torch.Generator | None) -> Tensor:
    """The directions that a user asked for.

    Args:
        shape: Shape of one input.
        frame: Their number, or the directions themselves.
        generator: Source of randomness; by default one with the seed 0.

    Returns:
        [P, *shape] directions in float64, on the CPU.

    Raises:
        InvalidInputError: If they don't fit the inputs, or are not orthonormal.
    """
    if isinstance(frame, int):
        most = min(frame, math.prod(shape)) if frame == DIRECTIONS else frame
        return orthonormal_frame(shape, most, generator=generator or torch.Generator().manual_seed(0))
    directions = torch.as_tensor(frame).detach().to("cpu", torch.float64)
    if directions.shape[1:] != torch.Size(shape) or not len(directions):
        expected = ", ".join(["P", *map(str, shape)])
        raise InvalidInputError(f"`frame`: got shape {tuple(directions.shape)}; expected directions [{expected}]")
    flat = directions.flatten(1)
    excess = (flat @ flat.T - torch.eye(len(flat), dtype=torch.float64)).abs().max()
    if not excess <= ORTHONORMAL:
        raise InvalidInputError(
            f"`frame`: its inner products differ from those of an orthonormal frame by {float(excess):.1g}; expected "
            "orthonormal directions, as `orthonormal_frame` gives"
        )
    return directions


DIRECTIONS = 25
"""Default number of directions, that of the source; networks of fewer inputs have one for each input."""

ORTHONORMAL = 2.0**-20
"""How far inner products of directions may be from those of an orthonormal frame: rounding of float32."""
