"""Sizes of `class-connectivity`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from splinescope.experiments.shared.config import Config
from splinescope.paths.proof.refinement import BUDGET

KINDS = ("correct", "misclassified")
"""Kinds of pairs: both ends classified rightly; one of them an image of another class that is taken for its like."""


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        pairs: Pairs at each layer, of each kind.
        kinds: Kinds of pairs: "correct", both ends classified rightly; "misclassified", one of them an image of another
            class that is taken for its like.
        twins: Pairs that are looked at under two networks of different seeds; 0 for none.
        layers: At which layers: "input", "first", "middle", "last", or names and numbers of layers.
        samples: Points of the sampled checks.
        pivots: Inner vertices of the bent paths.
        steps: Steps after which a path counts as not bent into the class.
        budget: Forward passes for each segment, where a network has too many breakpoints to list.
        component_points: Images of each class whose components are wanted; 0 for none.
        hidden: Units of each hidden layer; the first one is the width of a residual network for colour images.
        epochs: Epochs of training.
        learning_rate: Adam's step size.
        held_out: Share of the images that are held out; pairs are of these.
        train_images: Number of images to train on, at most.
        model: A file with a network to look at instead of one that is trained; "" for none.
        trust: Whether that file may run the code that a `.pt2` holds.
        mean: What is taken from images, per channel, before they go into that network.
        std: What they are divided by after that.
        strip: Images on each path of the pictures.
        decoder_width: Channels of the decoders.
        decoder_epochs: Epochs of their training.
        decoder_images: Images that they are trained on, at most.
        data: Where MNIST or CIFAR-10 is; None for the small digits.
    """

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "kinds": KINDS,
    }

    pairs: int
    kinds: tuple[str, ...]
    twins: int
    layers: tuple[str, ...]
    samples: tuple[int, ...]
    pivots: int
    steps: int
    budget: int
    component_points: int
    hidden: tuple[int, ...]
    epochs: int
    learning_rate: float
    held_out: float
    train_images: int
    model: str
    trust: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    strip: int
    decoder_width: int
    decoder_epochs: int
    decoder_images: int
    data: str | None = None

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """A hundred pairs of the small digits."""
        return replace(cls.paper(seed), pairs=100, twins=60, component_points=8, decoder_width=8, decoder_epochs=5)

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """A thousand pairs; the small digits, or the user's MNIST or CIFAR-10."""
        return cls(
            seed=seed,
            pairs=1000,
            kinds=KINDS,
            twins=500,
            layers=("input", "first", "last"),
            samples=(10, 20, 50),
            pivots=9,
            steps=300,
            budget=BUDGET,
            component_points=30,
            hidden=(64,) * 6,
            epochs=60,
            learning_rate=3e-3,
            held_out=0.3,
            train_images=20_000,
            model="",
            trust=False,
            mean=(0.0,),
            std=(1.0,),
            strip=7,
            decoder_width=32,
            decoder_epochs=20,
            decoder_images=4000,
        )

    def with_data(self, path: Path) -> Settings:
        """The same on the user's MNIST or CIFAR-10, with fewer epochs for more images; see `Config.with_data`."""
        fewer = replace(self, epochs=15, learning_rate=1e-3, decoder_epochs=5, decoder_width=16)
        return replace(fewer, data=str(path.resolve()))
