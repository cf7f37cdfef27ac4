"""What a continuous piecewise affine network is, and how one is read from torch, ONNX and other files."""

from splinescope.network.cuts import Boundary, Split, boundaries, split
from splinescope.network.from_onnx import from_onnx
from splinescope.network.from_torch import from_torch
from splinescope.network.graph import Deviation, ImportReport, Network, Node, NodeSummary
from splinescope.network.heads import Head
from splinescope.network.load import ModelLike, as_network, load
from splinescope.network.module_cuts import ModuleSplit, split_module

__all__ = [
    "Boundary",
    "Deviation",
    "Head",
    "ImportReport",
    "ModelLike",
    "ModuleSplit",
    "Network",
    "Node",
    "NodeSummary",
    "Split",
    "as_network",
    "boundaries",
    "from_onnx",
    "from_torch",
    "load",
    "split",
    "split_module",
]
