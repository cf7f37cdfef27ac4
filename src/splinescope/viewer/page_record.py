"""What pages of every kind say of cells: patterns, measures, colours, and places as shares of a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from splinescope.network.graph import Network
from splinescope.plotting.colors import color_numbers, colors_of_classes, pattern_palette
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.viewer.packing import Packer

_PALETTES = {"viridis": "viridis", "cividis": "cividis", "magma": "magma", "grey": "Greys"}


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
    """The layers of a complex's patterns, numbered from 1 as in pictures."""
    return [PatternLayer(str(place + 1), start, stop) for place, (_, start, stop) in enumerate(cells.pattern_nodes)]


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
    """Names of all classes, and colours of those that are seen.

    Args:
        network: The network, which names them.
        present: Classes that are seen, ascending.

    Returns:
        Plain values.
    """
    names = [network.class_name(label) for label in range(network.num_classes)]
    return {"names": names, **seen_classes(present)}


def seen_classes(present: np.ndarray) -> dict[str, Any]:
    """Classes that are seen, ascending, and the colour of each."""
    return {"present": present.tolist(), "colors": whole_bytes(colors_of_classes(present))}


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


def whole_bytes(colors: np.ndarray) -> list[list[int]]:
    """Colours as [n, 3] whole numbers from 0 to 255."""
    table: list[list[int]] = np.rint(np.asarray(colors)[:, :3] * 255).astype(int).tolist()
    return table


def palettes() -> dict[str, list[list[int]]]:
    """Colour maps by name, in 64 steps, which the page blends."""
    from matplotlib import colormaps

    steps = np.linspace(0, 1, 64)
    return {name: whole_bytes(colormaps[source](steps)) for name, source in _PALETTES.items()}
