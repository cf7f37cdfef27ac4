"""Polarity sampling of toy generators of the plane: modes, anti-modes and all between, exactly."""

from splinescope.experiments.polarity_toy import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
