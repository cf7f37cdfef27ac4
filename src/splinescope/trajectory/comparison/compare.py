"""The exact difference of two networks on a domain: how large, where, and where their classes differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from splinescope.errors import InvalidInputError
from splinescope.network.load import ModelLike, as_network
from splinescope.shown import Shown
from splinescope.tessellation.affine import extrema
from splinescope.tessellation.complex import PolyhedralComplex, VertexComplex
from splinescope.tessellation.domains import Domain
from splinescope.tessellation.engine import Report, tessellate
from splinescope.tessellation.region_graph.volumes import MOST
from splinescope.trajectory.comparison.integrals import integrals_of_absolute
from splinescope.trajectory.comparison.joint import Joint, join


@dataclass(frozen=True, eq=False)
class NetworkComparison(Shown):
    r"""Two networks $a$ and $b$ on a domain.

    Outputs are those before the networks' heads (softmax and the like), in the order of the flat output. All numbers
    are of the part of the domain that the cells cover: all of it, unless `truncated`.

    Attributes:
        cells: The cells of the joint network; on each of them both networks are affine and both classes constant. Its
            certificate is that of the comparison.
        joint: What the outputs of the joint network are.
        deviations: [k] largest $|a_k - b_k|$ of each output.
        points: [k, *input_shape] an input at which it is attained.
        mean_deviations: [k] mean of $|a_k - b_k|$ over the domain; NaN above four dimensions.
    """

    cells: PolyhedralComplex
    joint: Joint
    deviations: Float[np.ndarray, " outputs"]
    points: Float[np.ndarray, "outputs ..."]
    mean_deviations: Float[np.ndarray, " outputs"]

    def __repr__(self) -> str:
        """One line."""
        changed = "" if self.classes_a is None else f", classes differ on {self.changed_share:.3%}"
        return (
            f"Comparison(largest deviation {self.largest_deviation:.6g}, mean {self.mean_deviation:.6g}{changed}; "
            f"{len(self.cells)} cells{', truncated' if self.truncated else ''})"
        )

    @property
    def truncated(self) -> bool:
        """Whether cells are missing, so that the deviations are those of a part of the domain."""
        return self.cells.truncated

    @property
    def certificate(self) -> Any:
        """What was verified of the cells of both networks together."""
        return self.cells.certificate

    @property
    def largest_deviation(self) -> float:
        r"""The largest deviation of any output, $\max_x \max_k |a_k(x) - b_k(x)|$."""
        return float(self.deviations.max())

    @property
    def where(self) -> Float[np.ndarray, "..."]:
        """The input at which an output deviates most, in the networks' input shape."""
        point: np.ndarray = self.points[self.deviations.argmax()]
        return point

    @property
    def mean_deviation(self) -> float:
        """Mean of the outputs' mean deviations; NaN above four dimensions."""
        return float(self.mean_deviations.mean())

    @cached_property
    def classes_a(self) -> Int[np.ndarray, " cells"] | None:
        """[F] class of `a` on each cell, that of its largest output; of one output 1 where it is positive, else 0."""
        return self._classes(0)

    @cached_property
    def classes_b(self) -> Int[np.ndarray, " cells"] | None:
        """[F] class of `b` on each cell; None where outputs are no classes."""
        return self._classes(1)

    @cached_property
    def changed(self) -> Bool[np.ndarray, " cells"]:
        """[F] whether the classes differ on each cell.

        Raises:
            InvalidInputError: If outputs are no classes.
        """
        if self.classes_a is None or self.classes_b is None:
            raise InvalidInputError(
                "`changed`: outputs that are images, or more than 1000, have no classes; give `classes=`"
            )
        differ: np.ndarray = self.classes_a != self.classes_b
        return differ

    @cached_property
    def changed_measure(self) -> float:
        """Length, area or volume, in the domain's coordinates, of where the classes differ.

        It is the sum of the measures of whole cells: the borders of both networks' classes are folds of the joint
        network. Along a segment, as a box of one dimension is, too, it is the share of its length. NaN where outputs
        are no classes, and above six dimensions unless no class changes at all.
        """
        if self.classes_a is None:
            return math.nan
        if not self.changed.any():
            return 0.0
        return math.fsum(self._measures[self.changed])

    @property
    def changed_share(self) -> float:
        """Share of the domain's measure on which the classes differ."""
        if self.changed_measure == 0.0:
            return 0.0
        return self.changed_measure / math.fsum(self._measures)

    def class_measures(self) -> Float[np.ndarray, "classes classes"]:
        """Measure of where `a` says class i and `b` says class j; those beside the diagonal add up to the change.

        Returns:
            [classes, classes] measures in the domain's coordinates, as `changed_measure` has them.

        Raises:
            InvalidInputError: If outputs are no classes.
        """
        _ = self.changed
        count = max(2, self.joint.outputs)
        assert self.classes_a is not None
        assert self.classes_b is not None
        flat = self.classes_a * count + self.classes_b
        return np.bincount(flat, self._measures, count * count).reshape(count, count)

    def cell_deviations(self, output: int | None = None) -> Float[np.ndarray, " cells"]:
        """Largest deviation on each cell, which it attains at a vertex.

        Args:
            output: Of one output; the largest of all if None.

        Returns:
            One number for each cell.

        Raises:
            InvalidInputError: If the cells have no vertices, or there is no such output.
        """
        if not isinstance(self.cells, VertexComplex):
            raise InvalidInputError("`cells`: a region graph has no vertices; expected a domain of up to 4 dimensions")
        if output is not None and not 0 <= output < self.joint.outputs:
            raise InvalidInputError(f"`output`: got {output}; expected one from 0 to {self.joint.outputs - 1}")
        values = np.abs(self.cells.vertex_outputs[:, : self.joint.outputs])
        most = values.max(axis=1) if output is None else values[:, output]
        if len(self.cells.cell_offsets) == 1:
            return np.empty(0)
        return np.maximum.reduceat(most[self.cells.cell_vertices], self.cells.cell_offsets[:-1])

    @cached_property
    def _measures(self) -> np.ndarray:
        """Measures of the cells; NaN where volumes are out of reach."""
        within = isinstance(self.cells, VertexComplex) or self.cells.dimension <= MOST
        return np.asarray(self.cells.measures) if within else np.full(len(self.cells), np.nan)

    def _classes(self, which: int) -> np.ndarray | None:
        if not self.joint.contests:
            return None
        node = self.joint.contests[which]
        start = next(start for found, start, _ in self.cells.pattern_nodes if found == node)
        step = max(1, (1 << 24) // max(1, self.cells.pattern_nodes[-1][2]))
        rows = [np.arange(low, min(low + step, len(self.cells))) for low in range(0, len(self.cells), step)]
        pieces = np.concatenate([np.empty(0, np.uint8), *(self.cells.patterns_of(part)[:, start] for part in rows)])
        return np.array(self.joint.labels)[pieces]


def compare(
    a: ModelLike,
    b: ModelLike,
    domain: Domain,
    *,
    classes: Sequence[int] | None = None,
    verify: str = "values",
    max_cells: int | None = None,
    memory_budget: int | None = None,
    progress: Report = False,
) -> NetworkComparison:
    r"""Compare two networks exactly on a segment, a slice or a box: a network and its pruned, quantised or tuned copy.

    Both are taken for one network of one input, whose output is their difference, and this is tessellated. On each of
    its cells $a - b$ is affine, so that the largest deviation of an output is attained at a vertex, and its mean is a
    sum over simplices. The class is the largest output, the first where several are equal; of a single output it is 1
    where it is positive. The contests of the classes are folds, too: so where the classes differ is a union of cells,
    its measure exact to round-off, and covered by the certificate. With `verify="proof"` it proves that no fold of
    either network, and no place where either class changes, was missed.

    Args:
        a: A network, a module, or the path of a file.
        b: Another, with as many inputs and outputs.
        domain: Where they are compared. Up to four dimensions all numbers are given. Above, cells have no vertices: the
            largest deviation takes linear programs, measures end at six dimensions, there are no means.
        classes: Outputs that compete for the class; all if None, unless outputs are images or more than 1000.
        verify: Level of the certificate: "topology", "values" or "proof".
        max_cells: Stop at so many cells; the result is then `truncated`, and of a part of the domain.
        memory_budget: Bytes for values at vertices.
        progress: Show a bar, or a function of (share done, cells found).

    Returns:
        The comparison. Cost: that of tessellating one network with the units of both; layers that both share, bit for
        bit, count once.

    Raises:
        InvalidInputError: If the networks do not fit each other or the domain, or an option is out of range; above four
            dimensions also if cells are missing.
        UnsupportedOpError: If one is not piecewise affine.
        CertificateError: If a check fails.

    Example:
        >>> import splinescope, torch
        >>> linear, relu = torch.nn.Identity(), torch.nn.ReLU()
        >>> found = compare(linear, relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> found.largest_deviation, found.mean_deviation, found.changed_measure
        (1.0, 0.25, 0.5)
    """
    if not isinstance(domain, Domain):
        raise InvalidInputError(f"`domain`: got {type(domain).__name__}; expected a Segment, a Slice or a Box")
    one = as_network(a, domain.input_shape, "a")
    joint = join(one, as_network(b, one.input_shape, "b"), classes)
    cells = tessellate(
        joint.network, domain, verify=verify, max_cells=max_cells, memory_budget=memory_budget, progress=progress
    )
    k = joint.outputs
    if not isinstance(cells, VertexComplex):
        return _without_vertices(cells, joint)
    difference = cells.vertex_outputs[:, :k]
    most = np.abs(difference).argmax(axis=0)
    whole = integrals_of_absolute(cells, difference).sum(axis=0) / math.fsum(cells.measures)
    points = cells.domain.embed(cells.vertices[most])
    return NetworkComparison(cells, joint, np.abs(difference[most, np.arange(k)]), points, whole)


def _without_vertices(cells: PolyhedralComplex, joint: Joint) -> NetworkComparison:
    """The comparison on a region graph, whose extrema are found by linear programs."""
    alone = replace(joint.network, output=joint.network.nodes[joint.network.output].inputs[0])
    reach = extrema(replace(cells, network=alone))  # the same cells, and linear programs for the difference only
    low, high = -reach.minimum, reach.maximum
    points = np.where((low > high)[:, None], reach.minimizers, reach.maximizers)
    means = np.full(joint.outputs, np.nan)
    return NetworkComparison(cells, joint, np.maximum(low, high), cells.domain.embed(points), means)
