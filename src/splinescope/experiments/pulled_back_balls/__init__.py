"""Balls of constant radius, as the outputs measure it, at every layer of a network that untangles two spirals."""

from splinescope.experiments.pulled_back_balls import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
