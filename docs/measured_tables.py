"""Tables and sentences of measured figures, made of `benchmarks/results/*.json` where a page has a mark for them.

A page says `<!-- measured: NAME -->`, and what NAME returns here stands there when pages are built. No figure is copied
by hand, so that none is left behind when a benchmark is run again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from measured import figure, listed, percent, results, table, tiny
from measured_speed import before_and_after, followers, real_networks, reference_planes

MARK = re.compile(r"<!-- measured: ([\w -]+?) -->")


def eigenvalues() -> str:
    """Ten eigenvalues beside peers."""
    found = results("landscape")
    own, peers = found["eigenvalues"], found["peers"]["eigenvalues"]
    named = {
        "hessian_eigenthings": "hessian-eigenthings 1.0.0a5, 100 steps with reorthogonalisation (without it "
        "eigenvalues are repeated)",
        "curvlinops": "curvlinops 3.0.1 and `eigsh`",
        "pyhessian": "PyHessian 0.1, power iteration with deflation at its defaults",
    }
    rows = [(f"`hessian(...).eigenvalues(10)`, in the span of the data, {own['products']} products", own)]
    rows += [(title, peers[name]) for name, title in named.items()]
    return table(
        ["ten largest eigenvalues, 784-32-10, 200 images, cross-entropy", "s", "largest relative error"],
        [[title, figure(row["processor seconds"]), tiny(row["largest relative error"])] for title, row in rows],
    )


def ten_eigenvalues() -> str:
    """Seconds and error, within a sentence."""
    own = results("landscape")["eigenvalues"]
    seconds, error = own["processor seconds"], own["largest relative error"]
    return f"take {figure(seconds)} s of one processor and are right to {tiny(error)}"


def blocks() -> str:
    """The trace, and spectra of blocks."""
    found = results("landscape")
    spent = sorted(row["processor seconds"] for row in found["blocks"])
    trace = tiny(found["eigenvalues"]["relative error of the trace"])
    return (
        f"* The trace of that network, in closed form: {trace} relative.\n"
        "* All eigenvalues other than zero of a block of 784-200-200-10, 156,800 or 40,000 parameters, 200 images: "
        f"{figure(spent[0])} to {figure(spent[-1])} s, most of it the eigenvalues of "
        f"{max(row['rank'] for row in found['blocks']):,} rows."
    )


def lines() -> str:
    """Exact lines."""
    found = results("landscape")
    rows = [row for row in found["lines"] if row["loss"] == "squared"]
    smooth = [row for row in found["lines"] if row["loss"] == "cross-entropy"]
    mixed = found["convolutional line"]
    assert all(row["certified"] for row in (*found["lines"], mixed))
    told = [f"{row['pieces']:,} of {row['samples']:,} in {figure(row['processor seconds'])} s" for row in rows]
    by_images = listed([f"{row['samples']:,} images take {figure(row['processor seconds'])}" for row in smooth])
    worst = tiny(max(row["deviation"] for row in (*found["lines"], mixed)))
    return (
        f"* The exact line with all layers of 784-200-200-10 moving, pieces by number of images: {listed(told)}; with "
        f"cross-entropy, whose pieces are no polynomials, {by_images} s. A ConvNet with max-pooling on "
        f"{mixed['samples']} digits: {mixed['pieces']:,} pieces in {figure(mixed['processor seconds'])} s, of which "
        f"{mixed['decided']} units on intervals are decided in exact arithmetic, ties in front of the poolings. All "
        "signs are certified, of folds and of the slope of the loss; the largest relative difference from forward "
        f"passes is {worst}."
    )


def longest_line() -> str:
    """The longest line, within a sentence."""
    squared = [row for row in results("landscape")["lines"] if row["loss"] == "squared"]
    row = max(squared, key=lambda row: row["pieces"])
    seconds = figure(row["processor seconds"])
    return f"{row['samples']:,} samples of 784-200-200-10 have {row['pieces']:,} pieces and take {seconds} s"


def planes() -> str:
    """Cells by samples."""
    rows = results("landscape")["planes"]
    return table(
        ["samples", *(str(row["samples"]) for row in rows)],
        [
            ["cells", *(f"{row['cells']:,}" for row in rows)],
            ["processor seconds", *(figure(row["processor seconds"]) for row in rows)],
        ],
    )


def block_beside_curvlinops() -> str:
    """One block beside a peer's."""
    row = results("landscape")["peers"]["block"]["curvlinops"]
    own, other = (1000 * seconds for seconds in (row["ours"]["product seconds"], row["product seconds"]))
    return (
        "* The block of the second layer (40,000 weights, cross-entropy) beside curvlinops' generalised Gauss-Newton "
        f"block: one product agrees to {tiny(row['largest relative difference'])} and takes {figure(own)} ms against "
        f"{figure(other)} ms. The largest eigenvalue is the same to {tiny(row['of the largest eigenvalue'])}; it takes "
        f"{figure(row['ours']['processor seconds'])} s against "
        f"{figure(row['processor seconds'])} s by Lanczos' iteration."
    )


