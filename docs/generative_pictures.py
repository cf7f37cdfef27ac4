"""Makes `_static/generative-digits.png` of three folders that `splinescope sample` left, at rho -2, 0 and 1.

python docs/generative_pictures.py minus zero one
"""

import json
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from splinescope.plotting import plot_samples

HERE = Path(__file__).resolve().parent


def main() -> None:
    folders = [Path(word) for word in sys.argv[1:]]
    figure = Figure(figsize=(9.0, 3.3), layout="compressed")
    for ax, folder in zip(figure.subplots(1, len(folders)), folders, strict=True):
        summary = json.loads((folder / "summary.json").read_text())
        with np.load(folder / "samples.npz") as arrays:
            size = summary["effective_sample_size"]
            title = rf"$\rho$ = {summary['rho']:g}; effective sample size {size:,.0f}"
            plot_samples(arrays["outputs"], ax, columns=8, title=title)
    figure.savefig(HERE / "_static" / "generative-digits.png", dpi=140)


if __name__ == "__main__":
    main()
