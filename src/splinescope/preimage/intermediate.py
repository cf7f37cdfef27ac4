"""Preimages layer by layer: what each layer of a network has to return for the rest to end in a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from splinescope.network import Boundary, Network, boundaries, split
from splinescope.network.load import ModelLike
from splinescope.preimage.boxes import Boxes
from splinescope.preimage.engine import preimage_of
from splinescope.preimage.preimage import Preimage
from splinescope.preimage.targets.sets import Target
from splinescope.shown import Shown
from splinescope.tessellation.arguments import question
from splinescope.tessellation.domains import Box, Domain
from splinescope.tessellation.enclosure import Enclosure, over_boxes


@dataclass(frozen=True, eq=False)
class IntermediatePreimage(Shown):
    """The preimage at one layer.

    Attributes:
        boundary: The layer.
        preimage: All values there, within sound bounds of what the domain can reach, that the rest of the network maps
            into the target; of the input itself it is the preimage in the domain.
    """

    boundary: Boundary
    preimage: Preimage


def intermediate_preimages(
    network: ModelLike, target: Target, domain: Domain, *, at: Sequence[int | str] | None = None, **limits: Any
) -> tuple[IntermediatePreimage, ...]:
    """Preimages of a target at the layers of a network, from the input on.

    An input is in the preimage exactly if its value at each layer is in the one there. Not all values there are
    reached from the domain.

    Args:
        network: A continuous piecewise affine network; or a module or the path of a file, which is imported.
        target: A set of outputs.
        domain: A box, slice or segment of inputs.
        at: Layers, by the numbers or names of `boundaries`; by default the input, and behind every fold through which
            all paths lead.
        **limits: `max_cells`, `time_limit` and `verify` of each preimage, as for `preimage_of`.

    Returns:
        One entry for each layer, in the order of `at`.

    Raises:
        InvalidInputError: As `preimage_of` and `split`.

    Cost: a preimage for each layer, in as many dimensions as it has units that the domain moves; see `preimage_of`.

    Example:
        Behind the first ReLU the sum is at most 1 on a triangle, before it also where an input is negative:

        >>> import splinescope, torch
        >>> from splinescope.preimage import PolytopeTarget
        >>> box = splinescope.Box([-1.0, -1.0], [2.0, 2.0])
        >>> found = intermediate_preimages(torch.nn.ReLU(), PolytopeTarget([[1.0, 1.0]], [1.0]), box)
        >>> [(stage.boundary.name, len(stage.preimage), round(stage.preimage.volume, 9)) for stage in found]
        [('input', 4, 3.5), ('relu', 1, 0.5)]
    """
    asked = question(network, domain, limits.get("verify", "values"), limits.get("max_cells"))
    if at is None:
        places = boundaries(asked.network)
        at = [0, *(place.index for place in places if asked.network.nodes[place.node].units)]
    return tuple(_stage(asked.network, target, asked.domain, place, limits) for place in at)


def _stage(
    network: Network, target: Target, domain: Domain, at: int | str, limits: dict[str, Any]
) -> IntermediatePreimage:
    parts = split(network, at)
    if parts.boundary.node == 0:
        return IntermediatePreimage(parts.boundary, preimage_of(network, target, domain, **limits))
    around = Boxes.around(domain)
    ends = [end[0].numpy() for end in Enclosure(parts.before)(over_boxes(around.low, around.high, domain)).ends()]
    fold = parts.before.nodes[parts.before.output].fold
    if fold is not None and fold.clamps:
        ends = [np.maximum(end, 0.0) for end in ends]
    low, high = (end.reshape(parts.boundary.shape) for end in ends)
    reached = Box(low, high)
    return IntermediatePreimage(parts.boundary, preimage_of(parts.after, target, reached, **limits))
