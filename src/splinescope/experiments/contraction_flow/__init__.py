"""How layers with ReLU take a quadrant to its faces: flows, exact shares, and counts of cells."""

from splinescope.experiments.contraction_flow import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
