"""Which layers nest: preimages of points of the faces under the identity, narrow and widened cones; the theorem."""

from splinescope.experiments.nested_cones import claims, figures, run, settings
from splinescope.experiments.shared.experiment import Experiment

EXPERIMENT = Experiment(
    settings=settings.Settings,
    run=run.run,
    claims=claims.claims,
    figures=figures.figures,
    tables=claims.tables,
)
