"""The arguments that all engines share, checked at the door."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic, TypeVar

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.load import ModelLike, as_network
from splinescope.tessellation.domains import Domain

D = TypeVar("D", bound=Domain)
"""The kind of domain that came is the kind that is asked."""

LEVELS = ("topology", "values", "proof")
"""Levels of a certificate, from the weakest."""


@dataclass(frozen=True, eq=False)
class Question(Generic[D]):
    """What an engine is asked.

    Attributes:
        network: The network.
        domain: Where it is looked at, in the network's input shape.
    """

    network: Network
    domain: D


def question(
    model: ModelLike,
    domain: D,
    verify: str = "values",
    max_cells: int | None = None,
    memory_budget: int | None = None,
) -> Question[D]:
    """The network and the domain that a user means; refuses those that don't fit, and options out of range.

    Args:
        model: A network, or a module or file of one, which is imported for inputs of the domain's shape.
        domain: Where it is to be looked at; its inputs may be flat.
        verify: Level of the certificate.
        max_cells: A number of cells, or None.
        memory_budget: Bytes, or None.

    Returns:
        Both.

    Raises:
        InvalidInputError: With the argument at fault.
        UnsupportedOpError: If a module is not piecewise affine.
    """
    if not isinstance(domain, Domain):
        raise InvalidInputError(f"`domain`: got {type(domain).__name__}; expected a Segment, a Slice or a Box")
    check_options(verify, max_cells, memory_budget)
    network = as_network(model, domain.input_shape)
    return Question(network, fitted(domain, network.input_shape))


def check_options(verify: str, max_cells: int | None, memory_budget: int | None) -> None:
    """Refuse options that are out of range.

    Args:
        verify: Level of the certificate.
        max_cells: A number of cells, or None.
        memory_budget: Bytes, or None.

    Raises:
        InvalidInputError: With the option at fault.
    """
    if verify not in LEVELS:
        raise InvalidInputError(f"`verify`: got {verify!r}; expected one of {', '.join(map(repr, LEVELS))}")
    for name, value in (("max_cells", max_cells), ("memory_budget", memory_budget)):
        if value is not None and value < 1:
            raise InvalidInputError(f"`{name}`: got {value}; expected a positive number or None")


def fitted(domain: D, input_shape: tuple[int, ...]) -> D:
    """A domain in a network's input shape.

    Args:
        domain: The domain; its inputs may be flat, or in a shape where the network's are flat.
        input_shape: The network's input shape.

    Returns:
        The domain itself if it has the shape, else the same one with inputs of that shape.

    Raises:
        InvalidInputError: If its inputs are others.
    """
    if domain.input_shape == input_shape:
        return domain
    flat = (math.prod(input_shape),)
    if math.prod(domain.input_shape) != flat[0] or flat not in (domain.input_shape, input_shape):
        raise InvalidInputError(
            f"`domain`: its points have shape {domain.input_shape}; the network's input has shape {input_shape}"
        )
    return domain.reshaped(input_shape)
