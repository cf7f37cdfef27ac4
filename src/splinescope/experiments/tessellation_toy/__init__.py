"""The tessellation of a toy network of two inputs, layer by layer, and the graph of its output above it."""

from splinescope.experiments.shared.experiment import Experiment
from splinescope.experiments.tessellation_toy import claims, figures, run, settings

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
