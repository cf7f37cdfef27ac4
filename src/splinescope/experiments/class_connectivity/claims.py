"""What is claimed of paths inside a class, held against what `class-connectivity` found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.tables import Table
from splinescope.paths.components import Proportion, proportion

SOURCE = "Gu and Borovykh 2023 (arXiv 2311.06816), table 1"
TABLE = {"input": (19, 6, 0), "first": (14, 11, 0), "last": (25, 0, 0)}
"""Pairs joined straight, bent and not at all: ResNet50, fine-tuned on CIFAR10 at 224 x 224, 25 pairs of one class.

"first" is the output of its first stage, maps of 256 x 56 x 56; "last" are 2048 numbers.
"""


def row_of(name: str) -> str:
    """The row of the table that a layer is held against."""
    return name if name in TABLE else "first"


def claims(numbers: Numbers) -> tuple[Claim, ...]:
    """The claims with their verdicts."""
    found = numbers["kinds"].get("correct", {})
    held: list[Claim | None] = [_table(numbers, name, found[name]) for name in found]
    if found:
        held.append(_all_joined(found))
    if "last" in found:
        held.append(_last_layer(found["last"]))
    held += [_misclassified(numbers), _sampling(numbers["sampled"])]
    if numbers["components"]:
        held.append(_components(numbers["components"]))
    if numbers["twins"]:
        held.append(_twins(numbers["twins"]))
    return tuple(claim for claim in held if claim is not None)


def tables(numbers: Numbers) -> dict[str, Table]:
    """Counts with their intervals, and rates of false verdicts."""
    joins, samples = [], []
    for kind, layers in numbers["kinds"].items():
        for layer, found in layers.items():
            for pairs, counts in (("first 25", found["few"]), ("all", found["counts"])):
                total = sum(counts.values())
                for how, count in counts.items():
                    share = proportion(count, total)
                    joins.append((kind, layer, pairs, how, count, total, share.share, share.low, share.high))
    for layer, sampled in numbers["sampled"].items():
        for points, rates in sampled.items():
            for among in ("of_seen", "of_refuted"):
                share = proportion(rates["wrong"], rates[among])
                row = (rates["wrong"], rates[among], share.share, share.low, share.high)
                samples.append((layer, points, among, *row))
    interval = ("share", "Wilson 95 % low", "Wilson 95 % high")
    return {
        "connectivity": Table(("kind", "layer", "pairs", "joined", "count", "of", *interval), tuple(joins)),
        "sampling": Table(("layer", "points", "among", "false", "of", *interval), tuple(samples)),
    }


def interval(share: Proportion) -> str:
    """A share in words."""
    return f"{share.share:.2f} [{share.low:.2f}, {share.high:.2f}]"


def _counts(counts: Mapping[str, int]) -> str:
    undecided = f" and {counts['undecided']} undecided" if counts["undecided"] else ""
    return f"{counts['straight']}/{counts['bent']}/{counts['none']}{undecided}"


def _table(numbers: Mapping[str, Any], name: str, found: Mapping[str, Any]) -> Claim:
    """A row of the source's table beside ours; another network, and other images."""
    about, theirs = numbers["network"], TABLE[row_of(name)]
    total = sum(found["counts"].values())
    straight = proportion(found["counts"]["straight"], total)
    layer = about["layers"][name]
    shape = " x ".join(map(str, layer["shape"]))
    return Claim.told(
        f"Pairs of one class joined straight, bent, not at all, at layer {name!r}; theirs at {row_of(name)!r}",
        SOURCE,
        theirs=f"{'/'.join(map(str, theirs))} of 25, straight {interval(proportion(theirs[0], 25))}; ResNet50 on "
        "CIFAR10 at 224 x 224, points sampled, number not given",
        ours=f"{_counts(found['few'])} of the first {sum(found['few'].values())}; {_counts(found['counts'])} of "
        f"{total:,}, straight {interval(straight)}; {about['images']}, {about['units']:,} units, {layer['name']!r} of "
        f"{shape}, every path proved",
    )


def _all_joined(layers: Mapping[str, Any]) -> Claim:
    left, total = 0, 0
    for found in layers.values():
        left += found["counts"]["none"] + found["counts"]["undecided"]
        total += sum(found["counts"].values())
    return Claim.judged(
        "All pairs of one class are joined, straight or bent, at the input and at layers",
        SOURCE,
        theirs="none of 75 pairs left",
        ours=f"{left} of {total:,} pairs left within the steps and the budget allowed; all others have a certificate",
        tolerance="none left",
        holds=left == 0,
    )


def _last_layer(found: Mapping[str, Any]) -> Claim:
    total = sum(found["counts"].values())
    return Claim.judged(
        "At the last layer all pairs of one class are joined straight",
        SOURCE,
        theirs="25 of 25; it is a theorem, since the class of an affine map is convex",
        ours=f"{found['counts']['straight']:,} of {total:,}",
        tolerance="all",
        holds=found["counts"]["straight"] == total,
    )


def _misclassified(numbers: Mapping[str, Any]) -> Claim | None:
    found = numbers["kinds"].get("misclassified")
    if not found:
        return None
    words = [f"{name}: {_counts(entry['counts'])}" for name, entry in found.items()]
    return Claim.told(
        "An image of another class that is taken for one of this class is joined to it, too",
        "not in the source",
        theirs="no number",
        ours="straight/bent/none at " + ", ".join(words),
    )


def _sampling(found: Mapping[str, Any]) -> Claim:
    words = []
    for name, sampled in found.items():
        if not next(iter(sampled.values()))["of_refuted"]:
            continue
        rates = [(points, rate, proportion(rate["wrong"], rate["of_refuted"])) for points, rate in sampled.items()]
        told = [f"{points} points {rate['wrong']}/{rate['of_refuted']}, {interval(p)}" for points, rate, p in rates]
        words.append(f"{name}: {', '.join(told)}")
    return Claim.told(
        "A path is in its class if sampled points of it are",
        "common practice; the source does not say how many points it takes",
        theirs="no number",
        ours="of the straight paths that leave their class, points miss that at " + "; ".join(words)
        if words
        else "no straight path leaves its class",
    )


def _components(layers: Mapping[str, Any]) -> Claim:
    words = []
    for name, classes in layers.items():
        straight, bent = ([len(entry[how]) for entry in classes.values()] for how in ("straight", "bent"))
        words.append(f"{name}: {sum(straight)} by straight paths, {sum(bent)} with bent ones")
    classes = next(iter(layers.values()))
    points = sum(entry["points"] for entry in classes.values())
    connected = all(len(entry["bent"]) == 1 for classes in layers.values() for entry in classes.values())
    return Claim.judged(
        "Each class is connected, in the input space and in the latent ones",
        SOURCE.split(",")[0],
        theirs="conjectured from 25 pairs",
        ours=f"components of {len(classes)} classes, {points} images: " + "; ".join(words),
        tolerance="one component for each class at each layer",
        holds=connected,
    )


def _twins(found: Mapping[str, Any]) -> Claim:
    total = found["pairs"]
    bent, kept = sum(found["bent"]), sum(found["bent_kept_by_other"])
    return Claim.told(
        "Two trainings of one network agree on paths between the same images",
        "not in the source",
        theirs="no number",
        ours=f"of {total} pairs {found['straight'][0]} and {found['straight'][1]} are joined straight, "
        f"{found['straight_in_both']} in both; {kept} of {bent} bent paths of one network stay in the class of the "
        f"other, too; in all {interval(proportion(found['joined_in_both'], total))} have one path for both",
    )
