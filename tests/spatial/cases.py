"""Degenerate arrangements in three dimensions, and random quantised networks, as small named cases.

Planes coincide, share a line or a point, pass through corners, edges and faces of the box or along them. Each is an
ordinary network of some kind of user. `CASES` lists them; the exact counts of the rational twin are in `gold.json`
(see `freeze.py`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

import splinescope
from tests.fixtures.random_nets import random_case
from tests.fixtures.recipes import ABS, RELU, Builder, Kind, Recipe, clip, leaky, mlp
from tests.reference.rational_space import SpaceTessellation, tessellate_space

CUBE = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
UNIT_CUBE = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@dataclass(frozen=True, eq=False)
class SpaceCase:
    """One network and box.

    Attributes:
        name: Unique name; the key of the gold values.
        recipe: The network.
        box: Lower and upper ends, in coordinates of the slice.
        origin: Origin of the slice; None where the input itself is the space.
        basis: Directions of the slice; None where the input itself is the space.
    """

    name: str
    recipe: Recipe
    box: tuple[tuple[float, ...], tuple[float, ...]] = CUBE
    origin: np.ndarray | None = None
    basis: np.ndarray | None = None

    @functools.cached_property
    def exact(self) -> SpaceTessellation:
        """The rational twin's answer."""
        return tessellate_space(self.recipe, *self.box, self.origin, self.basis)

    @property
    def domain(self) -> splinescope.Slice | splinescope.Box:
        """The domain for the engine."""
        box = splinescope.Box(*self.box)
        if self.origin is None or self.basis is None:
            return box
        return splinescope.Slice(self.origin, self.basis, box.corners)

    def embed(self, points: np.ndarray) -> np.ndarray:
        """Inputs `[n, n_inputs]` at points `[n, d]` of the box."""
        return points if self.origin is None or self.basis is None else self.origin + points @ self.basis


def integers(rng: np.random.Generator, *shape: int, denominator: int = 1, largest: int = 2) -> np.ndarray:
    """Random multiples of `1 / denominator` between `-largest` and `largest`."""
    return rng.integers(-largest * denominator, largest * denominator, size=shape, endpoint=True) / denominator


def _two_layers(first: object, offsets: object, seed: int, width: int = 4) -> Recipe:
    """Given first-layer planes, then a quantised random layer and a sum."""
    rng = np.random.default_rng(seed)
    weight = np.asarray(first, dtype=np.float64)
    second = integers(rng, width, len(weight), denominator=2)
    biases = [offsets, integers(rng, width, denominator=4, largest=1), [0.0]]
    return mlp([weight, second, np.ones((1, width))], biases)


def zero_bias() -> list[SpaceCase]:
    """Every fold passes through the origin, with float and with small integer weights."""
    rng = np.random.default_rng(1)
    shapes = ((6, 3), (5, 6), (4, 5), (1, 4))
    floats, whole = [rng.normal(size=shape) for shape in shapes], [integers(rng, *shape) for shape in shapes]
    none = [np.zeros(len(w)) for w in floats]
    return [
        SpaceCase("zero_bias_float", mlp(floats, none)),
        SpaceCase("zero_bias_integer", mlp(whole, none)),
        SpaceCase("zero_bias_corner", mlp(whole, none), UNIT_CUBE),
        SpaceCase("zero_bias_leaky", mlp(floats, none, leaky(0.25))),
        SpaceCase("zero_bias_abs", mlp(whole, none, ABS)),
    ]


