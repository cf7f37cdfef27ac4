"""Networks beside each other and along their layers: comparison, symmetries, decision trees, trajectories."""

from splinescope.trajectory.comparison.compare import Comparison, compare
from splinescope.trajectory.patterns.decision_tree import DecisionTree, TreeLevel, decision_tree
from splinescope.trajectory.patterns.feature_maps import FeatureMaps, feature_maps
from splinescope.trajectory.roads.depth_limit import DepthLimit, depth_limit
from splinescope.trajectory.roads.straightening import Straightening, straightening
from splinescope.trajectory.roads.trajectories import Trajectories, trajectories
from splinescope.trajectory.symmetry.align import Alignment, LossBarrier, align, alignment, loss_barrier
from splinescope.trajectory.symmetry.canonical import CanonicalForm, canonical_form, equal_up_to_symmetry
from splinescope.trajectory.symmetry.symmetries import Symmetries, Symmetry, symmetries

__all__ = [
    "Alignment",
    "CanonicalForm",
    "Comparison",
    "DecisionTree",
    "DepthLimit",
    "FeatureMaps",
    "LossBarrier",
    "Straightening",
    "Symmetries",
    "Symmetry",
    "Trajectories",
    "TreeLevel",
    "align",
    "alignment",
    "canonical_form",
    "compare",
    "decision_tree",
    "depth_limit",
    "equal_up_to_symmetry",
    "feature_maps",
    "loss_barrier",
    "straightening",
    "symmetries",
    "trajectories",
]
