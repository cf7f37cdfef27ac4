"""The vocabulary of ops that every network is made of."""

from splinescope.network.ops.affine import AxisMap, Dense, Reshape, Scale, Select, SharedDense
from splinescope.network.ops.base import Affine, Input, Op
from splinescope.network.ops.convolution import Convolution, TransposedConvolution
from splinescope.network.ops.folding import Activation, Fold, Maximum
from splinescope.network.ops.joins import Concatenate, Sum

__all__ = [
    "Activation",
    "Affine",
    "AxisMap",
    "Concatenate",
    "Convolution",
    "Dense",
    "Fold",
    "Input",
    "Maximum",
    "Op",
    "Reshape",
    "Scale",
    "Select",
    "SharedDense",
    "Sum",
    "TransposedConvolution",
]
