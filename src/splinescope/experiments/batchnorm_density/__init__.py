"""How dense the folds of a deep, wide network are around the data: zero biases, random biases, batch-norm."""

from splinescope.experiments.batchnorm_density import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
