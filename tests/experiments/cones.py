"""Counts of the experiments on cones that share nothing with them: signs of units at many points, closed forms."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from splinescope.experiments import Report


def patterns_on_a_grid(layers: list[tuple[np.ndarray, np.ndarray]], side: float, per_side: int) -> set[bytes]:
    """Patterns of all units at the points of a grid."""
    along = (np.arange(per_side) + 0.5) * side / per_side
    d = len(layers[0][1])
    x = np.stack(np.meshgrid(*[along] * d), axis=-1).reshape(-1, d)
    signs = []
    for W, b in layers:
        x = np.maximum(x @ W.T + b, 0.0)
        signs.append(x > 0)
    return {row.tobytes() for row in np.unique(np.hstack(signs), axis=0)}


def circulant(kernel: Any, bias: float) -> tuple[np.ndarray, np.ndarray]:
    """A circulant layer, row by row."""
    return np.array([np.roll(kernel, shift) for shift in range(len(kernel))]), np.full(len(kernel), bias)


def check_dual_basis(report: Report) -> None:
    """The angles of the cone of (1, q, q) by its rays from the null spaces of pairs of planes."""
    angles = report.numbers["angles"]
    for q, plane, ray in zip(angles["entry"][::10], angles["plane"][::10], angles["ray"][::10], strict=True):
        W, _ = circulant([1.0, q, q], 0.0)
        line = np.ones(3) / math.sqrt(3)
        edge = np.cross(W[1], W[2])
        assert np.isclose(plane, np.degrees(np.arcsin(abs(W[0] @ line) / np.linalg.norm(W[0]))))
        assert np.isclose(ray, np.degrees(np.arccos(abs(edge @ line) / np.linalg.norm(edge))), atol=1e-6)


def check_contraction(report: Report) -> None:
    """As many patterns on a grid as cells; the identity's cells are products of intervals."""
    config = report.numbers["config"]
    identity = report.numbers["chains"]["identity"]
    assert identity["cells"] == (config["layers"] + 1) ** 2
    found = patterns_on_a_grid([circulant([1.0, 0.0], config["bias"])] * config["layers"], config["side"], 200)
    assert len(found) == identity["cells"]
    for row in report.numbers["random"]:
        assert row["theorem"] == (row["layers"] + 1) ** row["dimension"]


def check_nested_cones(report: Report) -> None:
    """Where the line of a preimage leaves the quadrant, by hand; degrees of two units."""
    axis, bias = report.numbers["axis"], report.numbers["config"]["bias"]
    for row in axis["entries"]:
        q = row["entry"]
        for t, length in zip(axis["outputs"], row["lengths"], strict=True):
            # Along x_1 + q x_2 = t - b from (1 - q^2) x_2 = -b - q (t - b) down to x_2 = 0.
            top = (-bias - q * (t - bias)) / (1 - q * q)
            slanted = math.sqrt(1 + q * q)
            high = min(top, (t - bias) / q) if q > 0 else top
            assert math.isclose(length, max(0.0, high) * slanted, abs_tol=1e-8)
    degrees = report.numbers["degrees"]
    for q, degree in zip(degrees["entry"], degrees["degrees"]["2"], strict=True):
        assert degree == (1.0 if q <= 1e-12 else 0.25)


def check_flattening(report: Report) -> None:
    """As many patterns on a fine grid as cells; patches of a grid of rays that cross the surface once."""
    config = report.numbers["config"]
    for kind in ("nested", "wide"):
        layers = [circulant(config[kind], config["bias"])] * config["layers"]
        found = patterns_on_a_grid(layers, config["side"], 120)
        assert len(found) <= report.numbers[kind]["cells"]
        assert kind != "nested" or len(found) == report.numbers[kind]["cells"]
    layers = [circulant(config["nested"], config["bias"])] * config["layers"]
    assert len(patches_along_rays(layers, config["level"], config["side"])) == report.numbers["nested"]["patches"]


def patches_along_rays(layers: list[tuple[np.ndarray, np.ndarray]], level: float, side: float) -> set[bytes]:
    """Patterns where rays from the origin meet the surface, by bisection: outputs grow along them."""
    grid = (np.arange(60) + 0.5) / 60
    directions = np.array([np.insert(pair, axis, 1.0) for axis in range(3) for pair in itertools.product(grid, grid)])
    low, high = np.zeros(len(directions)), np.full(len(directions), side)

    def forward(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        signs = []
        for W, b in layers:
            x = np.maximum(x @ W.T + b, 0.0)
            signs.append(x > 0)
        return x.sum(axis=1), np.hstack(signs)

    for _ in range(60):
        middle = (low + high) / 2
        above = forward(middle[:, None] * directions)[0] > level
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    total, signs = forward(high[:, None] * directions)
    met = np.abs(total - level) < 1e-9
    return {row.tobytes() for row in np.unique(signs[met], axis=0)}
