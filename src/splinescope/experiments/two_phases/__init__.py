"""Whether trainings have two phases: churn of codes, convexity along checkpoints, rotation of the tangent kernel."""

from splinescope.experiments.shared.experiment import Experiment
from splinescope.experiments.two_phases import claims, figures, run, settings

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
