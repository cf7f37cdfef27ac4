"""Singular values of the map downstream of each layer, from plain networks to residual ones."""

from splinescope.experiments.loss_conditioning import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
