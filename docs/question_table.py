"""The questions of the page "Which function answers my question?", and the table that is made of them.

A question stands here; its answer is the first sentence of the docstring of the function, read when pages are built.
"""

from __future__ import annotations

import importlib

QUESTIONS: dict[str, list[tuple[str, str, str]]] = {
    "Reading a network": [
        ("How do I read my module, `.onnx` or estimator?", "splinescope.load", "info"),
        ("What was read, and does it agree with the original?", "splinescope.load", "info"),
    ],
    "Cells": [
        ("Into which cells is this plane, segment or box cut?", "splinescope.tessellate", "slice"),
        ("... in more than four dimensions?", "splinescope.region_graph", "regions"),
        ("... along a thousand segments?", "splinescope.tessellate_segments", "segment"),
        ("... in a thousand planes?", "splinescope.tessellate_slices", ""),
        ("Is that proved?", "splinescope.tessellation.certificate.certify", "slice --verify proof"),
        ("Which affine map is used in each cell?", "splinescope.tessellation.affine.affine_maps", ""),
        ("How steep is the network?", "splinescope.tessellation.affine.lipschitz", "slice"),
        ("What are the largest and least outputs?", "splinescope.tessellation.affine.extrema", "slice"),
        ("Which unit folds where?", "splinescope.tessellation.folds.folds", ""),
        ("How large are the cells, and what shape?", "splinescope.tessellation.statistics.cell_statistics", "slice"),
        ("Is it affine across some folds all the same?", "splinescope.tessellation.regions.linear_regions", ""),
        ("What does theory say about the number of cells?", "splinescope.complexity.region_bounds", "slice"),
        ("Can I look around in it?", "splinescope.viewer.explore", "view"),
        ("How do I get a table?", "splinescope.tessellation.export.to_table", "slice"),
    ],
    "Decisions": [
        ("Where does the class change?", "splinescope.decision_boundary", "slice"),
        ("... in space, as a mesh?", "splinescope.tessellation.surface.decision_surface", "surface"),
        ("What share has each class?", "splinescope.tessellation.boundary.class_areas", "slice"),
        ("How far is this input from another class?", "splinescope.complexity.nearest_boundary", ""),
        ("Does the class stay all the way between two inputs?", "splinescope.tessellation.segments.margins", "path"),
        ("How many parts and holes has a class's region?", "splinescope.topology.betti_numbers", "topology"),
        ("Which input features count along the way?", "splinescope.tessellation.segments.integrated_gradients", ""),
    ],
    "Verification": [
        ("Which inputs are mapped into this set?", "splinescope.preimage.preimage_of", "preimage"),
        ("Does this VNN-LIB property hold?", "splinescope.preimage.read_vnnlib", "preimage --spec"),
        ("What happened to the preimage at each layer?", "splinescope.preimage.intermediate_preimages", ""),
        ("Is a layer's cone nested?", "splinescope.preimage.nesting", ""),
    ],
    "Two networks": [
        ("Where, and by how much, do two networks differ?", "splinescope.trajectory.compare", "compare"),
        ("Are they the same up to symmetry?", "splinescope.trajectory.equal_up_to_symmetry", ""),
        ("Can their units be matched?", "splinescope.trajectory.align", ""),
        ("Is there a barrier between them?", "splinescope.trajectory.loss_barrier", ""),
    ],
    "Training": [
        ("How dense are the folds near my data?", "splinescope.complexity.local_complexity", ""),
        ("... for each token of a transformer?", "splinescope.complexity.spline_features", ""),
        ("How far are the data from the folds?", "splinescope.complexity.fold_distances", ""),
        ("Where does batch-norm put the folds?", "splinescope.initialization.total_least_squares", ""),
        ("How do I set biases from data?", "splinescope.initialization.data_init", ""),
        ("Which patterns do my data have, layer by layer?", "splinescope.trajectory.decision_tree", ""),
        ("How do inputs travel through the layers?", "splinescope.trajectory.trajectories", ""),
        ("Do components of my data merge through layers?", "splinescope.topology.betti_profile", "topology"),
    ],
    "The loss": [
        ("How curved is the loss in one layer?", "splinescope.landscape.layer_hessian", ""),
        ("... in all parameters?", "splinescope.landscape.hessian", ""),
        ("What are all minima along a line of parameters?", "splinescope.landscape.loss_line", ""),
        ("... on a plane?", "splinescope.landscape.loss_plane", "landscape"),
        ("How do I draw the landscape as papers do?", "splinescope.landscape.loss_grid", "landscape"),
        ("Is depth well conditioned?", "splinescope.landscape.conditioning", ""),
    ],
    "Generators and metrics": [
        ("What volume does my generator give to a latent?", "splinescope.generative.log_volume", "sample"),
        ("How do I sample its manifold uniformly?", "splinescope.generative.sample", "sample"),
        ("How good are its samples?", "splinescope.generative.quality", ""),
        ("Which metric does a network pull back?", "splinescope.riemannian.metrics", ""),
        ("What is the shortest path between two latents?", "splinescope.riemannian.geodesic", "geodesic"),
        ("... in a smooth model, or many dimensions?", "splinescope.riemannian.energy_geodesics", ""),
    ],
}
"""For each heading, questions with the full name of the function that answers, and the command if there is one."""


def answer(name: str) -> str:
    """The first sentence of a function's docstring."""
    home, _, last = name.rpartition(".")
    text = (getattr(importlib.import_module(home), last).__doc__ or "").strip()
    return text.splitlines()[0].replace("|", "\\|")


def table() -> str:
    """All questions with their answers, heading by heading."""
    lines = []
    for heading, rows in QUESTIONS.items():
        lines += [f"## {heading}", "", "| question | function | what it does | command |", "| --- | --- | --- | --- |"]
        for question, name, command in rows:
            link = f"[`{name.removeprefix('splinescope.')}`]({page_of(name)})"
            lines.append(f"| {question} | {link} | {answer(name)} | {f'`splinescope {command}`' if command else ''} |")
        lines.append("")
    return "\n".join(lines)


def page_of(name: str) -> str:
    """The page of the reference that has a function."""
    package = name.split(".")[1]
    return f"reference/{package}.md" if name.count(".") > 1 else "reference/front-door.md"
