"""What a source claims, and what became of it here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable


class Verdict(StrEnum):
    """What became of a claim."""

    REPRODUCED = "reproduced"
    FAILED = "does not hold as stated"
    NOT_COMPARABLE = "not comparable"


@runtime_checkable
class Truth(Protocol):
    """True or false, as Python or NumPy says it."""

    def __bool__(self) -> bool:
        """Which of them."""


@dataclass(frozen=True)
class Claim:
    """A statement of a source, held against what was found.

    Attributes:
        statement: What is claimed.
        source: Where, by author and year.
        theirs: The value that the source reports, in words.
        ours: The value found here, in words.
        tolerance: What counts as agreement; empty if nothing is compared.
        verdict: Whether it holds.
    """

    statement: str
    source: str
    theirs: str
    ours: str
    tolerance: str
    verdict: Verdict

    @classmethod
    def judged(
        cls,
        statement: str,
        source: str,
        *,
        theirs: str,
        ours: str,
        tolerance: str,
        holds: Truth,
        samples: int | None = None,
        needed: int = 10,
    ) -> Claim:
        """A claim that can be compared.

        Args:
            statement: What is claimed.
            source: Where.
            theirs: The source's value.
            ours: The value found.
            tolerance: What counts as agreement.
            holds: Whether they agree.
            samples: Number of samples, for claims about averages.
            needed: Number of samples below which an average is not compared.

        Returns:
            The claim with its verdict.
        """
        if samples is not None and samples < needed:
            return cls.told(statement, source, theirs=theirs, ours=f"{ours}; too few samples to judge: {samples}")
        verdict = Verdict.REPRODUCED if holds else Verdict.FAILED
        return cls(statement, source, theirs, ours, tolerance, verdict)

    @classmethod
    def told(cls, statement: str, source: str, *, theirs: str, ours: str) -> Claim:
        """A claim whose source gives no number, or one from a setting that is not this one.

        Args:
            statement: What is claimed.
            source: Where.
            theirs: What the source says.
            ours: The value found.

        Returns:
            The claim, not comparable.
        """
        return cls(statement, source, theirs, ours, "", Verdict.NOT_COMPARABLE)
