"""What a network maps where, exactly: preimages of layers and of whole networks, cones and nesting."""

from splinescope.preimage.checks import PreimageCertificate
from splinescope.preimage.engine import preimage_of
from splinescope.preimage.intermediate import IntermediatePreimage, intermediate_preimages
from splinescope.preimage.layers.circulant import Circulant, CirculantPreimage
from splinescope.preimage.layers.contraction import Contraction, contraction, flow, nested_cells, nested_pieces
from splinescope.preimage.layers.convolutions import (
    LayerNesting,
    distance_to_circulant,
    frequency_blocks,
    network_nesting,
)
from splinescope.preimage.layers.dual_basis import DualBasis, Fan, dual_basis, layer_preimage
from splinescope.preimage.layers.nested_by_design import nearest_nested, nested_
from splinescope.preimage.layers.nesting import Nesting, Obstacle, nesting
from splinescope.preimage.piece import Piece
from splinescope.preimage.polytopes import Polytope, polytope
from splinescope.preimage.preimage import Preimage
from splinescope.preimage.saving import open_preimage
from splinescope.preimage.shares import Interval
from splinescope.preimage.targets import (
    BoxTarget,
    ClassTarget,
    PointTarget,
    PolytopeTarget,
    Specification,
    Target,
    UnionTarget,
    read_vnnlib,
)

__all__ = [
    "BoxTarget",
    "Circulant",
    "CirculantPreimage",
    "ClassTarget",
    "Contraction",
    "DualBasis",
    "Fan",
    "IntermediatePreimage",
    "Interval",
    "LayerNesting",
    "Nesting",
    "Obstacle",
    "Piece",
    "PointTarget",
    "Polytope",
    "PolytopeTarget",
    "Preimage",
    "PreimageCertificate",
    "Specification",
    "Target",
    "UnionTarget",
    "contraction",
    "distance_to_circulant",
    "dual_basis",
    "flow",
    "frequency_blocks",
    "intermediate_preimages",
    "layer_preimage",
    "nearest_nested",
    "nested_",
    "nested_cells",
    "nested_pieces",
    "nesting",
    "network_nesting",
    "open_preimage",
    "polytope",
    "preimage_of",
    "read_vnnlib",
]
