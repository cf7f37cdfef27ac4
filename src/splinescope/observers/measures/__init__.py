"""Ready-made measures; each is a frozen dataclass, called with a snapshot."""

from splinescope.observers.measures.churn import CodeChurn
from splinescope.observers.measures.performance import Accuracy, AdversarialAccuracy
from splinescope.observers.measures.points import AffineNorm, BoundaryDistance, MeanLocalComplexity
from splinescope.observers.measures.slices import CellCount, ClassAreas, SliceFrames, saved_frames

__all__ = [
    "Accuracy",
    "AdversarialAccuracy",
    "AffineNorm",
    "BoundaryDistance",
    "CellCount",
    "ClassAreas",
    "CodeChurn",
    "MeanLocalComplexity",
    "SliceFrames",
    "saved_frames",
]
