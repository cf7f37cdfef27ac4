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
        "batch-size",
        "figure 4 of Hauser and Ray 2017 (NeurIPS)",
        "spirals through networks of width two that differ in the size of batches: gaps and stretches by layer",
        {"smoke": 0.2, "paper": 12.0},
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
