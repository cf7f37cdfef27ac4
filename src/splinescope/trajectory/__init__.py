"""Networks beside each other and along their layers: comparison, symmetries, decision trees, trajectories."""

from splinescope.trajectory.comparison.compare import Comparison, compare

__all__ = ["Comparison", "compare"]
