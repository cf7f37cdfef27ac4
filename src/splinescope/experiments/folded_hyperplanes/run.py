"""Measures of `folded-hyperplanes`: angles before and after training, and closed forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from splinescope import datasets, models
from splinescope.experiments.folded_hyperplanes.settings import Settings
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.planes import cells_of, square
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.folds import dihedral_angles, fold_normals
from splinescope.tessellation.planar.complex import PlanarComplex

BINS = 180
"""Classes of the histograms, a degree each."""

DATA: Mapping[str, Callable[..., datasets.Dataset]] = {"two moons": datasets.two_moons, "rings": datasets.rings}


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Measure the angles, train, measure again, check the closed forms.

    The parts `picture-start`, `picture-end` and `picture-mirrors` are cells, and with `bends-` their hyperplanes.
    """
    checks = {f"two-layers-{k}": partial(_check_two_layers, settings, k) for k in range(settings.checked)}
    mirrors = {f"mirrors-{k}": partial(_check_mirrors, settings, k) for k in range(settings.checked)}
    two_layers = list(parts.each(checks, "check").values())
    mirrored = list(parts.each(mirrors, "check").values())
    angles = {name: [_angles(settings, parts, name, k) for k in range(settings.repeats)] for name in DATA}
    along_width = [_along_width(settings, parts, width) for width in settings.along_width]
    _keep_pictures(settings, parts)
    return {
        "degrees_per_bin": 180 / BINS,
        "along_width": along_width,
        "two_layers": two_layers,
        "mirrors": mirrored,
        "angles": angles,
    }


@dataclass(frozen=True)
class Bends:
    """Where hyperplanes of a complex fold at a hyperplane of an earlier layer.

    Attributes:
        edges: The two edges of one unit's hyperplane that meet.
        nodes: Place of the unit's node among those that fold, from 0.
        units: Its index in that node.
        crossed: Column in the patterns of the earlier unit that is crossed.
        steps: Change of that unit's piece from the first edge to the second.
        angles: The angle in radians.
    """

    edges: Int[np.ndarray, "bends 2"]
    nodes: Int[np.ndarray, " bends"]
    units: Int[np.ndarray, " bends"]
    crossed: Int[np.ndarray, " bends"]
    steps: Int[np.ndarray, " bends"]
    angles: Float[np.ndarray, " bends"]


def bends_of(cells: PlanarComplex) -> Bends:
    """Folds of hyperplanes at those of earlier layers; crossings within a layer, which are straight, are left out.

    Args:
        cells: A planar complex.

    Returns:
        One entry per fold at which exactly one earlier unit changes.
    """
    found = dihedral_angles(cells, "input")
    starts = np.zeros(len(cells.network.nodes), dtype=np.int64)
    places = np.zeros(len(cells.network.nodes), dtype=np.int64)
    for place, (node, start, _) in enumerate(cells.pattern_nodes):
        starts[node], places[node] = start, place
    beside = cells.edge_cells[found.edges, 0]
    patterns = cells.patterns.astype(np.int64)
    steps = patterns[beside[:, 1]] - patterns[beside[:, 0]]
    steps[np.arange(steps.shape[1])[None, :] >= starts[found.ops][:, None]] = 0  # of earlier layers only
    single = np.flatnonzero(np.count_nonzero(steps, axis=1) == 1)
    crossed = np.abs(steps[single]).argmax(axis=1)
    return Bends(
        found.edges[single],
        places[found.ops[single]],
        found.units[single],
        crossed,
        steps[single, crossed],
        found.angles[single],
    )


def _generator(settings: Settings, number: int) -> torch.Generator:
    return torch.Generator().manual_seed(1000 * settings.seed + number)


def _linears(module: nn.Module) -> list[np.ndarray]:
    return [layer.weight.detach().numpy() for layer in module.modules() if isinstance(layer, nn.Linear)]


def _check_two_layers(settings: Settings, number: int) -> dict[str, Any]:
    """Normals on the two sides of each fold of a second layer, against n' = n + w2_k W1_k."""
    module = models.gaussian_mlp(
        [2, *settings.checked_widths, 1], generator=_generator(settings, number), dtype=torch.float64
    )
    cells = cells_of(module, square(settings.half))
    bends = bends_of(cells)
    first, second = fold_normals(cells, bends.edges[:, 0]), fold_normals(cells, bends.edges[:, 1])
    one, two, _ = _linears(module)
    jumps = bends.steps[:, None] * two[bends.units, bends.crossed][:, None] * one[bends.crossed]
    scale = np.linalg.norm(first, axis=1) + np.linalg.norm(jumps, axis=1)
    across = one[bends.crossed] / np.linalg.norm(one[bends.crossed], axis=1, keepdims=True)
    tangential = (second - first) @ np.array([[0.0, 1.0], [-1.0, 0.0]])
    return {
        "bends": len(bends.angles),
        "largest_residual": float((np.linalg.norm(second - first - jumps, axis=1) / scale).max(initial=0.0)),
        "largest_tangential": float((np.abs((tangential * across).sum(axis=1)) / scale).max(initial=0.0)),
    }


def _mirror_network(settings: Settings, number: int, folds: int) -> nn.Sequential:
    """Coordinate-wise folds, then three lines through a random point, 60 degrees apart."""
    generator = _generator(settings, number)
    lines = nn.Linear(2, 3, dtype=torch.float64)
    with torch.no_grad():
        angles = (torch.arange(3) + torch.rand(1, generator=generator)).double() * torch.pi / 3
        lines.weight.copy_(torch.stack([angles.cos(), angles.sin()], dim=1))
        lines.bias.copy_(-lines.weight @ (0.2 + 0.6 * torch.rand(2, generator=generator, dtype=torch.float64)))
    return nn.Sequential(*models.coordinate_folding(2, folds), lines, nn.ReLU())