def grids() -> str:
    """Grids beside peers, each one's values beside a direct evaluation."""
    found = results("landscape")
    own, peers = found["grid"], found["peers"]["grid"]

    def row(title: str, answer: dict[str, Any]) -> list[str]:
        moved, apart = answer["model moved by"], answer.get("two runs apart")
        return [
            title,
            figure(answer["seconds of one run"]),
            tiny(answer["largest relative deviation"]),
            f"moved by {figure(moved)} (norm of its parameters)" if moved else "as it was",
            "" if apart is None else f"{tiny(apart)} apart",
        ]

    exact = "0, to the last bit" if own["largest difference"] == 0 else tiny(own["largest difference"])
    return table(
        ["", "s", "largest relative deviation", "the user's model afterwards", "two runs"],
        [
            ["`loss_grid`", figure(own["processor seconds"]), exact, "as it was", "equal"],
            row("Landscaper 1.3.1", peers["landscaper"]),
            row("loss-landscapes 3.0.6", peers["loss_landscapes"]),
        ],
    )


COPIES = {
    "8 bits": "weights of 8 bits",
    "4 bits": "weights of 4 bits",
    "half pruned": "half of the weights pruned",
    "another head": "another head",
    "another training": "another training",
}


def copies() -> str:
    """A network beside its copies."""
    by = {(row["pair"], row["verify"]): row for row in results("trajectory")["compare"]}
    rows = []
    for pair, title in COPIES.items():
        quick, proved = by[pair, "values"], by[pair, "proof"]
        rows.append(
            [
                title,
                f"{quick['cells']:,}",
                f"{figure(quick['seconds'])} s",
                f"{figure(proved['seconds'])} s",
                f"{figure(quick['largest_deviation'], 4)} ({figure(quick['largest_sampled'], 4)})",
                f"{percent(quick['changed_share'])} ({percent(quick['changed_sampled'])})",
            ]
        )
    head = ["copy", "cells", "`values` (the first with the start)", "`proof`", "largest deviation", "classes differ on"]
    return table(head, rows)


def digits_aligned() -> str:
    """Barriers of two trainings by width."""
    by = {(row["width"], row["by"]): row for row in results("trajectory")["align"]}
    rows = []
    for width in sorted({width for width, _ in by}):
        weights, data = by[width, "weights"], by[width, "activations"]
        ends = [figure(row["barrier"][1]) for row in (weights, data)]
        seconds = f"{figure(weights['seconds'])}, {figure(data['seconds'])}"
        rows.append([str(width), figure(weights["barrier"][0], 3), *ends, seconds])
    return table(["n", "barrier as they are", "matched by weights", "by activations", "seconds"], rows)


def _cifar() -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["network"], row["by"]): row for row in results("trajectory")["cifar"]}


def cifar_aligned() -> str:
    """The same of two networks of CIFAR."""
    by, rows = _cifar(), []
    for network, kind, title in (
        ("convolutions", "keep", "two convolutions (16, 32), 64 units, 10"),
        ("residual", "keep", "three residual blocks (8, 16, 32), batch-norm interpolated"),
        ("residual", "recompute", "the same, batch-norm measured anew"),
    ):
        weights, data = by[network, "weights"], by[network, "activations"]
        barriers = [weights["barrier"][kind][0], weights["barrier"][kind][1], data["barrier"][kind][1]]
        seconds = f"{figure(weights['seconds'])}, {figure(data['seconds'])}" if kind == "keep" else ""
        rows.append([title, *(figure(barrier, 3) for barrier in barriers), seconds])
    return table(["network", "barrier as they are", "matched by weights", "by activations", "seconds"], rows)


def one_layer() -> str:
    """Exact lines where one layer is the other network's."""
    by = _cifar()
    every = [row for kind in ("weights", "activations") for row in by["convolutions", kind]["one layer"]]
    assert all(row["certified"] and row["barrier"] == 0 for row in every)

    def of(kind: str, layer: str, which: str) -> dict[str, Any]:
        rows = by["convolutions", kind]["one layer"]
        return next(row for row in rows if (row["layer"], row["of"]) == (layer, which))

    first, aligned, other = (
        of("weights", "7", "as it is"),
        of("weights", "7", "aligned"),
        of("activations", "7", "aligned"),
    )
    last = [of("weights", "9", "as it is"), of("weights", "9", "aligned"), of("activations", "9", "aligned")]
    ends = [figure(row["ends"][1], 3) for row in last]
    return (
        f"Of the ConvNet's dense layer it has {first['pieces']} pieces and ends at a loss of "
        f"{figure(first['ends'][1], 3)}, from {figure(first['ends'][0], 3)}; with the layer of the aligned copy it has "
        f"{aligned['pieces']} pieces and ends at {figure(aligned['ends'][1], 3)} ({other['pieces']} and "
        f"{figure(other['ends'][1], 3)} by activations). The last layer's is smooth, and ends at {ends[0]} as it is, "
        f"{ends[1]} aligned by weights and {ends[2]} by activations."
    )


