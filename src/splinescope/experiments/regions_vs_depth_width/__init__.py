"""Cells counted along depth, along width and during training, beside what theory says of their number."""

from splinescope.experiments.regions_vs_depth_width import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
