"""What short paths of all dimensions have: a length below which there is no path, proved when it is first asked."""

from __future__ import annotations

from abc import abstractmethod

from splinescope.geometry.geodesics.potential import LengthProof
from splinescope.progress import Report


class Provable:
    """A path, and a bound of lengths that owes nothing to the search that found it.

    Attributes:
        chord: Distance of the outputs of its ends.
    """

    chord: float

    @property
    @abstractmethod
    def length(self) -> float:
        """Length of the path in the space of outputs."""

    @property
    def least(self) -> float:
        """The distance of the outputs of the ends, below which no path is."""
        return self.chord

    @abstractmethod
    def _bounded(self, progress: bool | Report) -> LengthProof:
        """A length below which there is no path."""

    @property
    def lower_bound(self) -> float:
        """A length below which there is no path, proved by means that owe nothing to the search, when first asked."""
        return self.prove().bound

    def prove(self, *, progress: bool | Report = False) -> LengthProof:
        """The lower bound with a bar; it is computed once. Interrupting (Ctrl-C) leaves what is proved so far.

        Args:
            progress: Whether to show a bar, or a function to call with the share done and the number of simplices.

        Returns:
            The bound, and whether it was interrupted.
        """
        if "_proof" not in vars(self):
            vars(self)["_proof"] = self._bounded(progress).within(self.least, self.length)
        proof: LengthProof = vars(self)["_proof"]
        return proof
