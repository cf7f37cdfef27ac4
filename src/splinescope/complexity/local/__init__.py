"""Local complexity: how many units fold in a small neighbourhood of an input."""

from splinescope.complexity.local.measure import local_complexity
from splinescope.complexity.local.neighbourhoods import orthonormal_frame
from splinescope.complexity.local.result import LocalComplexity

__all__ = ["LocalComplexity", "local_complexity", "orthonormal_frame"]
