"""Angles at which the hyperplanes of deeper units fold where they cross those of earlier ones."""

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
from splinescope.experiments import folded_figures
from splinescope.experiments.base import Claim, Config, Findings, Table
from splinescope.experiments.parts import Parts
from splinescope.experiments.planes import cells_of, square
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.folds import dihedral_angles, fold_normals
from splinescope.tessellation.planar.complex import PlanarComplex

SOURCE = "Balestriero et al. 2019"
BINS = 180
"""Classes of the histograms, a degree each."""

DATA: Mapping[str, Callable[..., datasets.Dataset]] = {"two moons": datasets.two_moons, "rings": datasets.rings}


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        widths: Hidden widths of the networks that are trained.
        repeats: Networks per data set.
        epochs: Epochs of training.
        half: Half the side of the square that is looked at.
        checked: Networks of two layers, and of absolute values, on which the closed forms are checked.
        checked_widths: Hidden widths of the former.
        folds: Layers of the latter.
        along_width: Widths of random networks of two layers whose angles are compared.
        along_width_repeats: Networks per width.
    """

    widths: tuple[int, ...]
    repeats: int
    epochs: int
    half: float
    checked: int
    checked_widths: tuple[int, int]
    folds: int
    along_width: tuple[int, ...]
    along_width_repeats: int

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """One network per data set, twelve epochs."""
        return cls(
            seed=seed,
            widths=(12, 12, 12),
            repeats=1,
            epochs=12,
            half=1.5,
            checked=2,
            checked_widths=(8, 8),
            folds=2,
            along_width=(8, 16, 32),
            along_width_repeats=3,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Ten networks per data set, 200 epochs."""
        return cls(
            seed=seed,
            widths=(32, 32, 32, 32),
            repeats=10,
            epochs=200,
            half=1.5,
            checked=20,
            checked_widths=(24, 24),
            folds=4,
            along_width=(8, 16, 32, 64, 128),
            along_width_repeats=10,
        )

    def run(self, parts: Parts) -> Findings:
        """Measure the angles, train, measure again, check the closed forms; see `Config.run`."""
        checks = {f"two-layers-{k}": partial(_check_two_layers, self, k) for k in range(self.checked)}
        mirrors = {f"mirrors-{k}": partial(_check_mirrors, self, k) for k in range(self.checked)}
        two_layers = list(parts.each(checks, "check").values())
        mirrored = list(parts.each(mirrors, "check").values())
        angles = {name: [_angles(self, parts, name, k) for k in range(self.repeats)] for name in DATA}
        along_width = [_along_width(self, parts, width) for width in self.along_width]
        numbers = {
            "degrees_per_bin": 180 / BINS,
            "along_width": along_width,
            "two_layers": two_layers,
            "mirrors": mirrored,
            "angles": angles,
        }
        pictures = {when: _picture(self, parts, when) for when in ("start", "end")}
        figures = {
            "folds": partial(folded_figures.draw_folds, pictures, _mirror_pictures(self)),
            "angles": partial(folded_figures.draw_angles, angles, along_width),
        }
        return Findings(numbers, _claims(numbers), figures, {"angles": _table(angles)})


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


def _mirror_pictures(settings: Settings) -> list[folded_figures.Hyperplane]:
    """The lines of one of these networks, folded twice so that each is seen."""
    cells = cells_of(_mirror_network(settings, 1, 2), Slice.box([0, 0], [1, 1]))
    bends, last = bends_of(cells), len(cells.pattern_nodes) - 1
    pictures = []
    for unit in range(3):
        rows = (bends.nodes == last) & (bends.units == unit)
        node = cells.pattern_nodes[last][0]
        pictures.append(folded_figures.Hyperplane(cells, node, unit, bends.edges[rows], bends.angles[rows]))
    return pictures


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


def _picture(settings: Settings, parts: Parts, when: str) -> folded_figures.Hyperplane:
    """The hyperplane of the last layer that folds most often after training, in the first network on rings."""
    weights = _weights(settings, parts, "rings", 0)
    bends = bends_of(_complex(settings, weights["end"]))
    last = len(settings.widths) - 1
    unit = int(np.bincount(bends.units[bends.nodes == last]).argmax())
    cells = _complex(settings, weights[when])
    bends = bends_of(cells)
    rows = (bends.nodes == last) & (bends.units == unit)
    return folded_figures.Hyperplane(cells, cells.pattern_nodes[last][0], unit, bends.edges[rows], bends.angles[rows])


