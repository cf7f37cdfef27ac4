"""What every experiment is: a frozen configuration with two presets, a run, and claims held against a source."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from splinescope.errors import InvalidInputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from splinescope.experiments.parts import Parts


class Verdict(StrEnum):
    """What became of a claim."""

    REPRODUCED = "reproduced"
    FAILED = "does not hold as stated"
    NOT_COMPARABLE = "not comparable"


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
        holds: bool,
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


@dataclass(frozen=True)
class Table:
    """A table of results.

    Attributes:
        columns: Name of each column, with its unit.
        rows: One sequence of plain values per row.
    """

    columns: tuple[str, ...]
    rows: tuple[Sequence[Any], ...]


@dataclass(frozen=True)
class Findings:
    """What an experiment hands back.

    Attributes:
        numbers: Everything measured, as plain values.
        claims: The source's claims with their verdicts.
        figures: For each figure's name a function that draws it; drawing is put off, so that numbers come first.
        tables: For each table's name its rows.
        others: For each other file's name, such as that of an animation, a function that writes it.
    """

    numbers: Mapping[str, Any]
    claims: tuple[Claim, ...]
    figures: Mapping[str, Callable[[], Figure]]
    tables: Mapping[str, Table] = field(default_factory=dict)
    others: Mapping[str, Callable[[Path], object]] = field(default_factory=dict)


@dataclass(frozen=True)
class Config(ABC):
    """Configuration of an experiment; subclasses add their sizes.

    Attributes:
        seed: Seed of all randomness: weights, data and the order of batches.
    """

    seed: int

    @classmethod
    @abstractmethod
    def smoke(cls, seed: int) -> Config:
        """Sizes that run in seconds and touch every part."""

    @classmethod
    @abstractmethod
    def paper(cls, seed: int) -> Config:
        """Sizes of the source, or as near as a laptop comes within minutes."""

    @abstractmethod
    def run(self, parts: Parts) -> Findings:
        """Run the experiment.

        Args:
            parts: Where finished parts are kept, and shown as they come.

        Returns:
            Numbers, claims, figures and tables.
        """

    def with_data(self, path: Path) -> Config:
        """The same configuration on the user's data.

        Args:
            path: A file or folder.

        Returns:
            The configuration.

        Raises:
            InvalidInputError: If the experiment makes its own data.
        """
        raise InvalidInputError(f"`data`: got {str(path)!r}; this experiment makes its own data and takes none")

    def with_settings(self, changes: Mapping[str, Any]) -> Config:
        """The same configuration with some sizes changed.

        Args:
            changes: New values by name, or the text of them: "0.5", "relu", "1,2,3", "true".

        Returns:
            The configuration.

        Raises:
            InvalidInputError: If there is no such setting, or a value is of another kind.
        """
        known = {entry.name for entry in fields(self)} - {"seed", "data"}
        for name in changes:
            if name not in known:
                raise InvalidInputError(
                    f"`set`: there is no setting {name!r}; expected one of {', '.join(sorted(known))}"
                )
        values = {name: _like(name, getattr(self, name), value) for name, value in changes.items()}
        return replace(self, **values)


def _like(name: str, example: Any, value: Any) -> Any:
    """A value, or the text of one, as what a setting was before."""
    if isinstance(example, tuple):
        parts = value.split(",") if isinstance(value, str) else tuple(value)
        return tuple(_like(name, example[0], part) for part in parts)
    try:
        if isinstance(example, bool):
            return {"true": True, "false": False}[str(value).strip().lower()]
        return type(example)(value.strip() if isinstance(value, str) else value)
    except (KeyError, TypeError, ValueError) as error:
        kind = {bool: "true or false", int: "a whole number", float: "a number"}.get(type(example), "text")
        raise InvalidInputError(f"`set`: got {value!r} for {name!r}; expected {kind}, such as {example}") from error
