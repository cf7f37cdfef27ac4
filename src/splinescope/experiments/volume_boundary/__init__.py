"""Whether a network stretches areas most where it decides: volume elements at the decision boundary, exactly."""

from splinescope.experiments.shared.experiment import Experiment
from splinescope.experiments.volume_boundary import claims, figures, run, settings

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