def duplicates() -> list[SpaceCase]:
    """Units repeated, scaled and negated, in the first and in deeper layers."""
    rng = np.random.default_rng(2)
    first, offset, second = rng.normal(size=(4, 3)), 0.3 * rng.normal(size=4), rng.normal(size=(3, 4))
    doubled = np.vstack([first, first, 2 * first]), np.concatenate([offset, offset, 2 * offset])
    opposite = np.vstack([first, -first]), np.concatenate([offset, -offset])
    cancelling = np.hstack([second, -second])
    deep = np.vstack([np.hstack([second, second, second]), -np.hstack([second, second, second])])
    repeated = mlp([doubled[0], deep, np.ones((1, 6))], [doubled[1], np.r_[0.25, 0, 0, -0.25, 0, 0], [0.0]])
    negated = mlp(
        [opposite[0], np.vstack([cancelling, -cancelling]), np.ones((1, 6))],
        [opposite[1], np.r_[0.5, 0.25, 0, -0.5, -0.25, 0], [0.0]],
    )
    vanishing = mlp(
        [np.vstack([first, first]), np.hstack([second, -second]), np.ones((1, 3))],
        [np.r_[offset, offset], np.zeros(3), [0.0]],
    )
    return [
        SpaceCase("duplicate_units", repeated),
        SpaceCase("opposite_units", negated),
        SpaceCase("vanishing_difference", vanishing),
    ]


def dead() -> list[SpaceCase]:
    """Units that never switch: far away, without weights, fed with nothing but zeros, or touching the box only."""
    rng = np.random.default_rng(3)
    first = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0], [1, -2, 1], [0.5, 0.5, 0]]
    silent = mlp(
        [np.eye(3), integers(rng, 4, 3), integers(rng, 4, 4), np.ones((1, 4))],
        [[-0.5, -0.25, 0.5], np.zeros(4), np.zeros(4), [0.0]],
    )
    outside = [[1, 0, 0], [0, -1, 0], [1, 1, 0], [-1, 1, 1], [0, 1, -1], [-1, -1, -1]]
    sides = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]
    return [
        SpaceCase("dead_units", _two_layers(first, [-5.0, 5.0, 0.25, 0.0, -1.0, 0.0, -0.75], 3)),
        SpaceCase("dead_network", mlp([np.eye(3), np.eye(3), np.ones((1, 3))], [[-4.0] * 3, [0.0] * 3, [0.0]])),
        SpaceCase("zeros_into_bias_free_layers", silent),
        SpaceCase("touching_from_outside", mlp([outside, np.ones((1, 6))], [[-1, -1, -2, -3, -2, -3], [0.0]])),
        SpaceCase("along_the_sides", _two_layers(sides, [1, -1, 1, 0], 4)),
    ]


def planes() -> list[SpaceCase]:
    """Planes through corners and edges, parallel, with a common line or point, exactly and nearly."""
    axes, diagonals = np.eye(3), [[1, 1, 0], [1, -1, 0], [0, 1, 1], [1, 0, -1]]
    corners = [[1, 1, 1], [1, 1, -1], [1, -1, 1], [2, -1, 0], [1, 0, 0]]
    book = [[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, -1, 0], [2, 1, 0]]
    pencil = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [1, -1, 2], [2, 1, -1]]
    at = np.array([0.25, -0.5, 0.125])
    thirds = [[3, 0, 0], [0, 7, 0], [3, -7, 6], [6, 7, 3], [3, 14, -3]]
    parallel = np.vstack([np.tile([1.0, 0.0, 0.0], (3, 1)), np.tile([1.0, 2.0, 1.0], (3, 1))])
    nearly = -np.array(pencil) @ at + [0, 0, 0, 1e-9, 0, -1e-8]
    return [
        SpaceCase("axes_through_the_centre", _two_layers(axes, [0, 0, 0], 5, width=5)),
        SpaceCase("through_edges", _two_layers(diagonals, [0, 0, 0, 0], 6)),
        SpaceCase("through_corners", _two_layers(corners, [-1, 1, -1, 1, 0], 7)),
        SpaceCase(
            "through_all_corners", _two_layers([[1, 1, 1], [1, 1, 1], [1, 1, -1], [1, -1, 1]], [1, -1, 1, -1], 8)
        ),
        SpaceCase("common_line", _two_layers(book, [-0.25, 0.5, 0.25, -0.75, 0], 9)),
        SpaceCase("common_point", _two_layers(pencil, -np.array(pencil) @ at, 10)),
        SpaceCase("common_point_in_thirds", _two_layers(thirds, [-1, -1, -2, -4, -2], 11)),
        SpaceCase("nearly_common_point", _two_layers(pencil, nearly, 12, width=3)),
        SpaceCase("parallel_planes", _two_layers(parallel, [-0.5, 0, 0.5, -0.5, 0, 0.5], 13)),
        SpaceCase("parallel_close", _two_layers(np.tile([1.0, 1.0, 0.5], (3, 1)), [0, 1e-9, -1e-7], 14, width=3)),
    ]


