"""What pages of every kind say of cells: patterns, measures, colours, and places as shares of a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from splinescope.network.graph import Network
from splinescope.plotting.colors import ColorScale, class_colors, color_numbers, pattern_palette, scale_of
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.viewer.packing import Packer

_PALETTES = {"viridis": "viridis", "cividis": "cividis", "magma": "magma", "grey": "Greys"}

LEVELS = 65534
"""The largest whole number of a measure in 16 bits."""


def mixed(units: np.ndarray) -> np.ndarray:
    """32 pseudo-random bits of each number: the finaliser of MurmurHash3, which the page computes as well."""
    bits = (np.asarray(units, np.uint64) + np.uint64(1)).astype(np.uint32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        bits = (bits ^ (bits >> np.uint32(shift))) * np.uint32(factor)
    return bits ^ (bits >> np.uint32(16))


@dataclass(frozen=True)
class Patterns:
    """What a page tells of all activation patterns.

    Attributes:
        hashes: [F] 32 bits of each.
        counts: [F, layers] units of each layer that are not on their first piece.
        colors: [F] places in the palette of patterns.
    """

    hashes: np.ndarray
    counts: np.ndarray
    colors: np.ndarray

    @classmethod
    def of(cls, count: int, layers: Sequence[PatternLayer], pieces_of: Callable[[np.ndarray], np.ndarray]) -> Patterns:
        """Read the patterns of all cells once, in parts.

        Args:
            count: Number of cells.
            layers: Their layers.
            pieces_of: [some, units] pieces of some cells.

        Returns:
            What a page tells.
        """
        units = layers[-1].stop if layers else 0
        found = cls(np.zeros(count, np.uint32), np.zeros((count, len(layers)), np.int64), np.zeros(count, np.int64))
        step, weights = max(1, (1 << 22) // max(1, units)), mixed(np.arange(units))
        for start in range(0, count if units else 0, step):
            rows = slice(start, start + step)
            pieces = pieces_of(np.arange(start, min(start + step, count)))
            found.hashes[rows] = np.bitwise_xor.reduce(weights * pieces, axis=1)
            found.colors[rows] = color_numbers(pieces)
            for number, layer in enumerate(layers):
                found.counts[rows, number] = np.count_nonzero(pieces[:, layer.start : layer.stop], axis=1)
        return found

    def add(self, packer: Packer, order: np.ndarray | None = None) -> None:
        """Append hashes and counts.

        Args:
            packer: Where to.
            order: [F] cells in the order of the page; as they are if None.
        """
        rows = np.arange(len(self.hashes)) if order is None else order
        packer.add("hashes", self.hashes[rows], 4)
        for number in range(self.counts.shape[1]):
            packer.add(f"counts.{number}", self.counts[rows, number], 4, differences=True)


@dataclass(frozen=True)
class PatternLayer:
    """The units of one layer among those of all patterns.

    Attributes:
        name: What the layer is called.
        start: Its first unit.
        stop: The unit after its last one.
    """

    name: str
    start: int
    stop: int


def layers_of(cells: PolyhedralComplex) -> list[PatternLayer]:
    """The layers of a complex's patterns."""
    return [PatternLayer(cells.network.nodes[node].name, start, stop) for node, start, stop in cells.pattern_nodes]


def layer_record(layers: Sequence[PatternLayer], *, flips: bool = False, root_hash: int = 0) -> dict[str, Any]:
    """What the page reads of layers.

    Args:
        layers: The layers.
        flips: Whether the page finds patterns by the units of edges.
        root_hash: 32 bits of the first cell's pattern.

    Returns:
        Plain values.
    """
    nodes = [{"name": layer.name, "start": layer.start, "stop": layer.stop} for layer in layers]
    return {"flips": flips, "nodes": nodes, "root_hash": root_hash}


def colors_of_all() -> dict[str, Any]:
    """The colour maps that every page has."""
    return {"palettes": palettes(), "pattern_palette": whole_bytes(pattern_palette())}


def class_record(network: Network, present: np.ndarray) -> dict[str, Any]:
    """Names and colours of classes.

    Args:
        network: The network, which names them.
        present: Classes that are seen, ascending.

    Returns:
        Plain values.
    """
    count = int(present.max(initial=0)) + 1
    names = [network.class_name(label) for label in range(count)]
    return {"present": present.tolist(), "names": names, "colors": whole_bytes(class_colors(count))}


def facts_of(cells: PolyhedralComplex, counts: str) -> str:
    """The line below the title.

    Args:
        cells: A complex.
        counts: How many cells and faces there are.

    Returns:
        The line.
    """
    level = cells.certificate.level if cells.certificate else "none"
    return f"{counts}; certificate: {level}{'; truncated' if cells.truncated else ''}"


def add_measure(packer: Packer, key: str, values: np.ndarray, label: str, weights: np.ndarray) -> dict[str, Any]:
    """Append numbers of all cells in 16 bits; see `measure_of`.

    Args:
        packer: Where to.
        key: What the page calls them.
        values: [F] the numbers.
        label: What they are, with units.
        weights: [F] how much of the picture each colours.

    Returns:
        How they are stored, and the scale of their colours.
    """
    stored, record = measure_of(key, values, label, weights)
    packer.add(f"measure.{key}", stored, 2)
    return record


def measure_of(
    key: str, values: np.ndarray, label: str, weights: np.ndarray, levels: int = LEVELS
) -> tuple[np.ndarray, dict[str, Any]]:
    """Numbers of all cells as whole numbers, of their logarithms where these spread better.

    Args:
        key: What the page calls them.
        values: [F] the numbers.
        label: What they are, with units.
        weights: [F] how much of the picture each colours.
        levels: The largest whole number; one more stands for no number.

    Returns:
        The whole numbers; and how they are stored, and the scale of their colours.
    """
    finite = np.isfinite(values)
    positive = finite & (values > 0)
    scale: ColorScale = scale_of(values, label, weights=weights)
    logarithmic = bool(scale.logarithmic and positive.any() and (positive == finite).all())  # zero has no logarithm
    usable = positive if logarithmic else finite
    kept = np.log(values[usable]) if logarithmic else values[usable]
    low, high = (float(kept.min()), float(kept.max())) if len(kept) else (0.0, 1.0)
    stored = np.full(len(values), levels + 1, np.uint64)
    stored[usable] = np.rint((kept - low) / max(high - low, np.finfo(float).tiny) * levels).astype(np.uint64)
    return stored, {
        "key": key,
        "label": label,
        "stored_as_logarithms": logarithmic,
        "least": low,
        "most": high,
        "low": scale.low,
        "high": scale.high,
        "positive": bool((positive == finite).all()),
    }


def whole_bytes(colors: np.ndarray) -> list[list[int]]:
    """Colours as [n, 3] whole numbers from 0 to 255."""
    table: list[list[int]] = np.rint(np.asarray(colors)[:, :3] * 255).astype(int).tolist()
    return table


def palettes() -> dict[str, list[list[int]]]:
    """Colour maps by name, in 64 steps, which the page blends."""
    from matplotlib import colormaps

    steps = np.linspace(0, 1, 64)
    return {name: whole_bytes(colormaps[source](steps)) for name, source in _PALETTES.items()}
