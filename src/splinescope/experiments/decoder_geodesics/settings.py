"""Sizes of `decoder-geodesics`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from splinescope.experiments.shared.config import Config


@dataclass(frozen=True)
class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        images: Images of all classes; the last ones are held out.
        width: Units of each hidden layer of encoder and decoder.
        epochs: Passes over the images.
        pairs: Pairs of held-out images that are joined.
        proved: Pairs of which a lower bound of the length is proved.
        places: Points on each path at which images are looked at, at equal distances in the space of images.
        shown: Pairs in the figure: those of which the shortest path saves most.
        generators: Files of weights of perceptrons that others trained, separated by commas; `FILE+tanh` for one whose
            outputs go through tanh, `FILE@LAYER@PLACE=NUMBER` for a model file up to a layer with that number of its
            input given and the others from -1 to 1; "" for none.
        generator_pairs: Pairs of latents that are joined for each of these.
        plane_cells: Cells of a plane of these latents, about, above which nearer latents are joined in it.
        data: Folder of MNIST; empty for the small digits.
    """

    images: int
    width: int
    epochs: int
    pairs: int
    proved: int
    places: int
    shown: int
    generators: str = ""
    generator_pairs: int = 4
    plane_cells: int = 100_000
    data: str = ""

    @classmethod
    def smoke(cls, seed: int) -> Settings:
        """A small decoder of the small digits."""
        return cls(seed, 1000, 24, 60, pairs=10, proved=1, places=21, shown=3)

    @classmethod
    def paper(cls, seed: int) -> Settings:
        """A decoder of the small digits, or of 12,000 images of the user's MNIST, and 100 pairs."""
        return cls(seed, 12_000, 48, 120, pairs=100, proved=3, places=41, shown=4)

    def with_data(self, path: Path) -> Settings:
        """The same on the user's MNIST; see `Config.with_data`."""
        return replace(self, data=str(path.resolve()))
