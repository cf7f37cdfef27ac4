"""The experiments by name, without loading any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from splinescope.errors import InvalidInputError

if TYPE_CHECKING:
    from splinescope.experiments.shared.config import Config
    from splinescope.experiments.shared.experiment import Experiment

PRESETS = ("smoke", "paper")


@dataclass(frozen=True)
class Entry:
    """What is known of an experiment before it is loaded.

    Attributes:
        name: Its name on the command line; its folder has underscores for hyphens.
        source: Whose figure or table it is.
        shows: What it shows, in one line.
        minutes: Expected minutes of each preset on two processor cores.
        data: What `data` may be, or empty if the experiment makes its own.
    """

    name: str
    source: str
    shows: str
    minutes: Mapping[str, float]
    data: str = ""

    def load(self) -> Experiment[Any]:
        """The experiment itself, with all that it imports."""
        found: Experiment[Any] = import_module(f"splinescope.experiments.{self.name.replace('-', '_')}").EXPERIMENT
        return found

    def settings(self, preset: str, seed: int) -> Config:
        """The configuration of a preset; loads the experiment.

        Args:
            preset: "smoke" or "paper".
            seed: Seed of all randomness.

        Returns:
            The configuration.

        Raises:
            InvalidInputError: If there is no such preset.
        """
        if preset not in PRESETS:
            raise InvalidInputError(f"`preset`: got {preset!r}; expected {' or '.join(map(repr, PRESETS))}")
        kind: type[Config] = self.load().settings
        return kind.smoke(seed) if preset == "smoke" else kind.paper(seed)


EXPERIMENTS = (
    Entry(
        "regions-vs-depth-width",
        "Hanin and Rolnick 2019 (arXiv 1906.00904), section 2.4 of Balestriero et al. 2024",
        "cells counted along depth, along width and during training, beside the bounds",
        {"smoke": 0.2, "paper": 3.0},
    ),
    Entry(
        "self-similar",
        "Telgarsky 2016, Yarotsky 2017, Montufar et al. 2014, Serra et al. 2018",
        "hats, x^2, Takagi's function and folding networks: pieces counted exactly, error laws, bounds attained",
        {"smoke": 0.2, "paper": 1.0},
    ),
    Entry(
        "folded-hyperplanes",
        "Balestriero et al. 2019 (arXiv 1905.08443)",
        "angles at which the hyperplanes of deeper units fold, per layer, before and after training",
        {"smoke": 0.2, "paper": 1.0},
    ),
    Entry(
        "tessellation-toy",
        "figure 3 of Balestriero, Humayun and Baraniuk 2024 (arXiv 2408.04809)",
        "the tessellation of a toy network of two inputs layer by layer, and its graph",
        {"smoke": 0.1, "paper": 0.2},
    ),
    Entry(
        "cats",
        "figure 5 of Balestriero, Humayun and Baraniuk 2024 (arXiv 2408.04809)",
        "the exact plane through three images of two classes under a trained ConvNet, with its decision boundary",
        {"smoke": 0.2, "paper": 2.0},
        "CIFAR-10: an .npz file with images and labels, or the folder of its binary files",
    ),
    Entry(
        "grokking",
        "figure 9 of Balestriero, Humayun and Baraniuk 2024 (arXiv 2408.04809); Humayun et al. 2024 (arXiv 2402.15555)",
        "local complexity, exact slices and adversarial accuracy of an MLP that trains on long after it fits its data",
        {"smoke": 0.5, "paper": 35.0},
        "MNIST: the folder of its IDX files, or torchvision's folder with MNIST/raw in it",
    ),
    Entry(
        "batchnorm-tessellation",
        "figure 7 of Balestriero, Humayun and Baraniuk 2024 (arXiv 2408.04809)",
        "the folds of a toy network layer by layer, without and with batch-norm, around the data",
        {"smoke": 0.2, "paper": 0.7},
    ),
    Entry(
        "batchnorm-density",
        "figure 8 of Balestriero, Humayun and Baraniuk 2024 (arXiv 2408.04809)",
        "how dense the folds of a deep, wide network are around the data: zero biases, random biases, batch-norm",
        {"smoke": 0.2, "paper": 8.0},
    ),
    Entry(
        "class-connectivity",
        "table 1, figures 2 and 3 of Gu and Borovykh 2023 (arXiv 2311.06816)",
        "pairs of one class joined by straight or bent paths, proved, at the input and at layers; what samples miss",
        {"smoke": 0.5, "paper": 5.0},
        "MNIST: the folder of its IDX files; or CIFAR-10: an .npz file with images and labels, or its binary files",
    ),
    Entry(
        "loss-conditioning",
        "section 6 of Balestriero, Humayun and Baraniuk 2024 (arXiv 2408.04809); Riedi et al. 2023 (arXiv 2203.03099)",
        "how well conditioned the maps behind layers are, from plain networks to residual ones; all bounds checked",
        {"smoke": 0.3, "paper": 6.0},
    ),
    Entry(
        "convexity",
        "Rocke 2019, The extrinsic geometry of deep rectifier networks",
        "how often the image of a mean of weights is no larger than the mean of images, along depth, in every regime",
        {"smoke": 0.2, "paper": 3.0},
    ),
    Entry(
        "two-phases",
        "Rocke 2019, The extrinsic geometry of deep rectifier networks",
        "churn of codes, convexity of the loss between checkpoints and rotation of the kernel, with change points",
        {"smoke": 1.0, "paper": 5.0},
    ),
    Entry(
        "loss-landscape",
        "figure 6 of Balestriero, Humayun and Baraniuk 2024 (arXiv 2408.04809); Li et al. 2018 (arXiv 1712.09913)",
        "the loss around a residual network and around the same one without its skips, and the exact plane of a layer",
        {"smoke": 1.0, "paper": 45.0},
        "CIFAR-10: an .npz file with images and labels, or the folder of its binary files",
    ),
    Entry(
        "dual-basis",
        "figure 1 of Carlsson 2019 (arXiv 1905.08922)",
        "preimages of one layer in closed form: planes, their dual basis, points and rays; circulant cones",
        {"smoke": 0.1, "paper": 0.5},
    ),
    Entry(
        "contraction-flow",
        "figure 2 of Carlsson 2019 (arXiv 1905.08922)",
        "where layers with ReLU take a quadrant: flows between nested cones, exact shares of its faces, cells counted",
        {"smoke": 0.1, "paper": 0.5},
    ),
    Entry(
        "nested-cones",
        "figure 3 of Carlsson 2019 (arXiv 1905.08922)",
        "which layers nest: preimages of faces under the identity, a nested and a widened cone; when, and up to where",
        {"smoke": 0.2, "paper": 2.0},
    ),
    Entry(
        "flattening",
        "figure 4 of Carlsson 2019 (arXiv 1905.08922)",
        "the piecewise planar surface that three circulant layers flatten into a triangle, exactly, layer by layer",
        {"smoke": 0.1, "paper": 0.1},
    ),
    Entry(
        "trained-convolutions",
        "a question of Carlsson 2019 (arXiv 1905.08922): do convolutions nest?",
        "nesting, contraction and distance from circulant of convolutions before, during and after training",
        {"smoke": 0.3, "paper": 4.0},
        "MNIST: the folder of its IDX files, or torchvision's folder with MNIST/raw in it",
    ),
    Entry(
        "nested-by-design",
        "this library, from the nested cones of Carlsson 2019 (arXiv 1905.08922)",
        "convolutions kept nested while they train: what it costs in accuracy and buys in cells",
        {"smoke": 0.5, "paper": 10.0},
        "MNIST: the folder of its IDX files, or torchvision's folder with MNIST/raw in it",
    ),
    Entry(
        "manifold",
        "figure 10 of Balestriero, Humayun and Baraniuk 2024 (arXiv 2408.04809); MaGNET (arXiv 2110.08009)",
        "the piecewise affine surface of a generator with its facets, its area in three ways, and points uniform on it",
        {"smoke": 0.2, "paper": 1.0},
        "weights of a perceptron with ReLU, a generator: a file of its state dict",
    ),
    Entry(
        "polarity-toy",
        "figure 12 of Balestriero, Humayun and Baraniuk 2024 (arXiv 2408.04809); polarity sampling (arXiv 2203.01993)",
        "toy generators of the plane sampled by their volumes, exactly: modes, anti-modes, and what pools make of it",
        {"smoke": 0.3, "paper": 5.0},
    ),
    Entry(
        "debias",
        "figure 11 of Balestriero, Humayun and Baraniuk 2024 (arXiv 2408.04809); MaGNET (arXiv 2110.08009)",
        "a generator trained with a rare class: how often it makes it by its own law, and uniformly on its manifold",
        {"smoke": 0.3, "paper": 3.0},
        "MNIST: the folder of its IDX files, or torchvision's folder with MNIST/raw in it",
    ),
    Entry(
        "precision-recall",
        "polarity sampling (arXiv 2203.01993), MaGNET (arXiv 2110.08009)",
        "precision and recall by the exponent of the volume and by truncation; what uniform samples test",
        {"smoke": 0.4, "paper": 3.0},
        "MNIST: the folder of its IDX files, or torchvision's folder with MNIST/raw in it",
    ),
    Entry(
        "batch-size",
        "figure 4 of Hauser and Ray 2017 (NeurIPS)",
        "spirals through networks of width two that differ in the size of batches: gaps and stretches by layer",
        {"smoke": 0.2, "paper": 2.0},
    ),
    Entry(
        "spirals",
        "figure 2 of Hauser and Ray 2017 (NeurIPS)",
        "the same spirals untangled by plain, residual and second-order networks, and without one identity: their ways",
        {"smoke": 0.2, "paper": 3.0},
    ),
    Entry(
        "pulled-back-balls",
        "figure 3 of Hauser and Ray 2017 (NeurIPS)",
        "balls of one radius, as the outputs measure it, at every layer of residual networks: ellipses, and how exact",
        {"smoke": 0.1, "paper": 0.7},
    ),
    Entry(
        "topology-layers",
        "Naitzat, Zhitnikov and Lim 2020 (arXiv 2004.06093)",
        "data of known topology through ReLU, tanh and residual networks: who simplifies it in which layer",
        {"smoke": 0.3, "paper": 6.0},
    ),
    Entry(
        "volume-boundary",
        "Zavatone-Veth et al. 2023 (arXiv 2301.11375)",
        "volume elements of features along decision boundaries, exact in planes, before and after training",
        {"smoke": 0.5, "paper": 3.0},
    ),
    Entry(
        "decoder-geodesics",
        "Arvanitidis, Hansen and Hauberg 2018 (arXiv 1710.11379)",
        "shortest paths of a decoder of images beside straight lines: lengths, images, and what leaves the data",
        {"smoke": 0.3, "paper": 1.5},
        "MNIST: the folder of its IDX files, or torchvision's folder with MNIST/raw in it",
    ),
)
"""All experiments, in the order of the list."""


def entry(name: str) -> Entry:
    """The experiment of a name.

    Args:
        name: A name of the list.

    Returns:
        Its entry.

    Raises:
        InvalidInputError: If there is none; names those that there are.
    """
    for found in EXPERIMENTS:
        if found.name == name:
            return found
    known = ", ".join(found.name for found in EXPERIMENTS)
    raise InvalidInputError(f"`NAME`: there is no experiment {name!r}; expected one of {known}")
