"""The same spirals untangled by plain and residual networks, by one of second order, and without one identity."""

from splinescope.experiments.shared.experiment import Experiment
from splinescope.experiments.spirals import claims, figures, run, settings

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
