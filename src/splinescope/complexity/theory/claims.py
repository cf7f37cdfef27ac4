"""What each theorem claims of a network of a given shape, and whether its assumptions hold there."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
import torch

from splinescope.complexity.theory import bounds
from splinescope.complexity.theory.architectures import Architecture
from splinescope.complexity.theory.arrangements import (
    buck_bounded,
    layer_upper,
    lines_in_window,
    mean_degree_upper,
    shallow_mean_degree,
    zaslavsky,
)
from splinescope.network.evaluate import walk
from splinescope.network.graph import Network
from splinescope.network.ops.walls import CellWalls
from splinescope.tessellation.domains import Domain

Kind = Literal["lower", "upper", "average", "exact"]
Quantity = Literal["cells", "bounded cells", "mean degree"]

ZASLAVSKY = "Zaslavsky 1975, Memoirs of the AMS 154"
SERRA = "Serra, Tjandraatmadja, Ramalingam 2018, arXiv 1711.02114"
GAINES = "Gaines, Bi 2026, arXiv 2606.07728"
SOME = "some network of these widths, not this one"


@dataclass(frozen=True)
class Assumption:
    """Something that a theorem needs.

    Attributes:
        holds: Whether the network has it.
        otherwise: What is wrong if not.
    """

    holds: bool
    otherwise: str


@dataclass(frozen=True)
class Theorem:
    """A theorem about the regions of a network.

    Attributes:
        name: Whose it is.
        quantity: What it counts.
        kind: Which kind of number it gives; see `BoundRow`.
        value: Computes the number, where the assumptions hold.
        statement: The formula.
        source: Author, year, arXiv number.
        assumptions: What it needs.
        remark: What a reader should know of the number.
    """

    name: str
    quantity: Quantity
    kind: Kind
    value: Callable[[], int | Fraction]
    statement: str
    source: str
    assumptions: tuple[Assumption, ...] = ()
    remark: str = ""


def claims(network: Network, domain: Domain | None, shape: Architecture) -> tuple[Theorem, ...]:
    """All theorems, for a network looked at on a domain.

    Args:
        network: The network.
        domain: The domain; None for the whole space.
        shape: The network's architecture, for the dimension of the domain.

    Returns:
        The claims.
    """
    deep = (*_of_any_graph(shape), *_of_sequences(shape), *_of_random_weights(shape))
    return (*deep, *_of_one_layer(network, domain, shape), *_of_degrees(shape))


def _of_any_graph(shape: Architecture) -> tuple[Theorem, ...]:
    """Upper bounds that hold whatever the graph."""
    pieces = [int(number) for layer in shape.layers for number in layer.pieces]
    return (
        Theorem("patterns", "cells", "upper", lambda: bounds.trivial_upper(pieces), "2^N; prod_k p_k", "counting"),
        Theorem(
            "Montufar 2017",
            "cells",
            "upper",
            lambda: math.prod(layer_upper(layer.pieces.tolist(), layer.dimension) for layer in shape.layers),
            "prod_l sum_{j<=d_l} C(n_l,j), d_l = min(d,n_1,..,n_{l-1})",
            "Montufar 2017, Notes on the number of linear regions of deep neural networks",
            remark="" if shape.sequential else "layer by layer; d_l by a minimal cut of the graph",
        ),
        Theorem(
            "Telgarsky 2015",
            "cells",
            "upper",
            lambda: bounds.telgarsky_upper(shape.widths),
            "(2m)^L",
            "Telgarsky 2015, arXiv 1509.08101",
            (Assumption(shape.dimension == 1, "the domain is not a line"), _two_pieces(shape)),
        ),
    )


def _of_sequences(shape: Architecture) -> tuple[Theorem, ...]:
    """Bounds for networks whose layers follow each other."""
    d, widths = shape.dimension, shape.widths
    relu, dense = _dense_relu(shape)
    return (
        Theorem(
            "Serra 2018",
            "cells",
            "upper",
            lambda: bounds.serra_2018_upper(d, widths),
            "sum over j_l <= min(d,n_1-j_1,..,n_l) of prod_l C(n_l,j_l)",
            SERRA,
            (relu, Assumption(shape.sequential, "the graph is not a sequence")),
        ),
        Theorem(
            "Montufar 2014",
            "cells",
            "lower",
            lambda: bounds.montufar_2014_lower(d, widths),
            "prod_{l<L} floor(n_l/d)^d sum_{j<=d} C(n_L,j)",
            "Montufar, Pascanu, Cho, Bengio 2014, arXiv 1402.1869",
            (relu, dense, _wide(shape, d)),
            SOME,
        ),
        Theorem(
            "Serra 2018, lower",
            "cells",
            "lower",
            lambda: bounds.serra_2018_lower(d, widths),
            "prod_{l<L} (floor(n_l/d)+1)^d sum_{j<=d} C(n_L,j)",
            SERRA,
            (relu, dense, _wide(shape, 3 * d)),
            SOME,
        ),
    )


def _of_random_weights(shape: Architecture) -> tuple[Theorem, ...]:
    """What networks of this shape have on average."""
    return (
        Theorem(
            "Hanin-Rolnick 2019",
            "cells",
            "average",
            lambda: bounds.hanin_rolnick_average(shape.units, shape.dimension),
            "(T N)^d/d! per volume",
            "Hanin, Rolnick 2019, arXiv 1906.00904",
            _dense_relu(shape),
            "N^d/d!: order of magnitude for random weights in a large window",
        ),
    )


def _of_one_layer(network: Network, domain: Domain | None, shape: Architecture) -> tuple[Theorem, ...]:
    """What is known of an arrangement of hyperplanes."""
    assumptions = _shallow(shape)
    planar = Assumption(domain is not None and shape.dimension == 2, "it needs a plane's window")
    return (
        Theorem(
            "Zaslavsky 1975",
            "cells",
            "upper",
            lambda: zaslavsky(shape.units, shape.dimension),
            "sum_{i<=d} C(n,i)",
            ZASLAVSKY,
            assumptions,
            "exact over the whole space in general position",
        ),
        Theorem(
            "lines in the window",
            "cells",
            "exact",
            lambda: _window_regions(network, domain, shape),
            "1 + lines + crossings inside",
            ZASLAVSKY,
            (planar, *assumptions),
            "in general position",
        ),
        Theorem(
            "Buck 1943",
            "bounded cells",
            "upper",
            lambda: buck_bounded(shape.units, shape.dimension),
            "C(n-1,d)",
            "Buck 1943, Amer. Math. Monthly 50",
            assumptions,
            "found: cells away from the boundary of the domain",
        ),
    )


def _of_degrees(shape: Architecture) -> tuple[Theorem, ...]:
    """How many neighbours a cell has."""
    return (
        Theorem(
            "Gaines-Bi 2026",
            "mean degree",
            "upper",
            lambda: mean_degree_upper(shape.dimension),
            "2d",
            GAINES,
            (
                Assumption(shape.single_form, "it has maxima of three members or more"),
                Assumption(
                    shape.dimension <= 2 or (shape.relu and shape.dense), "not known for this graph above a plane"
                ),
            ),
            "" if shape.dimension <= 2 else "a theorem over the whole space",
        ),
        Theorem(
            "Gaines-Bi 2026, one layer",
            "mean degree",
            "average",
            lambda: shallow_mean_degree(shape.units, shape.dimension),
            "2 n Z(n-1,d-1)/Z(n,d)",
            GAINES,
            _shallow(shape),
            "over the whole space in general position",
        ),
    )


def _dense_relu(shape: Architecture) -> tuple[Assumption, Assumption]:
    return (
        Assumption(shape.relu, "not all units are ReLU"),
        Assumption(shape.dense, "it is not a sequence of dense layers"),
    )


def _two_pieces(shape: Architecture) -> Assumption:
    most = max((int(layer.pieces.max(initial=1)) for layer in shape.layers), default=1)
    return Assumption(most <= 2, "a unit has more than two pieces")


def _wide(shape: Architecture, least: int) -> Assumption:
    return Assumption(min(shape.widths, default=0) >= max(1, least), f"a layer has fewer than {max(1, least)} units")


def _shallow(shape: Architecture) -> tuple[Assumption, ...]:
    return (
        Assumption(len(shape.layers) == 1, "it has not exactly one folding layer"),
        _two_pieces(shape),
    )


def _window_regions(network: Network, domain: Domain | None, shape: Architecture) -> int:
    """Regions of a plane's window with one layer of activations, from its lines alone."""
    assert domain is not None
    layer = shape.layers[0]
    points = torch.from_numpy(domain.embed(np.concatenate([np.zeros((1, 2)), np.eye(2)])))
    node = network.nodes[layer.node]
    before = next(value for index, value in walk(network, points) if index == node.inputs[0])
    forms = _forms(network.folds[layer.node].cell_walls(node.size), before.reshape(3, -1).numpy())
    lines = np.column_stack([(forms[1:] - forms[0]).T, forms[0]])[layer.pieces == 2]
    return lines_in_window(lines, domain.corners).regions


def _forms(walls: CellWalls, values: np.ndarray) -> np.ndarray:
    """Of each unit of two pieces the number that is zero on its fold, at some points: the wall of its first piece."""
    found, forms = walls.comparisons(walls.first), np.zeros((len(values), walls.units))
    under = np.where(found.under >= 0, values[:, found.under], 0.0)
    forms[:, walls.owners[found.walls]] = values[:, found.over] - under - found.constant
    return forms
