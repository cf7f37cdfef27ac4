"""Modules looked at in a plane: imported and tessellated in one call."""

from __future__ import annotations

from torch import nn

from splinescope.network import from_torch
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.planar.engine import tessellate_slice


def square(half: float) -> Slice:
    """The square around the origin of a two-dimensional input space.

    Args:
        half: Half its side.

    Returns:
        The domain.
    """
    return Slice.box([-half, -half], [half, half])


def cells_of(module: nn.Module, domain: Slice, verify: str = "values") -> PlanarComplex:
    """The exact tessellation of a module in a plane.

    Args:
        module: A continuous piecewise affine module.
        domain: The plane.
        verify: Level of the certificate, as in `tessellate`.

    Returns:
        The complex.
    """
    return tessellate_slice(from_torch(module, input_shape=domain.input_shape), domain, verify=verify)
