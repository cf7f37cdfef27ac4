"""Whether training moves convolutions towards nesting, and how much of the domain they contract."""

from splinescope.experiments.shared.experiment import Experiment
from splinescope.experiments.trained_convolutions import claims, figures, run, settings

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
