"""Preimages of one layer in closed form: planes in general position with their dual basis, and circulant cones."""

from splinescope.experiments.dual_basis import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
