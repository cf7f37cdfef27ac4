"""Whether a chain of layers is convex in its weights: Rocke's experiment, with what he leaves open as options."""

from splinescope.experiments.convexity import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
