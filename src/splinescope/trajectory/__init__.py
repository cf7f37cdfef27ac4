"""Networks beside each other and along their layers: comparison, symmetries, decision trees, trajectories."""

from splinescope.trajectory.comparison.compare import Comparison, compare
from splinescope.trajectory.symmetry.align import Alignment, LossBarrier, align, alignment, loss_barrier
from splinescope.trajectory.symmetry.canonical import CanonicalForm, canonical_form, equal_up_to_symmetry
from splinescope.trajectory.symmetry.symmetries import Symmetries, Symmetry, symmetries

__all__ = [
    "Alignment",
    "CanonicalForm",
    "Comparison",
    "LossBarrier",
    "Symmetries",
    "Symmetry",
    "align",
    "alignment",
    "canonical_form",
    "compare",
    "equal_up_to_symmetry",
    "loss_barrier",
    "symmetries",
]
