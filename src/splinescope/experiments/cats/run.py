"""Measures of `cats`: a ConvNet is trained, the plane is cut, and both are compared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from splinescope import datasets, models
from splinescope.errors import InvalidInputError
from splinescope.experiments.cats.settings import Settings
from splinescope.experiments.shared.cifar import cifar10
from splinescope.experiments.shared.parts import Parts
from splinescope.experiments.shared.planes import cells_of
from splinescope.tessellation.boundary import class_areas, decision_boundary
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.statistics import summary

HELD_OUT = 0.1
"""Share of the images, the last ones, that the network is not trained on."""


def run(settings: Settings, parts: Parts) -> dict[str, Any]:
    """Train, cut the plane, compare; the parts `cells` and `closer` are the plane and a part of it."""
    problem = _problem(settings)
    module, accuracies = _trained(settings, parts, problem)
    images = _chosen(module, problem)
    one, two, three = problem.inputs[images].numpy()
    plane = Slice.through(one, two, three, margin=settings.margin)
    cells = parts.cells("cells", PlanarComplex, partial(cells_of, module, plane))
    parts.cells("closer", PlanarComplex, lambda: cells_of(module, _part_of(plane, cells, settings.closer)))
    measure = partial(_measure, settings, module, cells, images, problem)
    return parts.each({"plane": measure}, "plane")["plane"] | accuracies


@dataclass(frozen=True, eq=False)
class _Problem:
    """Images of two classes.

    Attributes:
        inputs: [N, channels, height, width].
        labels: [N] 0 or 1.
        train: Number of images to train on; the others are held out.
        names: What the classes are called.
    """

    inputs: Tensor
    labels: Tensor
    train: int
    names: tuple[str, str]


def _problem(settings: Settings) -> _Problem:
    if not settings.digits and settings.data is None:
        raise InvalidInputError(
            "`data`: got none; expected where CIFAR-10 is, as in `--data cifar-10-batches-bin` (the binary version), "
            "or an .npz file with `images` and `labels`"
        )
    everything = datasets.digits() if settings.digits else cifar10(str(settings.data))
    one, two = settings.classes
    chosen = (everything.labels == one) | (everything.labels == two)
    labels = (everything.labels[chosen] == two).long()
    train = len(labels) - int(HELD_OUT * len(labels))
    if int((labels[:train] == 0).sum()) < 2 or not int(labels[:train].sum()):
        raise InvalidInputError(f"`data`: {len(labels)} images of the two classes; expected more of each")
    return _Problem(everything.inputs[chosen], labels, train, (everything.classes[one], everything.classes[two]))


def _trained(settings: Settings, parts: Parts, problem: _Problem) -> tuple[nn.Sequential, dict[str, float]]:
    """The trained network, and how accurate it is."""
    generator = torch.Generator().manual_seed(settings.seed)
    module = models.strided_convnet(
        tuple(problem.inputs.shape[1:]), 2, settings.channels, settings.strides, generator=generator
    )

    def train() -> dict[str, np.ndarray]:
        models.train_classifier(
            module,
            problem.inputs[: problem.train],
            problem.labels[: problem.train],
            generator=generator,
            epochs=settings.epochs,
            batch_size=32,
            learning_rate=1e-3,
        )
        return {"parameters": nn.utils.parameters_to_vector(module.parameters()).detach().numpy()}

    weights = torch.from_numpy(parts.arrays("weights", train)["parameters"])
    nn.utils.vector_to_parameters(weights, module.parameters())
    with torch.no_grad():
        right = (module(problem.inputs).argmax(dim=1) == problem.labels).double()
    halves = right[: problem.train], right[problem.train :]
    return module, {"accuracy_trained_on": float(halves[0].mean()), "accuracy_held_out": float(halves[1].mean())}


def _chosen(module: nn.Sequential, problem: _Problem) -> list[int]:
    """The first two images of the first class and the first of the second that are classified rightly."""
    with torch.no_grad():
        right = module(problem.inputs[: problem.train]).argmax(dim=1) == problem.labels[: problem.train]
    ones, twos = (torch.nonzero(right & (problem.labels[: problem.train] == label)).flatten() for label in (0, 1))
    if len(ones) < 2 or not len(twos):
        raise InvalidInputError("`data`: the trained network gets too few images right to pick three from")
    return [int(ones[0]), int(ones[1]), int(twos[0])]


def _part_of(plane: Slice, cells: PlanarComplex, share: float) -> Slice:
    """A square of the plane, of a share of its side, around the point of the boundary that is nearest to its centre."""
    ends = decision_boundary(cells).segments.reshape(-1, 2)
    middle = plane.polygon.mean(axis=0)
    centre = ends[np.linalg.norm(ends - middle, axis=1).argmin()] if len(ends) else middle
    return Slice(plane.origin, plane.basis, centre + share * (plane.polygon - middle), names=plane.names)


def _measure(
    settings: Settings, module: nn.Sequential, cells: PlanarComplex, images: list[int], problem: _Problem
) -> dict[str, Any]:
    """Counts of the plane, and how far the exact boundary and regions agree with the module itself."""
    boundary = decision_boundary(cells)
    ends = cells.domain.embed(boundary.segments.reshape(-1, 2))
    values = cells.network(ends)
    areas = class_areas(cells)
    generator = np.random.default_rng(settings.seed)
    low, high = cells.domain.polygon.min(axis=0), cells.domain.polygon.max(axis=0)
    points = low + (high - low) * generator.random((settings.points, 2))
    maps, found = cells.affine_maps(), cells.locate(points)
    exact = np.einsum("poi,pi->po", maps.A[found], points) + maps.c[found]
    with torch.no_grad():
        own = module(torch.from_numpy(cells.domain.embed(points)).float()).numpy()
    shape = cells.domain.input_shape
    widths = _widths(module, shape)
    return {
        "images": images,
        "classes": problem.names,
        "inputs": int(np.prod(shape)),
        "widths": widths,
        "mean_width": float(np.mean(widths)),
        "plane": summary(cells),
        "boundary_segments": len(boundary.segments),
        "boundary_length": float(boundary.lengths.sum()),
        "boundary_largest_difference": float(
            np.abs(values[:, 0] - values[:, 1]).max(initial=0.0) / np.abs(values).max()
        ),
        "class_area_shares": areas / areas.sum(),
        "points": len(points),
        "points_of_another_class": int((exact.argmax(axis=1) != own.argmax(axis=1)).sum()),
        "points_largest_difference": float(np.abs(exact - own).max() / np.abs(own).max()),
    }


def _widths(module: nn.Sequential, shape: tuple[int, ...]) -> list[int]:
    """Units of each layer."""
    x, widths = torch.zeros(1, *shape), []
    for layer in module:
        x = layer(x)
        if isinstance(layer, nn.ReLU):
            widths.append(x.numel())
    return widths
