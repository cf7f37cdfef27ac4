"""The vertex test and the affine test on any module, by its gates, on the device and in the type that it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.autograd import forward_ad

from splinescope.complexity.local.gates import by_point, watched
from splinescope.complexity.local.vertices import signs_differ
from splinescope.errors import InvalidInputError

Cuts = tuple[tuple[str, ...], list[Bool[Tensor, "n _"]]]


def home_of(model: Callable[..., Any]) -> Tensor:
    """An empty tensor on the device, and of the floating-point type, of a model's first parameter.

    Args:
        model: A module, or any function of tensors, which is taken to work in float64 on the CPU.

    Returns:
        The tensor.
    """
    if isinstance(model, nn.Module):
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():
                return torch.empty(0, dtype=tensor.dtype, device=tensor.device)
    return torch.empty(0, dtype=torch.float64)


def cuts_by_vertices(
    model: Callable[..., Any], x: Float[Tensor, "n ..."], arms: Float[Tensor, "P ..."], logits: bool
) -> Cuts:
    """Whether the argument of each gate has several signs at the vertices `x +- arms`.

    Args:
        model: The model.
        x: Points, on its device and of its type.
        arms: Directions times the radius.
        logits: Whether the signs of the outputs count, too.

    Returns:
        Name of each gate, in the order of the calls, and one matrix for each.

    Raises:
        InvalidInputError: If the model has no gate.
    """
    names: list[str] = []
    cuts: list[Tensor] = []

    def show(name: str, argument: Tensor) -> None:
        rows = by_point(name, argument.detach(), len(x) * 2 * len(arms))
        least, largest = rows.reshape(len(x), -1, rows.shape[1]).aminmax(dim=1)
        names.append(name)
        cuts.append(signs_differ(least, largest))

    vertices = (x[:, None] + torch.cat([arms, -arms])).flatten(0, 1)
    with torch.no_grad(), watched(model, show):
        outputs = model(vertices)
    if logits:
        show("output", _tensor(outputs))
    return _checked(model, names, cuts)


def cuts_by_tangents(
    model: Callable[..., Any], x: Float[Tensor, "n ..."], frame: Float[Tensor, "P ..."], radius: float, ball: bool,
    logits: bool, block: int,
) -> Cuts:  # fmt: skip
    """Whether the argument of each gate would change its sign in the neighbourhood if it were affine.

    Args:
        model: The model; its functions need forward-mode derivatives in torch.
        x: Points.
        frame: Directions.
        radius: Radius of the neighbourhood.
        ball: Whether that is the ball in the directions' span, rather than the cross-polytope.
        logits: Whether the signs of the outputs count, too.
        block: Directions that are taken at once.

    Returns:
        As `cuts_by_vertices`.
    """
    names: list[str] = []
    arguments: list[Tensor] = []
    reaches: list[Tensor] = []
    for start in range(0, len(frame), block):
        directions = frame[start : start + block]
        found: list[tuple[str, Tensor, Tensor]] = []

        def show(
            name: str, argument: Tensor, found: list[tuple[str, Tensor, Tensor]] = found, size: int = len(directions)
        ) -> None:
            value, tangent = forward_ad.unpack_dual(argument)
            rows = by_point(name, value, len(x) * size).reshape(len(x), size, -1)
            slopes = torch.zeros_like(rows) if tangent is None else tangent.reshape(rows.shape)
            steep = slopes.square().sum(dim=1) if ball else slopes.abs().amax(dim=1)
            found.append((name, rows[:, 0].clone(), steep))

        rows = x.repeat_interleave(len(directions), dim=0)
        with torch.no_grad(), forward_ad.dual_level(), watched(model, show):
            outputs = model(forward_ad.make_dual(rows, directions.repeat(len(x), *(1,) * (x.ndim - 1))))
            if logits:
                show("output", _tensor(outputs))
        steep = [entry[2] for entry in found]
        if not reaches:
            names, arguments, reaches = [entry[0] for entry in found], [entry[1] for entry in found], steep
        else:
            both = zip(reaches, steep, strict=True)
            reaches = [one + other if ball else torch.maximum(one, other) for one, other in both]
    radii = [radius * (reach.sqrt() if ball else reach) for reach in reaches]
    pairs = zip(arguments, radii, strict=True)
    return _checked(model, names, [signs_differ(value - reach, value + reach) for value, reach in pairs])


def _checked(model: Callable[..., Any], names: list[str], cuts: list[Tensor]) -> Cuts:
    if not [name for name in names if name != "output"]:
        raise InvalidInputError(
            f"`model`: no gate was seen in {type(model).__name__}; expected activations such as relu, gelu or silu (a "
            "piecewise affine network with others is best loaded by `splinescope.load`, which sees all of its folds)"
        )
    return tuple(names), cuts


def _tensor(outputs: Any) -> Tensor:
    """The one tensor that a model returns, or the logits of a result with such a field."""
    found = getattr(outputs, "logits", outputs)
    if not isinstance(found, Tensor):
        raise InvalidInputError(f"`logits`: the model returns {type(outputs).__name__}; expected a tensor")
    return found
