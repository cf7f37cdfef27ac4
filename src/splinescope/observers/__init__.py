"""Watching a model train: measures at chosen steps, in a log that survives a crash, without a trace in the run."""

from splinescope.observers.attacks import pgd
from splinescope.observers.log import read_log
from splinescope.observers.measures import (
    Accuracy,
    AdversarialAccuracy,
    AffineNorm,
    BoundaryDistance,
    CellCount,
    ClassAreas,
    CodeChurn,
    MeanLocalComplexity,
    SliceFrames,
    saved_frames,
)
from splinescope.observers.recorder import Comparison, Measure, Recorder, Watch
from splinescope.observers.schedule import log_spaced_steps
from splinescope.observers.snapshot import Snapshot

__all__ = [
    "Accuracy",
    "AdversarialAccuracy",
    "AffineNorm",
    "BoundaryDistance",
    "CellCount",
    "ClassAreas",
    "CodeChurn",
    "Comparison",
    "MeanLocalComplexity",
    "Measure",
    "Recorder",
    "SliceFrames",
    "Snapshot",
    "Watch",
    "log_spaced_steps",
    "pgd",
    "read_log",
    "saved_frames",
]
