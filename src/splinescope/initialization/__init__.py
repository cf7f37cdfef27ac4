"""Where the folds are at initialisation, and who puts them there: batch-norm, biases, and the data."""

from splinescope.initialization.batchnorm import BatchStatistics, batch_statistics, fold_batchnorm
from splinescope.initialization.data_init import data_init
from splinescope.initialization.density import FoldDensity, LocalFoldDensity, fold_density, local_fold_density
from splinescope.initialization.jitter import BoundaryJitter, boundary_jitter
from splinescope.initialization.least_squares import LayerFit, total_least_squares
from splinescope.initialization.rules import RULES, Mean, Median, Midrange, Quantile, Rule, ThroughSamples

__all__ = [
    "RULES",
    "BatchStatistics",
    "BoundaryJitter",
    "FoldDensity",
    "LayerFit",
    "LocalFoldDensity",
    "Mean",
    "Median",
    "Midrange",
    "Quantile",
    "Rule",
    "ThroughSamples",
    "batch_statistics",
    "boundary_jitter",
    "data_init",
    "fold_batchnorm",
    "fold_density",
    "local_fold_density",
    "total_least_squares",
]