def compositions() -> list[SpaceCase]:
    """Folds on folds, self-similar nets, skips and ties."""
    fold_on_fold = mlp(
        [np.eye(3), [[1, 0, 0], [1, -1, 0], [-1, 0, 1], [0, 1, -1]], np.ones((1, 4))],
        [[0, 0, 0], [0, 0, 0, 0], [0.0]],
    )
    return [
        SpaceCase("fold_on_fold", fold_on_fold),
        SpaceCase("hat_2", hats(2), UNIT_CUBE),
        SpaceCase("hat_beyond_the_cube", hats(2)),
        SpaceCase("takagi_2", takagi(2), UNIT_CUBE),
        SpaceCase("folding_1", folding(1)),
        SpaceCase("residual_relu", residual()),
        SpaceCase("residual_abs", residual(ABS)),
        SpaceCase("residual_clip", residual(clip(-0.5, 0.5))),
        SpaceCase("tied_layers", tied()),
        SpaceCase("dense_skips", dense_skips()),
        SpaceCase("lattice", lattice()),
    ]


def hats(depth: int, dimension: int = 3) -> Recipe:
    """`depth` tent maps of each coordinate: a grid of `2 ** (depth * dimension)` cubes of the unit cube."""
    builder = Builder(dimension)
    for _ in range(depth):
        _hat_step(builder)
    builder.dense(np.ones((1, dimension)))
    return builder.build()


def _hat_step(builder: Builder) -> int:
    eye = np.eye(builder.n_inputs)
    builder.layer(np.vstack([eye, eye]), np.repeat([0.0, -0.5], builder.n_inputs))
    return builder.dense(np.hstack([2 * eye, -4 * eye]))


def takagi(depth: int) -> Recipe:
    """Partial sums of `2**-k hat^k(x)` in all coordinates."""
    builder = Builder(3)
    terms = [_hat_step(builder) for _ in range(depth)]
    builder.total(terms, [2.0 ** -(k + 1) for k in range(depth)])
    builder.dense([[1.0, -1.0, 0.5]])
    return builder.build()


def folding(depth: int) -> Recipe:
    """Folding by absolute values: each layer folds all coordinates, the last adds diagonals."""
    builder = Builder(3)
    for _ in range(depth):
        builder.layer(2 * np.eye(3), np.zeros(3), ABS)
        builder.dense(np.eye(3), -np.ones(3))
    builder.layer([[1, 1, 0], [1, -1, 0], [0, 1, 1]], np.zeros(3))
    builder.dense([[1.0, 2.0, -1.0]])
    return builder.build()


def residual(kind: Kind = RELU) -> Recipe:
    """Two residual blocks with quantised weights."""
    rng = np.random.default_rng(31)
    builder = Builder(3)
    stream = builder.dense(integers(rng, 4, 3), integers(rng, 4, denominator=4, largest=1))
    for _ in range(2):
        offset = integers(rng, 3, denominator=4, largest=1)
        builder.layer(integers(rng, 3, 4, denominator=2, largest=1), offset, kind, source=stream)
        branch = builder.dense(integers(rng, 4, 3, denominator=2, largest=1))
        stream = builder.total([stream, branch])
    builder.dense(integers(rng, 2, 4))
    return builder.build()


