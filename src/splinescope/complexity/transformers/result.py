"""Spline features: what they are, and the arrays that hold them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from splinescope.shown import Shown

FEATURES = (
    "sign rate mean",
    "sign rate minimum",
    "sign rate maximum",
    "sign rate deviation",
    "distance minimum",
    "distance mean",
    "distance deviation",
)
"""The seven features of a layer, in the order of the source."""


@dataclass(frozen=True, eq=False)
class SplineFeatures(Shown):
    """Spline features of texts, and what they were made of.

    Attributes:
        layers: Names of the MLP blocks.
        values: The seven features of each layer for each text, in the order of `FEATURES`.
        tokens: Number of tokens of each text, padding not counted.
        windows: In how many windows each text was read; tokens of different windows did not see each other, but for
            the overlap.
        offsets: Tokens `offsets[i]` to `offsets[i + 1]` of the following arrays are those of text i.
        sign_rates: Share of positive units for each token and layer; None if tokens were not kept.
        distances: Distance to the nearest hyperplane for each token and layer, in the space of the block's input.
        local_complexity: Number of hyperplanes that cut the token's neighbourhood; None without a radius.
        mean_local_complexity: Its mean over the tokens of each text; None without a radius.
    """

    layers: tuple[str, ...]
    values: Float[np.ndarray, "texts layers 7"]
    tokens: Int[np.ndarray, " texts"]
    windows: Int[np.ndarray, " texts"]
    offsets: Int[np.ndarray, " bounds"]
    sign_rates: Float[np.ndarray, "tokens layers"] | None
    distances: Float[np.ndarray, "tokens layers"] | None
    local_complexity: Int[np.ndarray, "tokens layers"] | None
    mean_local_complexity: Float[np.ndarray, "texts layers"] | None

    @property
    def vectors(self) -> Float[np.ndarray, "texts features"]:
        """All features of each text in one row, layer after layer, as a classifier takes them."""
        return self.values.reshape(len(self.values), -1)

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns of `vectors` are."""
        return tuple(f"{layer}: {feature}" for layer in self.layers for feature in FEATURES)

    def rows_of(self, text: int) -> slice:
        """Which rows of the arrays of tokens belong to a text.

        Args:
            text: Its number.

        Returns:
            The rows.
        """
        return slice(int(self.offsets[text]), int(self.offsets[text + 1]))