def _claims(numbers: Mapping[str, Any]) -> tuple[Claim, ...]:
    exponent = _exponent(numbers["along_width"])
    medians = {when: _medians(numbers["angles"], when) for when in ("start", "end")}
    return (
        *_closed_forms(numbers["two_layers"], numbers["mirrors"]),
        Claim.judged(
            "At random weights a hyperplane of layer 2 folds by an angle like 1/sqrt(width)",
            "estimate: n is a sum of about width/2 terms of the size of the one that changes",
            theirs="exponent -1/2",
            ours=f"exponent {exponent:.2f} of the median angle",
            tolerance="from -0.65 to -0.35",
            holds=-0.65 <= exponent <= -0.35,
            samples=min(len(entry["medians"]) for entry in numbers["along_width"]),
        ),
        Claim.told(
            "How far hyperplanes fold, layer by layer",
            SOURCE,
            theirs="no distribution given",
            ours="median angle by layer: "
            + "; ".join(
                f"{name} {', '.join(f'{value:.1f}°' for value in values)}"
                for name, values in (("before training", medians["start"]), ("after", medians["end"]))
            ),
        ),
    )


def _closed_forms(two_layers: Sequence[Mapping[str, Any]], mirrors: Sequence[Mapping[str, Any]]) -> tuple[Claim, ...]:
    """Claims that hold to rounding or not at all."""
    residual = max(part["largest_residual"] for part in two_layers)
    tangential = max(part["largest_tangential"] for part in two_layers)
    mirrored = max(part["largest_residual"] for part in mirrors)
    return (
        Claim.judged(
            "Where a unit of layer 2 crosses unit k of layer 1, its normal changes by w2_k W1_k",
            SOURCE,
            theirs="n' = n + w2_k W1_k",
            ours=f"largest relative residual {residual:.1e} of {sum(part['bends'] for part in two_layers):,} folds",
            tolerance="1e-12",
            holds=residual < 1e-12,
        ),
        Claim.judged(
            "Both normals agree along the hyperplane that is crossed: the network is continuous",
            SOURCE,
            theirs="no tangential difference",
            ours=f"largest relative difference {tangential:.1e}",
            tolerance="1e-12",
            holds=tangential < 1e-12,
        ),
        Claim.judged(
            "Absolute values with orthonormal filters fold by reflection, so that the angle is twice that of incidence",
            SOURCE,
            theirs="2 arctan(|n_i| / |n_j|) at a fold of coordinate i",
            ours=f"largest difference {mirrored:.1e} rad in {sum(part['bends'] for part in mirrors):,} folds",
            tolerance="1e-12 rad",
            holds=mirrored < 1e-12,
        ),
    )


def _exponent(along_width: Sequence[Mapping[str, Any]]) -> float:
    """Slope of the mean of the medians over the width, both logarithmic."""
    means = [np.mean(entry["medians"]) for entry in along_width]
    return float(np.polyfit(np.log([entry["width"] for entry in along_width]), np.log(means), 1)[0])


def _medians(angles: Mapping[str, Any], when: str) -> list[float]:
    """Median over all networks of each layer, from the pooled histograms."""
    layers = [entry[when] for runs in angles.values() for entry in runs]
    medians = []
    for number in range(len(layers[0])):
        counts = np.sum([layer[number]["counts"] for layer in layers], axis=0)
        reached = np.concatenate([[0], np.cumsum(counts)]) / max(1, counts.sum())
        medians.append(float(np.interp(0.5, reached, np.linspace(0, 180, BINS + 1))))
    return medians


def _table(angles: Mapping[str, Any]) -> Table:
    columns = ("data", "network", "when", "layer", "bends", "lower_quartile_deg", "median_deg", "upper_quartile_deg")
    rows = tuple(
        (name, number, {"start": "before", "end": "after"}[when], part["layer"], part["bends"], *part["quartiles"])
        for name, runs in angles.items()
        for number, entry in enumerate(runs)
        for when in ("start", "end")
        for part in entry[when]
    )
    return Table(columns, rows)
