"""Convolutions kept nested while they train: what it costs in accuracy, and what it buys in cells."""

from splinescope.experiments.nested_by_design import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
