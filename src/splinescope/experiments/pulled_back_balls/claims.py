"""What is claimed of pulled-back balls, held against the numbers."""

from __future__ import annotations

import numpy as np

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Hauser and Ray 2017"


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts."""
    networks = numbers["networks"]
    worst = {
        key: max(one[key] for one in networks)
        for key in ("product_error", "form_error", "output_error", "roundness_error")
    }
    drawn = np.median([one["roundness_of_drawn"] for one in networks], axis=0)
    ratios = np.median([one["ratios"] for one in networks], axis=0)
    return (
        Claim.judged(
            "The metric at each layer is pulled back from the next one by products of Jacobians",
            f"{SOURCE}, equation 10",
            theirs="a recursion",
            ours="factors at all layers, from the outputs back, times Jacobians from the input up to there, by the "
            f"network's recursion, are that of all up to {worst['product_error']:.1g}, in {len(networks)} networks",
            tolerance="1e-12, relative",
            holds=worst["product_error"] < 1e-12,
        ),
        Claim.judged(
            "Balls of radius e are ellipses with semi-axes e / sqrt(eigenvalue), and circles at the last layer",
            f"{SOURCE}, figure 3",
            theirs="circles at the last layer; a public program draws e sqrt(eigenvalue), which is another curve",
            ours=f"v^T g v = e^2 on all semi-axes up to {worst['form_error']:.1g}; those of the last layer are e up to "
            f"{worst['output_error']:.1g}",
            tolerance="1e-9, relative",
            holds=max(worst["form_error"], worst["output_error"]) < 1e-9,
        ),
        Claim.judged(
            "The layers that follow make a circle of each ellipse",
            f"{SOURCE}, figure 3",
            theirs="to be seen in the picture",
            ours=f"ellipses of a millionth of the extent become circles up to {worst['roundness_error']:.1g} of their "
            f"radius; those that are drawn up to {drawn[0]:.1%} from the input and {drawn[len(drawn) // 2]:.1%} from "
            f"layer {len(drawn) // 2} (medians), since layers bend",
            tolerance="1e-3 for small ones",
            holds=worst["roundness_error"] < 1e-3,
        ),
        Claim.told(
            "How long balls are at the input",
            f"{SOURCE}, figure 3",
            theirs="no numbers",
            ours=f"long by short axis {ratios[0]:.3g} at the input, {ratios[len(ratios) // 2]:.3g} at layer "
            f"{len(ratios) // 2}, {ratios[-1]:.3g} at the last (medians); the metric has rank "
            f"{min(one['least_rank'] for one in networks)} or more everywhere; accuracies from "
            f"{min(one['accuracy'] for one in networks):.1%}",
        ),
    )


def tables(numbers: Numbers) -> dict[str, Table]:
    """One row for each network and layer."""
    rows = tuple(
        (repeat, layer, *(one[key][layer] for key in ("short_axes", "long_axes", "ratios", "roundness_of_drawn")))
        for repeat, one in enumerate(numbers["networks"])
        for layer in range(len(one["ratios"]))
    )
    return {"layers": Table(("network", "layer", "short_axis", "long_axis", "ratio", "roundness_of_drawn"), rows)}
