"""The vocabulary of ops that every network is made of."""

from splinescope.network.ops.activation import Activation, Clip, PiecewiseAffine, Tables
from splinescope.network.ops.affine import AxisMap, Dense, Reshape, Scale, Select, SharedDense
from splinescope.network.ops.base import Affine, AffineOp, Input, Op
from splinescope.network.ops.convolution import Convolution, TransposedConvolution
from splinescope.network.ops.folding import Fold, Reads, Walls
from splinescope.network.ops.joins import Concatenate, Sum
from splinescope.network.ops.maximum import Maximum

__all__ = [
    "Activation",
    "Affine",
    "AffineOp",
    "AxisMap",
    "Clip",
    "Concatenate",
    "Convolution",
    "Dense",
    "Fold",
    "Input",
    "Maximum",
    "Op",
    "PiecewiseAffine",
    "Reads",
    "Reshape",
    "Scale",
    "Select",
    "SharedDense",
    "Sum",
    "Tables",
    "TransposedConvolution",
    "Walls",
]
