"""What a continuous piecewise affine network is, and how one is read from torch, ONNX and other files."""

from splinescope.network.graph import Deviation, ImportReport, Network, Node, NodeSummary
from splinescope.network.heads import Head
from splinescope.network.importers.from_onnx import from_onnx
from splinescope.network.importers.from_sklearn import from_sklearn
from splinescope.network.importers.from_torch import from_torch
from splinescope.network.load import ModelLike, as_network, load
from splinescope.network.module_splits import ModuleSplit, split_module
from splinescope.network.splits import Boundary, Split, boundaries, split

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
    "from_sklearn",
    "from_torch",
    "load",
    "split",
    "split_module",
]
