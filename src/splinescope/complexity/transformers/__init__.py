"""The MLP blocks of transformers as splines of their inputs: found by structure, measured token by token."""

from splinescope.complexity.transformers.blocks import MlpBlock, MlpSearch, SkippedBlock, find_mlp_blocks, mlp_blocks
from splinescope.complexity.transformers.features import spline_features
from splinescope.complexity.transformers.result import FEATURES, SplineFeatures

__all__ = [
    "FEATURES",
    "MlpBlock",
    "MlpSearch",
    "SkippedBlock",
    "SplineFeatures",
    "find_mlp_blocks",
    "mlp_blocks",
    "spline_features",
]
