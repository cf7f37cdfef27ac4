"""Whether small batches tear the image of connected data apart: spirals through residual networks of width two."""

from splinescope.experiments.batch_size import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
