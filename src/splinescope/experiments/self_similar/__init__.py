"""Self-similar functions as networks: pieces counted exactly, errors, and folds that attain lower bounds."""

from splinescope.experiments.self_similar import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
