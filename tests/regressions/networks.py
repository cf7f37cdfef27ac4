"""Small networks that once were lost, refused or wrong, as functions of what makes them hard.

Each is data (`Recipe`) first, so that a network is built without an import; `network` turns it into the engine's ops.
Layers have a ReLU each but the last.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from splinescope.network import Network
from tests.fixtures.engine_networks import to_network
from tests.fixtures.random_nets import random_case
from tests.fixtures.recipes import Builder, Dense, Recipe, evaluate, mlp

Layer = tuple[Sequence[Sequence[float]], Sequence[float]]


def network(recipe: Recipe, n_inputs: int = 2) -> Network:
    """The network of a recipe, with further inputs that it does not look at."""
    steps = tuple(
        replace(step, weight=np.pad(step.weight, ((0, 0), (0, n_inputs - recipe.n_inputs))))
        if isinstance(step, Dense) and step.source == 0
        else step
        for step in recipe.steps
    )
    return to_network(Recipe(n_inputs, steps))


def layers(*rows: Layer) -> Recipe:
    """Dense layers with ReLUs in between."""
    return mlp([weight for weight, _ in rows], [bias for _, bias in rows])


def e1_chain(depth: int) -> Recipe:
    """E1: `max(0, x - 0.3)` behind `depth` layers that keep what they get."""
    keep: Layer = ([[1, -1, 0], [0, 1, -1], [0, -1, 1]], [0.5, 0.5, 0.5])
    first: Layer = ([[1, 0], [0, 0], [0, 0]], [2, 0.5, 0.5])
    return layers(first, *[keep] * depth, ([[1, 0, 0]], [-2.3]), ([[1]], [0]))


def he(depth: int, width: int, seed: int, gain: float = 1.0, n_inputs: int = 2, single: bool = False) -> Recipe:
    """E1: a random network by He's rule, biases N(0, 0.1), one output; `single`: its numbers are float32s."""
    rng = np.random.default_rng(seed)
    sizes = [n_inputs, *[width] * depth, 1]
    dtype = np.float32 if single else np.float64
    weights = [gain * np.sqrt(2 / n) * rng.normal(size=(m, n)) for n, m in itertools.pairwise(sizes)]
    biases = [0.1 * rng.normal(size=m) for m in sizes[1:]]
    return mlp([w.astype(dtype).astype(float) for w in weights], [b.astype(dtype).astype(float) for b in biases])


def e2(k: float = 1000.0) -> Recipe:
    """E2: steep units whose folds meet at small angles; four cells."""
    first: Layer = ([[k, 0], [1, 0]], [0, 2])
    second: Layer = ([[k, 1], [0, 1], [k, 0]], [-1.5, 0, 0])
    return layers(first, second, ([[0, 1, k]], [-1.3]), ([[0], [1]], [0, 0.05]))


def e3_sliver(distance: float, tilt: float = 1e-5) -> Recipe:
    """E3: three folds that miss one point by `distance`, one of them nearly along the border; seven cells."""
    height = 1 - tilt / 2
    return layers(([[tilt, 1], [1, 0], [1, 1]], [-1, -0.5, -0.5 - height + distance]), ([[1, 1, 1]], [0]))


def e7() -> Network:
    """E7: an ordinary deep network as torch's users have it."""
    state = torch.random.get_rng_state()
    torch.manual_seed(11)
    rows: list[Layer] = []
    size = 2
    for _ in range(60):
        linear = torch.nn.Linear(size, 16)
        torch.nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        torch.nn.init.normal_(linear.bias, 0.0, 0.1)
        rows.append((linear.weight.detach().double().numpy(), linear.bias.detach().double().numpy()))
        size = 16
    last = torch.nn.Linear(16, 1)
    rows.append((last.weight.detach().double().numpy(), last.bias.detach().double().numpy()))
    torch.random.set_rng_state(state)
    return to_network(layers(*rows))


def moved(recipe: Recipe, centre: Sequence[float]) -> Recipe:
    """A network whose first layers are shifted so that it does around `centre` what it did around zero."""
    steps = tuple(
        replace(step, bias=step.bias - step.weight @ np.asarray(centre, float))
        if isinstance(step, Dense) and step.source == 0
        else step
        for step in recipe.steps
    )
    return Recipe(recipe.n_inputs, steps)


