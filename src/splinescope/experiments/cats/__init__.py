"""The exact plane through three images of two classes, under a ConvNet that is trained to tell them apart."""

from splinescope.experiments.cats import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
)
