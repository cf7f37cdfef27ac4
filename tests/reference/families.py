"""Families of hard networks for the sweeps: each member is a function of its family, its seed and the dimension."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from splinescope import Box, Network, Segment, Slice
from splinescope.tessellation.domains import Domain
from tests.fixtures.random_nets import KINDS, random_case
from tests.fixtures.recipes import RELU, Builder, Dense, Fold, Recipe, clip, leaky, mlp
from tests.reference.exact_cells import ExactCells, TooManyCells, exact_cells
from tests.regressions import networks

DISTANCES = tuple(range(3, 16))
"""Near-degenerate networks are degenerate up to `10^-k` for each of these `k`; a seed chooses one."""


@dataclass(frozen=True)
class Member:
    """One network of a family.

    Attributes:
        network: The network.
        domain: Where it is tessellated.
        note: What makes it hard, in words.
        exact: Its exact cells, where the family has counted them.
    """

    network: Network
    domain: Domain
    note: str
    exact: ExactCells | None = None


def member(family: str, seed: int, dimension: int = 2) -> Member:
    """A network of a family.

    Args:
        family: One of `FAMILIES`.
        seed: Its number.
        dimension: Of the domain: 1, 2 or 3.
    """
    return FAMILIES[family](seed, dimension)


def window(dimension: int, low: np.ndarray, high: np.ndarray, seed: int = 0) -> Domain:
    """A box between two corners; in one dimension a segment through it that misses its axes and its diagonals."""
    if dimension == 3:
        return Box(low, high)
    if dimension == 2:
        return Slice.box(low, high)
    eighths = np.random.default_rng(seed).permutation([1, 3, 5, 6])[:2] / 8  # few bits: the ends stay as they are
    middle = (high - low) * eighths + low
    return Segment([low[0], middle[0]], [high[0], middle[1]])


def _unit(dimension: int, seed: int) -> Domain:
    size = _inputs(dimension)
    return window(dimension, -np.ones(size), np.ones(size), seed)


def _inputs(dimension: int) -> int:
    return max(2, dimension)


def _sizes(dimension: int) -> dict[str, int]:
    return {"max_width": 4, "max_depth": 2} if dimension == 3 else {}


def quantised(seed: int, dimension: int) -> Member:
    """Weights in multiples of 1 to 1/8; all kinds of units, ties, copies, opposites, skips, zero biases."""
    case = random_case(seed, n_inputs=_inputs(dimension), **_sizes(dimension))
    polygon = dimension == 2
    domain = Slice(np.zeros(2), np.eye(2), np.asarray(case.polygon)) if polygon else _unit(dimension, seed)
    return Member(networks.network(case.recipe, _inputs(dimension)), domain, case.name)


def _near(make: Callable[..., Recipe]) -> Callable[[int, int], Member]:
    def build(seed: int, dimension: int) -> Member:
        exponent, deep = DISTANCES[seed % len(DISTANCES)], bool(seed // len(DISTANCES) % 2)
        recipe = make(seed, 10.0**-exponent, _inputs(dimension), deep)
        note = f"distance 1e-{exponent}, layer {2 if deep else 1}"
        return Member(networks.network(recipe, _inputs(dimension)), _unit(dimension, seed), note)

    return build


def sliver(seed: int, dimension: int) -> Member:
    """Three folds that miss one point, one of them nearly along the border; in odd seeds another layer behind."""
    rng = np.random.default_rng(seed)
    exponent, tilt = DISTANCES[seed % len(DISTANCES)], 10.0 ** -rng.uniform(1, 8)
    recipe = networks.e3_sliver(10.0**-exponent * rng.choice([-1, 1]), tilt)
    if seed // len(DISTANCES) % 2:
        hidden = recipe.steps[:2]
        rows = (*hidden, Dense(2, rng.normal(size=(3, 3)), rng.uniform(-0.3, 0.3, 3)), Fold(3, RELU))
        recipe = Recipe(2, (*rows, Dense(4, np.ones((1, 3)), np.zeros(1))))
    size = _inputs(dimension)
    note = f"distance 1e-{exponent}, tilt {tilt:.1e}"
    domain = Segment([0.5, -1.0], [0.375, 1.0]) if dimension == 1 else _unit(dimension, seed)
    return Member(networks.network(recipe, size), domain, note)


def repeated(seed: int, dimension: int) -> Member:
    """Half of the units repeat others up to float32 noise."""
    width = 4 if dimension == 3 else 6 + 2 * (seed % 2)
    recipe = networks.repeated(seed, width, _inputs(dimension))
    return Member(networks.network(recipe, _inputs(dimension)), _unit(dimension, seed), f"width {width}")


def deep(seed: int, dimension: int, cells: int = 120) -> Member:
    """He networks and chains of 20 to 300 layers, in a window with not too many cells."""
    rng = np.random.default_rng(seed)
    depth, size = int(20 * 15.0 ** rng.uniform()), _inputs(dimension)
    if seed % 8 == 0:
        recipe = networks.e1_chain(depth)
        return Member(networks.network(recipe, size), _unit(dimension, seed), f"chain of {depth}")
    width, gain = int(rng.integers(3, 9)), float(rng.choice([1.0, 1.0, 1.2, 1.5, 2.0]))
    net = networks.network(networks.he(depth, width, seed, gain, size, single=True), size)
    centre, half = np.round(rng.uniform(-0.5, 0.5, size) * 64) / 64, 1.0
    while True:
        domain = window(dimension, centre - half, centre + half, seed)
        try:
            exact = exact_cells(net, domain, limit=cells)
        except TooManyCells:
            half /= 2
        else:
            return Member(net, domain, f"{depth} x {width}, gain {gain}, window {2 * half}", exact)


def spread(seed: int, dimension: int) -> Member:
    """Weights times powers of ten, up to 10^8 and 10^-8, for each element or each unit; folds through the domain."""
    rng = np.random.default_rng(seed)
    size, decades = _inputs(dimension), float(rng.choice([1, 2, 4, 6, 8]))
    by_row, width = bool(seed % 2), 3 if dimension == 3 else 5
    builder = Builder(size)
    for _ in range(2):
        before = size if builder.last == 0 else width
        powers = rng.uniform(-decades, decades, size=(width, 1 if by_row else before))
        weight = rng.normal(size=(width, before)) * 10.0**powers
        networks.through(builder, weight, rng.uniform(-0.8, 0.8, size=(width, size)))
    builder.dense(rng.normal(size=(2, width)))
    note = f"10^+-{decades:g} by {'unit' if by_row else 'element'}"
    return Member(networks.network(builder.build(), size), _unit(dimension, seed), note)


def offset(seed: int, dimension: int) -> Member:
    """Windows of size 2 whose centre is 10^3 to 10^8 away; quantised or generic weights."""
    rng = np.random.default_rng(seed)
    size, power = _inputs(dimension), int(rng.integers(3, 9))
    centre = 10.0**power * rng.choice([-1.0, 1.0, 0.5], size)
    if seed % 3:
        recipe, kind = random_case(seed, n_inputs=size, **_sizes(dimension)).recipe, "quantised"
    else:
        sizes, kind = [size, 5, 5, 1], "generic"
        weights = [rng.normal(size=(m, n)) for n, m in pairwise(sizes)]
        recipe = mlp(weights, [rng.normal(size=m) * 0.3 for m in sizes[1:]])
    net = networks.network(networks.moved(recipe, centre), size)
    return Member(net, window(dimension, centre - 1, centre + 1, seed), f"{kind} at 1e{power}")


def scale(seed: int, dimension: int) -> Member:
    """Values, the domain, or both by 10^-150 to 10^150 (10^100 in space, whose volumes would be infinite)."""
    rng = np.random.default_rng(seed)
    size, power, kind = (
        _inputs(dimension),
        float(rng.uniform(-1, 1) * (100 if dimension == 3 else 150)),
        ("values", "domain", "both")[seed % 3],
    )
    widths = [size, 3, 3, 1] if dimension == 3 else [size, 5, 5, 1]
    values = 10.0**power if kind != "domain" else 1.0
    length = {"values": 1.0, "domain": 10.0**power, "both": 10.0**-power}[kind]
    weights = [rng.normal(size=(m, n)) for n, m in pairwise(widths)]
    weights[0] = weights[0] * (values / length)
    if power < 0 or kind == "domain":
        recipe = mlp(weights, [values * rng.normal(size=m) * 0.3 for m in widths[1:]])
    else:
        recipe = mlp(weights, [values * np.round(4 * rng.normal(size=m)) / 8 for m in widths[1:]])
    corner = np.full(size, length)
    return Member(networks.network(recipe, size), window(dimension, -corner, corner, seed), f"{kind} by 1e{power:.0f}")


def aspect(seed: int, dimension: int) -> Member:
    """Domains up to 10^9 times longer than wide, with folds that follow their shape, or do not."""
    rng = np.random.default_rng(seed)
    size, power = _inputs(dimension), float(rng.uniform(0, 9))
    extents = np.ones(size)
    extents[int(rng.integers(size))] = 10.0**-power
    width = 3 if dimension == 3 else 5
    weights = [rng.normal(size=(width, size)), rng.normal(size=(width, width)), rng.normal(size=(1, width))]
    if seed % 2:
        weights[0] = weights[0] / extents
    builder = Builder(size)
    for weight in weights[:2]:
        networks.through(builder, weight, rng.uniform(-0.8, 0.8, size=(width, size)) * extents)
    builder.dense(weights[2])
    note = f"1e{power:.1f}, folds {'oblique' if seed % 2 else 'across'}"
    return Member(networks.network(builder.build(), size), window(dimension, -extents, extents, seed), note)


def contrast(seed: int, dimension: int) -> Member:
    """Weights of 1e7, 1 and 1e-8 in one sum, or in one maximum."""
    rng = np.random.default_rng(seed)
    size, width = _inputs(dimension), 3 if dimension == 3 else 5
    builder = Builder(size)
    networks.through(builder, rng.normal(size=(width, size)), rng.uniform(-0.8, 0.8, size=(width, size)))
    weight = rng.normal(size=(width, width)) * rng.choice([1e7, 1.0, 1e-8], size=(width, width))
    if seed % 2:
        builder.dense(weight * rng.choice([0.0, 1.0], size=weight.shape))
        builder.maximum(np.array([rng.permutation(width)[:3] for _ in range(width)]))
    else:
        networks.through(builder, weight, rng.uniform(-0.8, 0.8, size=(width, size)))
    builder.dense(rng.normal(size=(1, width)))
    return Member(networks.network(builder.build(), size), _unit(dimension, seed), "maximum" if seed % 2 else "sum")


WILD = (RELU, clip(-1.0, 1.0), clip(0.0, 6.0), *(leaky(s) for s in (1e-30, 1e-12, -0.5, 1.0 + 1e-9, 2.0)), *KINDS)


def windows(seed: int, dimension: int) -> Member:
    """Quantised networks with unusual slopes in windows of 1e-12 to 1e9, each side another; no fold follows them."""
    rng = np.random.default_rng(seed)
    size, low = _inputs(dimension), -12 if seed % 2 else 0
    kinds = WILD if seed % 4 else (clip(-1.0, 1.0),)
    recipe = random_case(seed, n_inputs=size, kinds=kinds, **_sizes(dimension)).recipe
    powers = rng.integers(low, 10, size) if seed % 3 else np.full(size, rng.integers(low, 10))
    corner = 10.0**powers
    high = corner * rng.choice([1.0, 2.0], size)
    note = f"sides of 1e{' and 1e'.join(map(str, powers.tolist()))}"
    return Member(networks.network(recipe, size), window(dimension, -corner, high, seed), note)


def ties(seed: int, dimension: int) -> Member:
    """Maxima of units that are multiples of each other up to some roundings, or exactly; near zero, far, in needles."""
    rng = np.random.default_rng(seed)
    size, width = _inputs(dimension), 4 if dimension == 3 else 6
    extents, centre = np.ones(size), np.zeros(size)
    if seed % 3 == 1:
        centre = 10.0 ** rng.uniform(0, 8) * rng.uniform(-1, 1, size)
    elif seed % 3 == 2:
        extents[int(rng.integers(size))] = 10.0 ** rng.uniform(-9, 9)
    builder = Builder(size)
    for layer in range(2):
        before = size if layer == 0 else width
        rows = rng.normal(size=(width, before)) if seed % 2 else rng.integers(-4, 5, (width, before)) / 4.0
        bias = rng.normal(size=width) * 0.3
        if layer == 0:
            inside = centre + extents * rng.uniform(-0.8, 0.8, size=(width, size))
            bias = -np.einsum("ij,ij->i", rows, inside)
        copies, factors = rng.integers(0, width // 2, width - width // 2), rng.choice([1.0, 1.0, 2.0, 1 / 3, -1.0], 3)
        factors = rng.choice(factors, width - width // 2)
        noise = 1 + 2.0**-52 * rng.integers(-2, 3, size=(len(copies), before + 1))
        rows[width // 2 :] = factors[:, None] * rows[copies] * noise[:, :-1]
        bias[width // 2 :] = factors * bias[copies] * noise[:, -1]
        builder.dense(rows, bias)
        if rng.random() < 0.6:
            builder.fold(WILD[int(rng.integers(len(WILD)))] if rng.random() < 0.5 else RELU)
        builder.maximum(
            np.array([rng.permutation(width)[: int(rng.integers(2, 4))].tolist()[:2] for _ in range(width)])
        )
    builder.dense(rng.normal(size=(1, width)))
    note = ("near zero", f"at {centre}", f"sides of {extents}")[seed % 3]
    return Member(
        networks.network(builder.build(), size), window(dimension, centre - extents, centre + extents, seed), note
    )


def rows(seed: int, dimension: int) -> Member:
    """Units times 10^-45 to 10^45, and what they add up divided by it in part."""
    rng = np.random.default_rng(seed)
    size, width = _inputs(dimension), 3 if dimension == 3 else 5
    builder = Builder(size)
    power = rng.uniform(-1, 1, width) * rng.choice([10, 45])
    networks.through(
        builder, rng.normal(size=(width, size)) * 10.0 ** power[:, None], rng.uniform(-0.8, 0.8, (width, size))
    )
    second = rng.normal(size=(width, width)) * 10.0 ** -(power if seed % 2 else rng.permutation(power))
    networks.through(builder, second, rng.uniform(-0.8, 0.8, (width, size)))
    builder.dense(rng.normal(size=(1, width)))
    return Member(networks.network(builder.build(), size), _unit(dimension, seed), f"10^+-{np.abs(power).max():.0f}")


FAMILIES: dict[str, Callable[[int, int], Member]] = {
    "quantised": quantised,
    "sliver": sliver,
    "border": _near(networks.near_border),
    "parallel": _near(networks.near_parallel),
    "concurrent": _near(networks.near_concurrent),
    "repeated": repeated,
    "deep": deep,
    "spread": spread,
    "offset": offset,
    "scale": scale,
    "aspect": aspect,
    "contrast": contrast,
    "windows": windows,
    "ties": ties,
    "rows": rows,
}
