"""What is known about bent paths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from splinescope.network.graph import Network
from splinescope.network.splits import Boundary
from splinescope.paths.proof.certify import PolylineCertificate
from splinescope.shown import Shown
from splinescope.tessellation.certificate import Certificate
from splinescope.tessellation.segments import SegmentBatch


@dataclass(frozen=True, eq=False)
class BentPath(Shown):
    """A polyline between two points of one class.

    Attributes:
        points: [K, *shape] its vertices, both ends included, at the boundary where it lies.
        target: The class.
        known: What is known about the whole polyline.
        end_loss: The larger one of the ends' losses.
        steps: Steps that were taken; 0 where the straight line does.
        evaluations: Gradients that were computed.
        method: "straight", "band", "string" or "insertion".
    """

    points: Float[np.ndarray, "K ..."]
    target: int
    known: PolylineCertificate
    end_loss: float
    steps: int
    evaluations: int
    method: str

    def __repr__(self) -> str:
        """One line."""
        loss = f"largest loss {self.max_loss:.3g}, least margin {self.minimum_margin:.3g}"
        return f"BentPath({len(self.points)} points by {self.method!r}, {self.verdict}, {loss})"

    @property
    def verdict(self) -> str:
        """What was decided, "certified", "refuted" or "undecided"; see `PolylineCertificate`."""
        return self.known.verdict

    @property
    def certified(self) -> bool:
        """Whether the class was proved to lead on the whole path."""
        return self.known.certified

    @property
    def minimum_margin(self) -> float:
        """Least margin of the class on the whole path."""
        return self.known.minimum_margin

    @property
    def max_loss(self) -> float:
        """Largest cross-entropy on the whole path."""
        return self.known.max_loss

    @property
    def barrier(self) -> float:
        """Largest cross-entropy above that of the worse end."""
        return self.known.max_loss - self.end_loss

    @property
    def segments(self) -> SegmentBatch | None:
        """The cells of all segments, if they were kept."""
        return self.known.cells

    @property
    def certificate(self) -> Certificate | None:
        """What was verified about the cells; None where they were too many to list."""
        return self.known.certificate

    @property
    def length(self) -> float:
        """Euclidean length."""
        return float(np.linalg.norm(np.diff(self.points.reshape(len(self.points), -1), axis=0), axis=1).sum())

    @property
    def detour(self) -> float:
        """Length, divided by the distance of the ends."""
        return self.length / float(np.linalg.norm((self.points[-1] - self.points[0]).ravel()))


@dataclass(frozen=True, eq=False)
class BentPaths:
    """Bent paths between many pairs of points.

    Attributes:
        network: The network from the boundary on.
        boundary: Where in the whole network the paths lie.
        paths: The paths.
    """

    network: Network
    boundary: Boundary
    paths: tuple[BentPath, ...]

    def __len__(self) -> int:
        """Number of paths."""
        return len(self.paths)

    def __getitem__(self, number: int) -> BentPath:
        """One path."""
        return self.paths[number]

    def __iter__(self) -> Iterator[BentPath]:
        """The paths one by one."""
        return iter(self.paths)

    def __repr__(self) -> str:
        """One line."""
        bent = sum(path.certified and path.method != "straight" for path in self.paths)
        certified = int(self.certified.sum())
        return f"BentPaths({len(self)} at `{self.boundary.name}`: {certified} certified, {bent} of them bent)"

    @property
    def verdicts(self) -> np.ndarray:
        """[S] verdicts."""
        return np.array([path.verdict for path in self.paths])

    @property
    def certified(self) -> Bool[np.ndarray, " S"]:
        """Whether the class was proved to lead on each whole path."""
        return np.array([path.certified for path in self.paths])

    @property
    def max_loss(self) -> Float[np.ndarray, " S"]:
        """Largest cross-entropy on each path."""
        return np.array([path.max_loss for path in self.paths])

    @property
    def barriers(self) -> Float[np.ndarray, " S"]:
        """Largest cross-entropy on each path above that of the worse end."""
        return np.array([path.barrier for path in self.paths])

    @property
    def minimum_margin(self) -> Float[np.ndarray, " S"]:
        """Least margin on each path."""
        return np.array([path.minimum_margin for path in self.paths])
