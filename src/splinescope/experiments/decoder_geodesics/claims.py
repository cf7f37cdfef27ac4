"""What is claimed of shortest paths of decoders, held against the numbers."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table

SOURCE = "Arvanitidis, Hansen and Hauberg 2018 (arXiv 1710.11379)"


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts."""
    others = tuple(_generator(one) for one in numbers["generators"])
    return (_shorter(numbers), _proved(numbers), _away(numbers, "image"), _away(numbers, "latent"), _quality(numbers),
            *others)  # fmt: skip


def _shorter(numbers: Numbers) -> Claim:
    pairs = numbers["pairs"]
    saved = np.array([1 - one["length"] / one["straight_length"] for one in pairs])
    errors = max(abs(one["network_length"] / one["length"] - 1) for one in pairs)
    return Claim.judged(
        "Shortest paths are shorter than straight lines of the latents",
        SOURCE,
        theirs="much shorter, by an approximate solver and a decoder with a variance",
        ours=f"by {np.median(saved):.1%} (median; {saved.min():.1%} to {saved.max():.1%}) over {len(pairs)} pairs in "
        f"{numbers['cells']:,} cells; the lengths are those by the network up to {errors:.1g}",
        tolerance="none longer, lengths to 1e-9",
        holds=saved.min() > -1e-9 and errors < 1e-9,
    )


def _proved(numbers: Numbers) -> Claim:
    proved = [one for one in numbers["pairs"] if one["lower_bound"] is not None]
    gaps = [1 - one["lower_bound"] / one["length"] for one in proved]
    return Claim.judged(
        "No path is shorter",
        "a potential of slope at most one",
        theirs="none",
        ours=f"proved up to {max(gaps):.2%} of the length for {len(proved)} pairs",
        tolerance="5 %",
        holds=min(gaps) >= 0 and max(gaps) < 0.05,
    )


def _away(numbers: Numbers, where: str) -> Claim:
    """How much of both ways is farther from the training data than nearly all held-out images are."""
    both = np.array([[one[way][f"{where}_away"] for way in ("geodesic", "straight")] for one in numbers["pairs"]])
    apart = both[both[:, 0] != both[:, 1]]
    wins = int((apart[:, 0] < apart[:, 1]).sum())
    chance = binomtest(wins, len(apart), 0.5, alternative="greater").pvalue if len(apart) else 1.0
    leaves = (both > 0).sum(axis=0)
    space = "images" if where == "image" else "latents"
    return Claim.judged(
        f"Shortest paths stay nearer to the data than straight lines do, by distances of {space}",
        SOURCE,
        theirs="geodesics follow the data, straight lines leave it",
        ours=f"farther from every training point than 95 % of held-out ones are: {both[:, 0].mean():.1%} of the "
        f"shortest paths and {both[:, 1].mean():.1%} of the straight lines; {leaves[0]} and {leaves[1]} of "
        f"{len(both)} leave the data somewhere; less of the shortest path in {wins} of {len(apart)} pairs that differ "
        f"(sign test {chance:.2g})",
        tolerance="sign test below 0.05",
        holds=chance < 0.05,
        samples=len(both),
        needed=30,
    )


def _quality(numbers: Numbers) -> Claim:
    return Claim.told(
        "How good the decoder is",
        "a check of the measure",
        theirs="none",
        ours=f"held-out images are {numbers['reconstruction']:.3g} from their reconstructions and "
        f"{numbers['spread']:.3g} from the mean image",
    )


def _generator(one: Numbers) -> Claim:
    """What became of a generator that others trained."""
    planes, curves = (
        [1 - way["length"] / way["straight_length"] for way in one[kind]] for kind in ("planes", "curves")
    )
    errors = max(abs(way["network_length"] / way["length"] - 1) for way in one["planes"])
    away = [float(np.mean([way[f"{kind}_away"] for way in one["curves"]])) for kind in ("curve", "straight")]
    sizes = [way["cells"] for way in one["planes"]]
    share = min(way["share"] for way in one["planes"])
    near = f" at {share:.1%} of their distance or more" if share < 1 else ""
    before = ", before its tanh" if one["squashed"] else ""
    return Claim.told(
        f"Short ways of a generator that others trained: {one['title']}",
        SOURCE,
        theirs="none",
        ours=f"{one['latents']} latents, {one['outputs']} outputs; in planes through three latents{near} "
        f"({min(sizes):,} to {max(sizes):,} cells{before}) shortest paths are {100 * np.median(planes):.2g} % shorter "
        f"than straight lines (median of {len(planes)}; up to {100 * max(planes):.2g} %; lengths by the network to "
        f"{errors:.1g}), curves of little energy through all latents {np.median(curves):.1%} (up to "
        f"{max(curves):.1%}); farther from all of its outputs than 95 % of new ones are: {away[0]:.1%} of the curves, "
        f"{away[1]:.1%} of the straight lines",
    )


def tables(numbers: Numbers) -> dict[str, Table]:
    """One row for each pair."""
    ways = [(way, key) for way in ("geodesic", "straight") for key in ("image_away", "latent_away")]
    rows = tuple(
        (number, one["length"], one["straight_length"], one["chord"], one["lower_bound"], one["pieces"],
         *(one[way][key] for way, key in ways))
        for number, one in enumerate(numbers["pairs"])
    )  # fmt: skip
    columns = ("pair", "length", "straight_length", "chord", "lower_bound", "pieces",
               *(f"{way}_{key}" for way, key in ways))  # fmt: skip
    others = tuple(
        (one["name"], number, *(plane[key] for key in ("cells", "share", "length", "straight_length")), curve["length"],
         curve["straight_length"], curve["curve_away"], curve["straight_away"])
        for one in numbers["generators"]
        for number, (plane, curve) in enumerate(zip(one["planes"], one["curves"], strict=True))
    )  # fmt: skip
    known = ("generator", "pair", "cells", "plane_share", "plane_length", "plane_straight_length", "curve_length",
             "curve_straight_length", "curve_away", "straight_away")  # fmt: skip
    return {"pairs": Table(columns, rows)} | ({"generators": Table(known, others)} if others else {})
