"""Angles at which the hyperplanes of deeper units fold where they cross those of earlier ones."""

from splinescope.experiments.folded_hyperplanes import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
