"""
Experiments on learning
=======================

Two experiments of the literature, run anew on the spot: their figures, and what became of the claims.
"""

# %%
# Batch-norm bends the folds of a network towards its data. Each claim of the source is held against what is found.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from splinescope.experiments import Report, reproduce


def show(report: Report, folder: Path, figure: str) -> None:
    """Print the verdicts, and show a figure that the experiment left."""
    for claim in report.claims:
        print(f"{claim.verdict}: {claim.statement}\n    {claim.source}: {claim.theirs}\n    here: {claim.ours}")
    picture = plt.imread(folder / f"{figure}.png")
    _, ax = plt.subplots(figsize=(picture.shape[1] / 210, picture.shape[0] / 210), layout="constrained")
    ax.imshow(picture)
    ax.set_axis_off()


folder = Path(tempfile.mkdtemp())
show(reproduce("batchnorm-tessellation", "smoke", out=folder), folder, "layers")

# %%
# How dense are the folds of deep layers around the data? Rows: zero biases, random biases, batch-norm.

folder = Path(tempfile.mkdtemp())
show(reproduce("batchnorm-density", "smoke", out=folder), folder, "density")

# %%
# Local complexity, accuracy and accuracy under attack while a small network learns digits. So short a run doesn't grok,
# and the claims say so; `splinescope reproduce grokking --preset paper --data mnist` does.

folder = Path(tempfile.mkdtemp())
show(reproduce("grokking", "smoke", out=folder, settings={"steps": 1000}), folder, "training")
