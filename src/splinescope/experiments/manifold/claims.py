"""What is claimed of a generator's surface, held against the numbers."""

from __future__ import annotations

import numpy as np

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

FIGURE = "Balestriero, Humayun and Baraniuk 2024, figure 10"
SOURCE = "Humayun, Balestriero and Baraniuk 2022, arXiv 2110.08009, equation 10"
SURFACES = ("toy", "slice")


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts."""
    toy, through = (numbers[name] for name in SURFACES)
    apart = max(abs(found["volume"] / found["triangulated"] - 1) for found in (toy, through))
    z = max(abs(found["volume"] - found["random"]) / found["random_error"] for found in (toy, through))
    means = [
        [value for value in found["expected_log_volume"].values() if value is not None] for found in (toy, through)
    ]
    entropy = f"minus infinity ({toy['flattened']} cells are flattened)"
    if toy["entropy"] is not None:
        entropy = f"{toy['entropy']:.4g}"
    low, middle, high = toy["log_volume_quantiles"]
    return (
        Claim.judged(
            "The generator stretches each cell by sqrt(det(A^T A)), and the facets make up its surface",
            SOURCE,
            theirs="vol(facet) = vol(cell) sqrt(det(A^T A))",
            ours=f"areas {toy['volume']:.6g} and {through['volume']:.6g}; triangles between the facets' corners differ "
            f"by {apart:.1e}, Jacobians at random latents by {z:.1f} standard errors at most",
            tolerance="1e-9; 4.5 standard errors",
            holds=apart < 1e-9 and z < 4.5,
        ),
        Claim.judged(
            "Latents drawn by volume are uniform on the surface",
            SOURCE,
            theirs="provably uniform",
            ours=f"chi-square test by areas of facets: p = {toy['p_uniform']:.2g} and {through['p_uniform']:.2g}; "
            f"of uniform latents {toy['p_plain']:.1g} and {through['p_plain']:.1g}",
            tolerance="p > 1e-3 for both; uniform latents are told apart with p < 1e-6",
            holds=min(toy["p_uniform"], through["p_uniform"]) > 1e-3 and toy["p_plain"] < 1e-6,
        ),
        Claim.judged(
            "The mean log volume never decreases with the exponent",
            "an exponential family",
            theirs="monotone",
            ours="; ".join(", ".join(f"{value:.3g}" for value in values) for values in means),
            tolerance="exact means do not decrease",
            holds=all((np.diff(values) >= -1e-12).all() for values in means),
        ),
        Claim.told(
            "How differently cells are stretched",
            FIGURE,
            theirs="colours of facets, without numbers; network, weights and window are not given",
            ours=f"{toy['cells']:,} facets; a tenth of the cells are stretched by less than {np.exp(low):.2g} or more "
            f"than {np.exp(high):.2g}, the median by {np.exp(middle):.2g}; entropy {entropy} nats, of the latents "
            f"{toy['latent_entropy']:.4g}",
        ),
        Claim.told(
            "The surface of a trained generator",
            FIGURE,
            theirs="none",
            ours=f"{through['cells']:,} facets in {numbers['components']['outputs']} dimensions, area "
            f"{through['volume']:.4g}; three principal components have "
            f"{sum(numbers['components']['shares']):.0%} of the variance",
        ),
    )


def tables(numbers: Numbers) -> dict[str, Table]:
    """Measures of both surfaces."""
    keys = ("cells", "flattened", "volume", "triangulated", "random", "random_error", "entropy", "p_uniform", "p_plain")
    return {"surfaces": Table(("surface", *keys), tuple((s, *(numbers[s][key] for key in keys)) for s in SURFACES))}
