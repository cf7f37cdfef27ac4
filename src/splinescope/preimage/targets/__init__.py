"""Sets of outputs of which preimages are asked, and files that say them."""

from splinescope.preimage.targets.sets import (
    Alternative,
    BoxTarget,
    ClassTarget,
    PointTarget,
    PolytopeTarget,
    Target,
    UnionTarget,
)
from splinescope.preimage.targets.vnnlib import Specification, read_vnnlib

__all__ = [
    "Alternative",
    "BoxTarget",
    "ClassTarget",
    "PointTarget",
    "PolytopeTarget",
    "Specification",
    "Target",
    "UnionTarget",
    "read_vnnlib",
]
