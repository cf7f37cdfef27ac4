"""Precision and recall of a generator by the exponent of its volumes, beside truncation; what uniform samples test."""

from splinescope.experiments.precision_recall import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
