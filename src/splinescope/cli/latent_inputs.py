"""Generators as commands are given them: up to a layer, with conditions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from splinescope.cli.values import shape_of
from splinescope.errors import InvalidInputError

if TYPE_CHECKING:
    from torch import nn

    from splinescope.network import Network


def latent_shape(model: nn.Module | Network, given: str | None) -> tuple[int, ...]:
    """Shape of one latent: that of a network's input, the one that was given, or what the first linear layer takes.

    Args:
        model: The generator.
        given: What was given as `--input-shape`.

    Returns:
        The shape.

    Raises:
        InvalidInputError: If nothing tells.
    """
    from torch import nn

    from splinescope.network import Network

    if isinstance(model, Network):
        return model.input_shape
    shape = shape_of("--input-shape", given)
    first = next((part for part in model.modules() if not any(True for _ in part.children())), None)
    if shape is None and isinstance(first, nn.Linear):
        shape = (first.in_features,)
    if shape is None:
        raise InvalidInputError("`--input-shape`: not given; expected the shape of one latent, as in 100 or 100,1,1")
    return shape


def ends_given(
    model: nn.Module | Network, shape: tuple[int, ...], layer: str | None, words: list[str] | None
) -> tuple[nn.Module | Network, tuple[int, ...]]:
    """The generator up to a layer and with its condition given, and the shape of what is left of its input.

    Args:
        model: The generator.
        shape: Shape of one input.
        layer: What was given as `--layer`.
        words: What was given as `--condition`.

    Returns:
        Generator and shape.

    Raises:
        InvalidInputError: If there is no such layer or place.
    """
    from splinescope.generative import conditioned
    from splinescope.network import Network
    from splinescope.network.splits import split

    if layer is not None:
        if not isinstance(model, Network):
            raise InvalidInputError("`--layer`: got a module; expected a model file")
        try:
            model = split(model, layer).before
        except InvalidInputError as error:
            raise InvalidInputError(str(error).replace("`at`", "`--layer`")) from error
    if not words:
        return model, shape
    numbers = {}
    for word in words:
        place, _, value = word.partition("=")
        try:
            at, number = int(place), float(value)
        except ValueError:
            raise InvalidInputError(f"`--condition`: got {word!r}; expected PLACE=NUMBER, as in 0=0.5") from None
        if at in numbers:
            raise InvalidInputError(f"`--condition`: place {at} is given twice; expected each once")
        numbers[at] = number
    try:
        return conditioned(model, numbers, shape), (math.prod(shape) - len(numbers),)
    except InvalidInputError as error:
        raise InvalidInputError(str(error).replace("`numbers`", "`--condition`")) from error
