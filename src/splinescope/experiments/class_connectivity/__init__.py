"""Paths inside a class, straight or bent, at the input and at layers: how many pairs are joined, with proof."""

from splinescope.experiments.class_connectivity import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