def quantised_maxima(seed: int, n_inputs: int = 2) -> Recipe:
    """E4: the next quantised network with maxima at or after `seed`, from `tests.fixtures.random_nets`."""
    while not (case := random_case(seed, n_inputs=n_inputs)).name.endswith("maximum"):
        seed += 1000
    return case.recipe


def contrast_sum(large: float = 1e7, small: float = 1e-8) -> Recipe:
    """E5: a unit that adds a large and a small part; the small one matters where the large one is zero."""
    first: Layer = ([[1, 0], [0, 1], [-1, 0.5]], [0, 0.25, -0.5])
    return layers(first, ([[large, small, 0], [0, small, -large]], [-small / 2, -small / 4]), ([[1, 1]], [0]))


def contrast_maximum(large: float = 1e7, small: float = 1e-8) -> Recipe:
    """E5: a maximum of candidates of different size, the small ones larger where the large one is zero."""
    builder = Builder()
    builder.layer([[1, 0], [0, 1], [1, 1]], [0, 0.25, -0.25])
    builder.dense([[large, 0, 0], [0, small, 0], [0, 0, small]])
    builder.maximum([[0, 1, 2]])
    builder.dense([[1]])
    return builder.build()


def contrast(seed: int, decades: float = 4.0, width: int = 4, n_inputs: int = 2) -> Recipe:
    """E5: random weights, each times a power of ten between `-decades` and `decades`; folds through the domain."""
    rng = np.random.default_rng(seed)
    builder = Builder(n_inputs)
    for _ in range(2):
        size = n_inputs if builder.last == 0 else width
        weight = rng.normal(size=(width, size)) * 10.0 ** rng.uniform(-decades, decades, size=(width, size))
        through(builder, weight, rng.uniform(-0.8, 0.8, size=(width, n_inputs)))
    builder.dense(rng.normal(size=(1, width)))
    return builder.build()


def scaled(s: float) -> Recipe:
    """E5: seven cells whatever the scale of the weights."""
    return layers(([[s, 0], [0, s]], [0, 0]), ([[1, 1]], [-s / 2]), ([[1]], [0]))


def repeated(seed: int, width: int = 8, n_inputs: int = 2) -> Recipe:
    """E3: half of the units repeat others up to float32 noise."""
    rng = np.random.default_rng(seed)
    weights, biases, size = [], [], n_inputs
    for _ in range(2):
        half = width // 2
        weight, bias = rng.normal(size=(half, size)), 0.5 * rng.normal(size=half)
        noise = 1 + 2.0**-24 * rng.uniform(-1, 1, size=(width - half, size + 1))
        copies, signs = rng.integers(0, half, width - half), rng.choice([-1.0, 1.0, 1.0], width - half)
        weights.append(np.concatenate([weight, signs[:, None] * weight[copies] * noise[:, :-1]]))
        biases.append(np.concatenate([bias, signs * bias[copies] * noise[:, -1]]))
        size = width
    return mlp([*weights, rng.normal(size=(2, size))], [*biases, np.zeros(2)])


def near_border(seed: int, distance: float, n_inputs: int = 2, deep: bool = False) -> Recipe:
    """E3: folds nearly along sides of the box [-1, 1]^n, at `distance` and tilted by as much; others nearly meet them.

    Each has a partner across it that passes at `distance` from a point where fold and side (nearly) meet.
    """
    rng = np.random.default_rng(seed)
    rows, levels = [], []
    for side, axis in zip(rng.choice([-1.0, 1.0], 2), rng.permutation(n_inputs)[:2], strict=True):
        row = distance * rng.choice([0.0, 1.0]) * rng.uniform(-1, 1, n_inputs)
        row[axis] = side
        meeting = rng.uniform(-0.7, 0.7, n_inputs)
        meeting[axis] = side
        across = rng.normal(size=n_inputs)
        rows += [row, across]
        levels += [-row @ meeting + distance * rng.choice([0.0, 1.0]) * rng.uniform(-0.5, 1.5)]
        levels += [-across @ meeting + distance * rng.uniform(-1, 1)]
    return _with_rows(rng, np.array(rows), np.array(levels), n_inputs, deep)


