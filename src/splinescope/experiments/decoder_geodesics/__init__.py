"""Shortest paths of a trained decoder of images, beside the straight lines of its latents."""

from splinescope.experiments.decoder_geodesics import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
