"""The arguments that all engines share, checked at the door."""

from __future__ import annotations

from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.tessellation.domains import Domain

LEVELS = ("topology", "values", "proof")
"""Levels of a certificate, from the weakest."""


def check_arguments(
    network: Network,
    domain: Domain,
    verify: str,
    max_cells: int | None = None,
    memory_budget: int | None = None,
) -> None:
    """Refuse a domain that is none or does not fit the network, and options out of range.

    Args:
        network: The network.
        domain: Where it is to be looked at.
        verify: Level of the certificate.
        max_cells: A number of cells, or None.
        memory_budget: Bytes, or None.

    Raises:
        InvalidInputError: With the argument at fault.
    """
    if not isinstance(domain, Domain):
        raise InvalidInputError(f"`domain`: got {type(domain).__name__}; expected a Segment, a Slice or a Box")
    if domain.input_shape != tuple(network.input_shape):
        raise InvalidInputError(
            f"`domain`: its points have shape {domain.input_shape}; the network's input has shape "
            f"{tuple(network.input_shape)}"
        )
    if verify not in LEVELS:
        raise InvalidInputError(f"`verify`: got {verify!r}; expected one of {', '.join(map(repr, LEVELS))}")
    for name, value in (("max_cells", max_cells), ("memory_budget", memory_budget)):
        if value is not None and value < 1:
            raise InvalidInputError(f"`{name}`: got {value}; expected a positive number or None")