def near_parallel(seed: int, distance: float, n_inputs: int = 2, deep: bool = False) -> Recipe:
    """E3: folds whose coefficients differ by `distance`, of the same or of opposite sign.

    In even seeds they cross in the domain, and another fold passes at `distance` from where they do.
    """
    rng = np.random.default_rng(seed)
    row, points = rng.normal(size=(2, n_inputs)), rng.uniform(-0.7, 0.7, size=(2, n_inputs))
    level = -np.sum(row * points, axis=1)
    factors = rng.choice([1.0, -1.0, 2.0, 1 / 3], size=2)
    near = row + distance * rng.uniform(-1, 1, size=row.shape)
    near_level = level + distance * rng.uniform(-1, 1, size=2)
    rows, levels = [*row, *(factors[:, None] * near)], [*level, *(factors * near_level)]
    if seed % 2 == 0:
        levels[2:] = -factors * np.sum(near * points, axis=1)
        across = rng.normal(size=n_inputs)
        rows.append(across)
        levels.append(-across @ points[0] + distance * rng.uniform(-1, 1))
    return _with_rows(rng, np.array(rows), np.array(levels), n_inputs, deep)


def near_concurrent(seed: int, distance: float, n_inputs: int = 2, deep: bool = False) -> Recipe:
    """E3: folds through one point up to `distance`."""
    rng = np.random.default_rng(seed)
    count = n_inputs + int(rng.integers(1, 3))
    rows, point = rng.normal(size=(count, n_inputs)), rng.uniform(-0.7, 0.7, n_inputs)
    return _with_rows(rng, rows, -rows @ point + distance * rng.uniform(-1, 1, count), n_inputs, deep)


def _with_rows(rng: np.random.Generator, rows: np.ndarray, levels: np.ndarray, n_inputs: int, deep: bool) -> Recipe:
    """A network with folds at given affine forms of the input in its first layer, or (`deep`) its second.

    In the second they bend at the folds of the first, and further units of the first take part in one of them.
    """
    builder = Builder(n_inputs)
    others = 2
    if deep:
        weight = np.concatenate([np.eye(n_inputs), rng.normal(size=(others, n_inputs))])
        bias = np.concatenate([np.full(n_inputs, 2.0), rng.uniform(-0.5, 0.5, others)])
        builder.layer(weight, bias)  # the first units are always active: they pass the input on
        levels = levels - 2.0 * rows.sum(axis=1)
        rows = np.pad(rows, ((0, 0), (0, others)))
        rows[-1, -1] = rng.normal()
    size = rows.shape[1]
    builder.layer(np.concatenate([rows, rng.normal(size=(1, size))]), [*levels, rng.uniform(-0.5, 0.5)])
    points = rng.uniform(-0.8, 0.8, size=(3, n_inputs))
    through(builder, rng.normal(size=(3, len(rows) + 1)), points)
    builder.dense(rng.normal(size=(2, 3)))
    return builder.build()


def through(builder: Builder, weight: np.ndarray, points: np.ndarray) -> None:
    """A layer in which the fold of each unit passes through a point of the input (up to rounding)."""
    hidden = evaluate(builder.build(), points)[-1]
    builder.layer(weight, -np.sum(weight * hidden, axis=1))


def stretched(seed: int, axis: int, factor: float, n_inputs: int = 2, width: int = 5) -> Recipe:
    """Two layers with folds through a box that is `factor` times narrower along one axis, oblique in its shape."""
    rng = np.random.default_rng(seed)
    extents = np.ones(n_inputs)
    extents[axis] = 1 / factor
    builder = Builder(n_inputs)
    through(builder, rng.normal(size=(width, n_inputs)) / extents, rng.uniform(-0.8, 0.8, (width, n_inputs)) * extents)
    through(builder, rng.normal(size=(width, width)), rng.uniform(-0.8, 0.8, (width, n_inputs)) * extents)
    builder.dense(rng.normal(size=(1, width)))
    return builder.build()