def planted() -> str:
    """A permutation that is found again, within a sentence."""
    row = results("trajectory")["planted"]
    assert row["distance"][1] == 0
    return (
        f"A permutation of ResNet-20 ({len(row['groups'])} groups that are free, of {min(row['groups'])} to "
        f"{max(row['groups'])} channels) is found again to the last bit in {figure(row['seconds'])} s."
    )


def patterns() -> str:
    """Patterns of a large data set."""
    row = next(row for row in results("trajectory")["patterns"] if row["network"] == "mlp")
    first, both = row["about_the_class"]
    return (
        f"Of {row['inputs']:,} training images of MNIST an untrained 784-24-24-10 network has {row['nodes'][0]:,} "
        f"patterns in its first layer and {row['nodes'][1]:,} in both; the first layer tells {row['bits'][0]:.2f} bits "
        f"and the second {row['bits'][1]:.2f}, of which {first:.2f} and {both - first:.2f} are about the class; the "
        f"tree takes {figure(row['tree_seconds'])} s, the maps {figure(row['map_seconds'])} s and all of it "
        f"{row['peak_gigabytes']:.1f} GB"
    )


MILLION = "2-768-768-768-10"


def pages() -> str:
    """Pages of the viewer beside what they should reach."""
    found = results("viewer")
    rows = [found["N2 [-1, 1]"], found["N2 [-4, 4]"], found[MILLION]]
    beyond = "ready, processor s above a blank page's"
    asked: list[tuple[str, str, Callable[[dict[str, Any]], str]]] = [
        ("page, with the weights", "4 MB; 30 MB for a million cells", lambda row: f"{figure(row['page, MB'], 3)} MB"),
        ("writing it, processor time", "3 s", lambda row: f"{figure(row['writing, processor s'])} s"),
        ("ready, by the clock", "3 s; 8 s", lambda row: f"{figure(row['ready, ms'] / 1000)} s"),
        ("ready, processor time beyond a blank page's", "", lambda row: f"{figure(row[beyond])} s"),
        ("requests", "0", lambda row: str(row["requests"])),
        ("recolouring", "10 ms", lambda row: f"{figure(row['recolour, ms'])} ms"),
        ("settled redraw, processor time", "0.5 s", lambda row: f"{figure(row['redraw, processor s'])} s"),
        ("a step of panning", "33 ms", lambda row: f"{figure(row['moving the picture, ms'])} ms"),
        ("hover, 95 % within", "50 ms", lambda row: f"{figure(row['hover, ms (95 %)'])} ms"),
        (
            "memory when ready, beyond a blank page's",
            "600 MB in all for a million",
            lambda row: f"{row['memory when ready, MB'] - row['memory of a blank page, MB']:.0f} MB",
        ),
        (
            "points in the same cell as in Python",
            "all",
            lambda row: f"{row['points in the same cell as in Python']:,} of {row['of points']:,}",
        ),
        (
            "maps beside `affine_maps`, relative",
            "1e-6",
            lambda row: tiny(row["largest error of a map, relative"]),
        ),
    ]
    return table(
        ["what", *(f"{row['cells']:,} cells" for row in rows), "aim"],
        [[what, *(value(row) for row in rows), aim] for what, aim, value in asked],
    )


def frames() -> str:
    """Frames of a slider, within a paragraph."""
    row = results("viewer")["frames"]
    shown, kept = (
        row[name] / 1000
        for name in (
            "first time a frame is shown, ms (the next one is inflated ahead)",
            "a kept frame is shown again, ms",
        )
    )
    return (
        f"{row['frames']} networks of the first size take {figure(row['page, MB'])} MB; a frame that was read ahead is "
        f"shown after {figure(shown)} s and one that was kept after {figure(kept)} s. "
        f"200 frames take {row['MB for 200 such frames']:.0f} MB (aim: 100)"
    )


def frame_bits() -> str:
    """Where the bits of a coded plane go, by the bits of its coordinates."""
    found = results("viewer")["frames"]["bits for each cell"]
    parts = ("rings", "units", "places", "values")
    return table(
        ["bits of a coordinate", "rings", "units of edges", "places", "a measure in 8 bits", "all"],
        [
            [str(bits), *(f"{row[part]:.2f}" for part in parts), f"{sum(row.values()):.1f}"]
            for bits, row in found.items()
        ],
    )


TABLES: dict[str, Callable[[], str]] = {
    "reference planes": reference_planes,
    "before and after": before_and_after,
    "real networks": real_networks,
    "followers": followers,
    "eigenvalues": eigenvalues,
    "ten eigenvalues": ten_eigenvalues,
    "blocks": blocks,
    "lines": lines,
    "longest line": longest_line,
    "planes": planes,
    "block beside curvlinops": block_beside_curvlinops,
    "grids": grids,
    "copies": copies,
    "digits aligned": digits_aligned,
    "cifar aligned": cifar_aligned,
    "one layer": one_layer,
    "planted": planted,
    "patterns": patterns,
    "pages of the viewer": pages,
    "frames of the viewer": frames,
    "bits of a frame": frame_bits,
}
"""By name what stands for its mark."""


def filled(page: str) -> str:
    """A page with its marks filled."""
    return MARK.sub(lambda match: TABLES[match[1]](), page)
