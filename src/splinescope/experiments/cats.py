"""The exact plane through three images of two classes, under a ConvNet that is trained to tell them apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from splinescope import datasets, models
from splinescope.errors import InvalidInputError
from splinescope.experiments import cats_figures
from splinescope.experiments.base import Claim, Config, Findings
from splinescope.experiments.cifar import cifar10
from splinescope.experiments.parts import Parts
from splinescope.experiments.planes import cells_of
from splinescope.tessellation.boundary import class_areas, decision_boundary
from splinescope.tessellation.domains import Slice
from splinescope.tessellation.planar.complex import PlanarComplex
from splinescope.tessellation.statistics import summary

SOURCE = "Balestriero, Humayun and Baraniuk 2024, figure 5"
HELD_OUT = 0.1
"""Share of the images, the last ones, that the network is not trained on."""


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        classes: Numbers of the two classes.
        channels: Channels of each convolution.
        strides: Stride of each.
        epochs: Epochs of training.
        margin: How far the square reaches beyond the images, by its side.
        closer: Side of the part that is shown in detail, relative to the square.
        points: Random points of the plane at which the module's own class is compared.
        data: Where CIFAR-10 is; None for the small digits.
        digits: Whether the images are the small digits.
    """

    classes: tuple[int, int]
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    epochs: int
    margin: float
    closer: float
    points: int
    digits: bool
    data: str | None = None

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """Digits 3 and 8, 8 x 8 pixels, a ConvNet of 96 units."""
        return cls(
            seed=seed,
            classes=(3, 8),
            channels=(4, 8),
            strides=(2, 2),
            epochs=40,
            margin=0.25,
            closer=0.4,
            points=2000,
            digits=True,
        )

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """Cats and dogs of CIFAR-10, a ConvNet of five layers of 160 units on average, as in the source."""
        return cls(
            seed=seed,
            classes=(3, 5),
            channels=(4, 10, 10, 32, 96),
            strides=(4, 2, 1, 2, 2),
            epochs=60,
            margin=0.25,
            closer=0.08,
            points=20000,
            digits=False,
        )

    def with_data(self, path: Path) -> Settings:
        """The same on the user's CIFAR-10; see `Config.with_data`."""
        if self.digits:
            raise InvalidInputError(f"`data`: got {str(path)!r}; the preset smoke uses the small digits")
        return replace(self, data=str(path.resolve()))

    def run(self, parts: Parts) -> Findings:
        """Train, cut the plane, compare; see `Config.run`."""
        problem = _problem(self)
        module, accuracies = _trained(self, parts, problem)
        images = _chosen(module, problem)
        one, two, three = problem.inputs[images].numpy()
        plane = Slice.through(one, two, three, margin=self.margin)
        cells = cells_of(module, plane)
        closer = cells_of(module, _part_of(plane, cells, self.closer))
        measure = partial(_measure, self, module, cells, images, problem)
        numbers = parts.each({"plane": measure}, "plane")["plane"] | accuracies
        figures = {"plane": partial(cats_figures.draw_plane, cells, closer, problem.names)}
        return Findings(numbers, _claims(numbers, problem.names), figures)


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


def _claims(numbers: Mapping[str, Any], names: tuple[str, str]) -> tuple[Claim, ...]:
    shares = ", ".join(
        f"class {name} on {share:.0%}" for name, share in zip(names, numbers["class_area_shares"], strict=True)
    )
    return (
        Claim.judged(
            "The decision boundary in the plane is computed exactly, from the affine map of each cell",
            SOURCE,
            theirs="provably exact",
            ours=f"both outputs agree to {numbers['boundary_largest_difference']:.1e} (relative) at all ends of its "
            f"{numbers['boundary_segments']:,} segments",
            tolerance="1e-10",
            holds=numbers["boundary_largest_difference"] < 1e-10,
        ),
        Claim.judged(
            "The cells and their maps are those of the trained network",
            SOURCE,
            theirs="provably exact",
            ours=f"{numbers['points_of_another_class']} of {numbers['points']:,} random points are of another class, "
            f"and outputs differ by {numbers['points_largest_difference']:.1e} (relative), in float32",
            tolerance="no other class, 1e-4",
            holds=numbers["points_of_another_class"] == 0 and numbers["points_largest_difference"] < 1e-4,
        ),
        Claim.told(
            "The picture itself",
            SOURCE,
            theirs="5-layer ConvNet of average width 160, 4,096 inputs, two kinds of cats; number of cells not given",
            ours=f"{len(numbers['widths'])}-layer ConvNet of average width {numbers['mean_width']:g}, "
            f"{numbers['inputs']:,} inputs, {names[0]} and {names[1]}: {numbers['plane']['cells']:,} cells; {shares} "
            f"of the square; {numbers['accuracy_held_out']:.0%} of the images held out are classified rightly",
        ),
    )
