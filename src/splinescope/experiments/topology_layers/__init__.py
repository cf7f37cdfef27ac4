"""Data of known topology through networks that tell it apart: in which layers ReLU, tanh and residual ones simplify."""

from splinescope.experiments.shared.experiment import Experiment
from splinescope.experiments.topology_layers import claims, figures, run, settings

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