def _check_mirrors(settings: Settings, number: int) -> dict[str, Any]:
    """Angles of lines that absolute values reflect, against twice the angle of incidence."""
    module = _mirror_network(settings, number, settings.folds)
    cells = cells_of(module, Slice.box([0, 0], [1, 1]))
    bends = bends_of(cells)
    last = bends.nodes == len(cells.pattern_nodes) - 1
    normals = np.abs(_linears(module)[-1][bends.units[last]])
    axis = bends.crossed[last] % 2
    rows = np.arange(len(axis))
    expected = 2 * np.arctan2(normals[rows, axis], normals[rows, 1 - axis])
    return {
        "bends": int(last.sum()),
        "largest_residual": float(np.abs(bends.angles[last] - expected).max(initial=0.0)),
    }


def _along_width(settings: Settings, parts: Parts, width: int) -> dict[str, Any]:
    """Median angle in degrees at the folds of the second layer of random networks."""

    def measure(number: int) -> dict[str, Any]:
        module = models.gaussian_mlp([2, width, width, 1], generator=_generator(settings, number))
        bends = bends_of(cells_of(module, square(settings.half)))
        return {"median": float(np.degrees(np.median(bends.angles))) if len(bends.angles) else None}

    tasks = {f"width-{width}-{k}": partial(measure, k) for k in range(settings.along_width_repeats)}
    medians = [part["median"] for part in parts.each(tasks, "network").values()]
    return {"width": width, "medians": [median for median in medians if median is not None]}


def _weights(settings: Settings, parts: Parts, name: str, number: int) -> dict[str, np.ndarray]:
    """Parameters of a network before and after training."""

    def train() -> dict[str, Any]:
        generator = _generator(settings, number)
        data = DATA[name](400, generator=generator)
        module = models.gaussian_mlp([2, *settings.widths, 2], generator=generator)
        seen = {"start": nn.utils.parameters_to_vector(module.parameters()).detach().numpy().copy()}
        result = models.train_classifier(
            module, data.inputs, data.labels, generator=generator, epochs=settings.epochs, learning_rate=1e-3
        )
        seen["end"] = nn.utils.parameters_to_vector(module.parameters()).detach().numpy()
        return seen | {"accuracy": np.array(result.accuracy)}

    return parts.arrays(f"weights-{name.replace(' ', '-')}-{number}", train)


def _complex(settings: Settings, weights: np.ndarray) -> PlanarComplex:
    module = models.gaussian_mlp([2, *settings.widths, 2], generator=_generator(settings, 0))
    nn.utils.vector_to_parameters(torch.from_numpy(weights), module.parameters())
    return cells_of(module, square(settings.half))


def _angles(settings: Settings, parts: Parts, name: str, number: int) -> dict[str, Any]:
    """Histograms of the angles, in degrees, by layer, before and after training."""
    weights = _weights(settings, parts, name, number)

    def measure() -> dict[str, Any]:
        found: dict[str, Any] = {"accuracy": float(weights["accuracy"])}
        for when in ("start", "end"):
            bends = bends_of(_complex(settings, weights[when]))
            found[when] = []
            for layer in range(1, len(settings.widths)):
                degrees = np.degrees(bends.angles[bends.nodes == layer])
                counts = np.histogram(degrees, BINS, (0.0, 180.0))[0]
                quartiles = np.percentile(degrees, (25, 50, 75)) if len(degrees) else np.full(3, np.nan)
                found[when].append(
                    {"layer": layer + 1, "counts": counts, "quartiles": quartiles, "bends": len(degrees)}
                )
        return found

    key = f"angles-{name.replace(' ', '-')}-{number}"
    return dict(parts.each({key: measure}, "network")[key])


def _keep_pictures(settings: Settings, parts: Parts) -> None:
    """Cells with the bends of some hyperplanes.

    Before and after training that is the one of the last layer that folds most often then, in the first network on
    rings; of absolute values three lines, folded twice so that each is seen.
    """
    weights, last = _weights(settings, parts, "rings", 0), len(settings.widths) - 1
    bends = bends_of(_complex(settings, weights["end"]))
    busiest = int(np.bincount(bends.units[bends.nodes == last]).argmax())
    for when in ("start", "end"):
        _keep_picture(parts, when, partial(_complex, settings, weights[when]), [busiest])
    mirrors = partial(cells_of, _mirror_network(settings, 1, 2), Slice.box([0, 0], [1, 1]))
    _keep_picture(parts, "mirrors", mirrors, range(3))


def _keep_picture(parts: Parts, name: str, compute: Callable[[], PlanarComplex], units: Sequence[int]) -> None:
    """Cells, and where the hyperplanes of some units of the last node bend."""
    cells = parts.cells(f"picture-{name}", PlanarComplex, compute)

    def hyperplanes() -> dict[str, np.ndarray]:
        bends, last = bends_of(cells), len(cells.pattern_nodes) - 1
        rows = np.concatenate([np.flatnonzero((bends.nodes == last) & (bends.units == unit)) for unit in units])
        node = np.array(cells.pattern_nodes[last][0])
        return {"node": node, "units": np.array(units), "edges": bends.edges[rows], "angles": bends.angles[rows]}

    parts.arrays(f"bends-{name}", hyperplanes)
