"""The loss around a residual network and around the same one without its skips."""

from splinescope.experiments.loss_landscape import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
