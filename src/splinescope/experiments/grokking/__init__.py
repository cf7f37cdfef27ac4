"""Grokking: local complexity, exact slices and adversarial accuracy while a network goes on training."""

from splinescope.experiments.grokking import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
    animations=figures.animations,
)
