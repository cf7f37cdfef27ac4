"""The folds of a toy network layer by layer, without and with batch-norm, around the data."""

from splinescope.experiments.batchnorm_tessellation import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
