"""How complex a network's tessellation is: what theory predicts beside what is there, and how far things are apart."""

from splinescope.complexity.distances.local_formula import LocalDistances, local_distances, unit_distances
from splinescope.complexity.distances.planar import DistanceComparison, boundary_distances, fold_distances
from splinescope.complexity.distances.search import NearestPoint, nearest_boundary, nearest_fold
from splinescope.complexity.local import LocalComplexity, local_complexity, orthonormal_frame
from splinescope.complexity.theory.architectures import Architecture, FoldingLayer, architecture
from splinescope.complexity.theory.arrangements import (
    LinesInWindow,
    buck_bounded,
    layer_upper,
    lines_in_window,
    mean_degree_upper,
    shallow_mean_degree,
    zaslavsky,
    zaslavsky_central,
)
from splinescope.complexity.theory.bounds import (
    hanin_rolnick_average,
    montufar_2014_lower,
    montufar_2017_upper,
    serra_2018_lower,
    serra_2018_upper,
    telgarsky_upper,
    trivial_upper,
)
from splinescope.complexity.theory.degrees import DegreeStatistics, degree_statistics
from splinescope.complexity.theory.deletion import (
    DeletionRestriction,
    FaceCounts,
    deletion_restriction,
    without_unit,
)
from splinescope.complexity.theory.power_diagrams import PowerCheck, PowerDiagram, check_power_diagram, power_diagram
from splinescope.complexity.theory.table import BoundRow, RegionBounds, region_bounds
from splinescope.complexity.transformers import (
    MlpBlock,
    MlpSearch,
    SkippedBlock,
    SplineFeatures,
    find_mlp_blocks,
    mlp_blocks,
    spline_features,
)

__all__ = [
    "Architecture",
    "BoundRow",
    "DegreeStatistics",
    "DeletionRestriction",
    "DistanceComparison",
    "FaceCounts",
    "FoldingLayer",
    "LinesInWindow",
    "LocalComplexity",
    "LocalDistances",
    "MlpBlock",
    "MlpSearch",
    "NearestPoint",
    "PowerCheck",
    "PowerDiagram",
    "RegionBounds",
    "SkippedBlock",
    "SplineFeatures",
    "architecture",
    "boundary_distances",
    "buck_bounded",
    "check_power_diagram",
    "degree_statistics",
    "deletion_restriction",
    "find_mlp_blocks",
    "fold_distances",
    "hanin_rolnick_average",
    "layer_upper",
    "lines_in_window",
    "local_complexity",
    "local_distances",
    "mean_degree_upper",
    "mlp_blocks",
    "montufar_2014_lower",
    "montufar_2017_upper",
    "nearest_boundary",
    "nearest_fold",
    "orthonormal_frame",
    "power_diagram",
    "region_bounds",
    "serra_2018_lower",
    "serra_2018_upper",
    "shallow_mean_degree",
    "spline_features",
    "telgarsky_upper",
    "trivial_upper",
    "unit_distances",
    "without_unit",
    "zaslavsky",
    "zaslavsky_central",
]
