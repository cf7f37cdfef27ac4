"""The piecewise planar surface that circulant layers flatten into a triangle, layer by layer."""

from splinescope.experiments.flattening import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