def tied(depth: int = 3) -> Recipe:
    """One layer applied again and again."""
    rng = np.random.default_rng(33)
    weight, bias = integers(rng, 4, 4, denominator=2), integers(rng, 4, denominator=4, largest=1)
    builder = Builder(3)
    builder.dense(integers(rng, 4, 3), integers(rng, 4, denominator=4, largest=1))
    for _ in range(depth):
        builder.fold()
        builder.dense(weight, bias)
    return builder.build()


def dense_skips() -> Recipe:
    """Concatenations of all earlier layers: many units see the same fold twice."""
    rng = np.random.default_rng(34)
    builder = Builder(3)
    sources = [0]
    for _ in range(2):
        size = 3 + 3 * (len(sources) - 1)
        builder.join(sources) if len(sources) > 1 else None
        offset = integers(rng, 3, denominator=4, largest=1)
        sources.append(builder.layer(integers(rng, 3, size, denominator=2), offset))
    builder.join(sources)
    builder.dense(integers(rng, 2, 9))
    return builder.build()


def lattice(n_planes: int = 6, n_groups: int = 4, size: int = 3) -> Recipe:
    """A two-level lattice: the maximum of minima of affine functions, some of them repeated."""
    rng = np.random.default_rng(37)
    builder = Builder(3)
    plane = builder.dense(integers(rng, n_planes, 3, denominator=2), integers(rng, n_planes, denominator=4, largest=1))
    builder.total([plane], [-1.0])
    builder.maximum([rng.integers(0, n_planes, size=size) for _ in range(n_groups)])
    builder.total([builder.last], [-1.0])
    builder.maximum([range(n_groups)])
    return builder.build()


def kinds() -> list[SpaceCase]:
    """Quantised weights with every kind of activation."""
    cases = []
    for denominator in (1, 2, 4, 8):
        rng = np.random.default_rng(20 + denominator)
        weights = [integers(rng, *shape, denominator=denominator) for shape in ((5, 3), (4, 5), (2, 4))]
        biases = [integers(rng, len(w), denominator=denominator, largest=1) for w in weights]
        cases.append(SpaceCase(f"quantised_{denominator}", mlp(weights, biases)))
    rng = np.random.default_rng(13)
    first, second, third = integers(rng, 4, 3), integers(rng, 3, 4, denominator=2), integers(rng, 1, 3)
    offsets = [integers(rng, 4, denominator=4, largest=1), integers(rng, 3, denominator=4, largest=1), [0.0]]
    for name, kind in (
        ("leaky", leaky(0.25)),
        ("leaky_inexact", leaky(0.01)),
        ("leaky_slope_one", leaky(1.0)),
        ("abs", ABS),
        ("clip_symmetric", clip(-1.0, 1.0)),
        ("clip_shared", clip(0.0, 0.5)),
    ):
        cases.append(SpaceCase(name, mlp([first, second, third], offsets, kind)))
    return cases


