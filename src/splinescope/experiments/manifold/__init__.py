"""The piecewise affine surface of a generator: its cells, their volumes, and points uniform on it."""

from splinescope.experiments.manifold import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
