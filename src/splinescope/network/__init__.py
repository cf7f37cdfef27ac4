"""What a continuous piecewise affine network is, and how one is read from torch, ONNX and other files."""

from splinescope.network.from_onnx import from_onnx
from splinescope.network.from_torch import from_torch
from splinescope.network.graph import Deviation, ImportReport, Network, Node, NodeSummary
from splinescope.network.heads import Head
from splinescope.network.load import load

__all__ = ["Deviation", "Head", "ImportReport", "Network", "Node", "NodeSummary", "from_onnx", "from_torch", "load"]