def maxima() -> list[SpaceCase]:
    """Maxima whose entries coincide, are dead, are shared, and of all coordinates."""
    rng = np.random.default_rng(35)
    first, offset = integers(rng, 4, 3), integers(rng, 4, denominator=4, largest=1)
    equal, zeros, shared, pyramids = Builder(3), Builder(3), Builder(3), Builder(3)
    equal.dense(
        np.vstack([first, first[::-1], first]), np.r_[offset, offset[::-1], offset + np.array([0, 0.25, 0, -0.25])]
    )
    equal.maximum([(0, 7, 8), (1, 6, 9), (2, 5, 3), (3, 4, 11)])
    equal.maximum([(0, 1), (2, 3)])
    equal.dense([[1, -1]])
    zeros.layer(np.vstack([first, -first]), np.r_[offset, -offset - 0.25])
    zeros.maximum([(0, 1), (2, 3), (4, 5), (6, 7)])
    zeros.dense([[1, 1, -1, 2]])
    shared.dense(first, offset)
    shared.maximum([(0, 1, 2), (1, 2, 3), (3, -1, -1)])
    shared.fold()
    shared.dense([[1, -1, 1]])
    pyramids.dense(np.vstack([np.eye(3), -np.eye(3), np.eye(3)]))
    pyramids.maximum([range(9)])
    pyramids.dense([[1.0]], [-0.5])
    return [
        SpaceCase("maximum_equal_planes", equal.build()),
        SpaceCase("maximum_of_zeros", zeros.build()),
        SpaceCase("maximum_shared_entries", shared.build()),
        SpaceCase("maximum_pyramids", pyramids.build()),
    ]


def placements() -> list[SpaceCase]:
    """A slice of a 5-D input with units that are constant on it; weights and boxes of extreme sizes."""
    rng = np.random.default_rng(12)
    origin = np.array([0.25, -0.5, 1.0, 0.0, 0.5])
    basis = np.array([[1.0, 0.0, 0.5, 0.0, 0.0], [0.0, 1.0, 0.0, 0.5, 0.0], [0.0, 0.0, 1.0, 0.0, 1.0]])
    blind = [[1, 0, -2, 0, 2], [0, 1, 0, -2, 0], [-2, 1, 4, -2, -4]]
    first = np.vstack([blind, integers(rng, 4, 5)])
    offset = np.r_[0.75, 0.5, 0.25, integers(rng, 4, denominator=4, largest=1)]
    constant = mlp([first, integers(rng, 4, 7), np.ones((1, 4))], [offset, integers(rng, 4, denominator=4), [0.0]])
    weights, biases = [rng.normal(size=s) for s in ((5, 3), (4, 5), (1, 4))], [rng.normal(size=5), rng.normal(size=4)]
    scale = np.array([1e-12, 1e12, 1.0, 1e12, 1e-12])
    shift = np.array([1000.5, -999.5, 500.5])
    far = ((1000.0, -1000.0, 500.0), (1001.0, -999.0, 501.0))
    tiny = tuple(tuple(x * 2.0**-20 for x in corner) for corner in CUBE)
    mixed = [weights[0] * scale[:, None], weights[1] / scale, weights[2]]
    moved = [biases[0] - weights[0] @ shift, biases[1], [0.0]]
    return [
        SpaceCase("constant_on_the_slice", constant, origin=origin, basis=basis),
        SpaceCase("mixed_scales", mlp(mixed, [biases[0] * scale, biases[1], [0.0]])),
        SpaceCase("far_box", mlp(weights, moved), far),
        SpaceCase("tiny_box", mlp([weights[0] * 2.0**20, *weights[1:]], [*biases, [0.0]]), tiny),
        SpaceCase("flat_box", mlp(weights, [*biases, [0.0]]), ((-1.0, -1.0, 0.0), (1.0, 1.0, 2.0**-10))),
    ]


def random_space_case(seed: int, max_width: int = 6, max_depth: int = 3, dimension: int = 3) -> SpaceCase:
    """A random quantised network in a cube; `tests.fixtures.random_nets` says of what kinds."""
    recipe = random_case(seed, max_width, max_depth, n_inputs=dimension).recipe
    box = tuple(tuple(end[:1] * dimension) for end in (CUBE if seed % 3 else UNIT_CUBE))
    return SpaceCase(f"random_{seed}", recipe, box)


CASES: tuple[SpaceCase, ...] = (
    *zero_bias(), *duplicates(), *dead(), *planes(), *compositions(), *kinds(), *maxima(), *placements(),
)  # fmt: skip
BY_NAME: dict[str, SpaceCase] = {case.name: case for case in CASES}
assert len(BY_NAME) == len(CASES)
