"""A rare class: how often a generator makes it by its own law, and uniformly on its manifold."""

from splinescope.experiments.debias import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
