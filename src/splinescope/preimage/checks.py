"""A preimage checked by means that share nothing with its search: forward passes, volumes by Qhull, random points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from splinescope.errors import CertificateError
from splinescope.preimage.boxes import uniform
from splinescope.preimage.parts import WITH_VERTICES
from splinescope.preimage.preimage import Preimage
from splinescope.preimage.shares import proportion
from splinescope.shown import Shown

Original = Callable[[np.ndarray], Any]
"""A function of inputs [n, *input_shape] that gives outputs before the head."""

_CLOSE, _SINGLE = 2.0**-30, 2.0**-16
"""Relative differences of outputs that count as rounding: of float64, and of an original that may be in float32."""

_LIKELY = 1.0 - 1e-9
"""Level of the interval that random points give for the volume."""

_MEASURED = 64
"""Pieces whose measure is found anew."""


@dataclass(frozen=True)
class PreimageCertificate(Shown):
    """What was verified of a preimage.

    Attributes:
        pieces: Number of pieces from which points were drawn.
        samples: Points of the pieces whose images were looked up: all are in the target.
        map_error: Largest difference there between the pieces' affine maps and the outputs.
        random_points: Random points of the domain: each is in the union exactly if its image is in the target.
        hits: How many of them are.
        on_the_border: How many of them were too near to the target's border to tell, or in a box that was left.
        measured: Pieces whose measure was found anew, from their half-spaces.
        measure_error: Largest relative difference of the two.
        original: Whether the forward passes were those of the original.
    """

    pieces: int
    samples: int
    map_error: float
    random_points: int
    hits: int
    on_the_border: int
    measured: int
    measure_error: float
    original: bool

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def certify(
    preimage: Preimage,
    original: Original | None = None,
    *,
    samples: int = 1000,
    random_points: int = 2000,
    generator: np.random.Generator | None = None,
) -> PreimageCertificate:
    """Verify a preimage.

    Points drawn from the pieces map into the target, to where the pieces' affine maps say; random points of the domain
    are in the union exactly if their images are in the target; no two pieces of full dimension have a random point in
    common; measures of pieces, found anew from their half-spaces, are those that were summed; and the volume agrees
    with the share of random points.

    Args:
        preimage: The preimage.
        original: The original's forward pass, of inputs in the network's shape; by default that of the network.
        samples: Points of the pieces, at least one of each of a thousand.
        random_points: Random points of the domain.
        generator: Of random numbers; by default seed 0.

    Returns:
        The certificate.

    Raises:
        CertificateError: With the pieces concerned, at the first check that fails.
    """
    rng = generator or np.random.default_rng(0)
    check = _Check(preimage, original)
    pieces, drawn, map_error = check.samples(samples, rng)
    hits, unsure = check.random(random_points, rng)
    measured, measure_error = check.measures()
    return PreimageCertificate(
        pieces, drawn, map_error, random_points, hits, unsure, measured, measure_error, original is not None
    )


class _Check:
    def __init__(self, preimage: Preimage, original: Original | None) -> None:
        self._preimage, self._original = preimage, original

    def _outputs(self, points: Float[np.ndarray, "n d"]) -> tuple[np.ndarray, float]:
        """Outputs at some points, and how far they may be off."""
        if self._original is None:
            values, close = self._preimage.outputs(points), _CLOSE
        else:
            given = np.asarray(self._original(self._preimage.domain.embed(points)))
            values, close = given.astype(np.float64).reshape(len(points), -1), _SINGLE
        return values, close * (1.0 + float(np.abs(values).max(initial=0.0)))

    def samples(self, count: int, generator: np.random.Generator) -> tuple[int, int, float]:
        """Images of points of the pieces."""
        preimage = self._preimage
        if not len(preimage):
            return 0, 0, 0.0
        chosen = np.unique(np.linspace(0, len(preimage) - 1, min(len(preimage), 1000)).astype(np.int64))
        each = max(1, count // len(chosen))
        points = np.concatenate([preimage[at].polytope.sample(each, generator) for at in chosen.tolist()])
        owners = np.repeat(chosen, each)
        values, close = self._outputs(points)
        outside = ~preimage.target.contains(values, close)
        self._fail(owners[outside], "points of a piece are not mapped into the target")
        said = np.einsum("nki,ni->nk", preimage.slopes[owners], points) + preimage.constants[owners]
        errors = np.abs(said - values).max(axis=1)
        self._fail(owners[errors > close], "a piece's affine map is not the network")
        return len(chosen), len(points), float(errors.max())

    def random(self, count: int, generator: np.random.Generator) -> tuple[int, int]:
        """Whether random points are in the union exactly if their images are in the target."""
        preimage = self._preimage
        points = uniform(preimage.domain, count, generator)
        values, close = self._outputs(points)
        held = preimage.contains(points)
        possible, certain = preimage.target.contains(values, close), preimage.target.contains(values, -close)
        left = preimage.undecided(points)
        self._fail(preimage.locate(points[held & ~possible]), "a point of the union is not mapped into the target")
        if (certain & ~held & ~left).any():
            raise CertificateError("a point that is mapped into the target is in no piece")
        solid = preimage.taken(np.flatnonzero(preimage.dimensions == preimage.dimension))
        if len(solid):
            twice = solid.holding(points).sum(axis=0) > 1
            if (twice & certain).any():
                raise CertificateError("a random point is in two pieces; expected disjoint interiors")
        hits = int(possible.sum())
        share = proportion(hits, count, _LIKELY).scaled(preimage.domain.measure)
        low, high = preimage.volume_bounds
        if share.high < low or (share.low > high and not (possible & ~certain).any()):
            raise CertificateError(f"random points give a volume of {share.middle:.6g}; its bounds are {low}, {high}")
        return hits, int(((possible & ~certain) | left).sum())

    def measures(self) -> tuple[int, float]:
        """Measures of some pieces, from their half-spaces alone."""
        preimage = self._preimage
        if preimage.dimension > WITH_VERTICES + 1 or not len(preimage):
            return 0, 0.0
        order = np.argsort(-preimage.measures, kind="stable")[:_MEASURED]
        anew = np.array([preimage[int(at)].polytope.measure for at in order])
        scale = max(float(preimage.measures.max()), np.finfo(np.float64).tiny)
        errors = np.abs(anew - preimage.measures[order]) / scale
        self._fail(order[errors > 1e-6], "the measure of a piece is not that of its half-spaces")
        return len(order), float(errors.max())

    def _fail(self, pieces: np.ndarray, what: str) -> None:
        if len(pieces):
            raise CertificateError(what, cells=np.unique(pieces[pieces >= 0]))
