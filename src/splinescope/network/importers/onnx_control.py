"""Branches and loops of an ONNX graph that constants decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.network.importers.builder import Builder
from splinescope.network.importers.rearrangements import move
from splinescope.network.importers.views import DEPENDENT

if TYPE_CHECKING:
    import onnx

DEPENDS = "splinescope does not follow loops or branches that depend on the input"
_ROUNDS = 10_000
"""Rounds that a loop may have; each becomes nodes of its own."""


def branch(b: Builder, inputs: Sequence[Any], attributes: dict[str, Any]) -> onnx.GraphProto:
    """The branch that a constant condition takes.

    Args:
        b: The builder.
        inputs: The condition.
        attributes: Both branches.

    Returns:
        The branch's graph.

    Raises:
        UnsupportedOpError: If the condition depends on the network's input.
    """
    chosen: onnx.GraphProto = attributes["then_branch" if _one(b, inputs[0], True) else "else_branch"]
    return chosen


def loop(
    b: Builder, body: onnx.GraphProto, inputs: Sequence[Any], run: Callable[[dict[str, Any]], list[Any]]
) -> list[Any]:
    """A loop, round by round.

    Args:
        b: The builder.
        body: What each round does: it takes the round's number, a condition and what is carried on, and returns a
            condition, what is carried on, and numbers to be stacked over all rounds.
        inputs: The largest number of rounds, the first condition (either may be None), and what is carried on first.
        run: Runs the body with values for its inputs.

    Returns:
        What was carried on last, and the stacks.

    Raises:
        UnsupportedOpError: If the number of rounds depends on the network's input, or is too large.
    """
    limit, condition, *carried = (*inputs, None, None)[: max(2, len(inputs))]
    names, kept = [given.name for given in body.input], len(carried)
    if len(names) != 2 + kept or len(body.output) < 1 + kept:
        raise InvalidInputError(
            f"`model`: node `{b.origin}` carries {kept} values on; its body has {len(names)} inputs and "
            f"{len(body.output)} outputs"
        )
    stacks: list[list[Any]] = [[] for _ in body.output[1 + kept :]]
    asked, rounds = condition is not None, 0
    while _one(b, condition, True) and _one(b, limit, rounds + 1) > rounds:
        if rounds == _ROUNDS:
            raise b.refusal(f"its loop has more than {_ROUNDS:,} rounds")
        given = (torch.tensor(rounds), condition if asked else torch.tensor(True), *carried)
        after, *made = run(dict(zip(names, given, strict=True)))
        condition = after if asked else None
        carried = made[:kept]
        for stack, value in zip(stacks, made[kept:], strict=True):
            stack.append(value)
        rounds += 1
    return [*carried, *(_stacked(b, stack) for stack in stacks)]


def _one(b: Builder, value: Any, default: int) -> int:
    """One number that is known."""
    if value is None:
        return default
    if not isinstance(value, Tensor):
        raise b.refusal(DEPENDS)
    if value.numel() != 1:
        raise InvalidInputError(f"`model`: node `{b.origin}` has a condition of shape {tuple(value.shape)}")
    return int(value)


def _stacked(b: Builder, values: list[Any]) -> Any:
    if not values:
        raise b.refusal("its loop has no round, and a result that is stacked over all of them")
    if not any(isinstance(value, DEPENDENT) for value in values):
        return torch.stack(values)
    return move(b, lambda *arrays: np.stack(arrays), values)
