"""How large an experiment is: a frozen configuration with two presets."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from splinescope.errors import InvalidInputError


@dataclass(frozen=True)
class Config(ABC):
    """Configuration of an experiment; subclasses add their sizes.

    Attributes:
        seed: Seed of all randomness: weights, data and the order of batches.
        choices: Words that a setting may be, or be made of, by its name, where others mean nothing.
    """

    seed: int
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    @classmethod
    @abstractmethod
    def smoke(cls, seed: int) -> Config:
        """Sizes that run in seconds and touch every part."""

    @classmethod
    @abstractmethod
    def paper(cls, seed: int) -> Config:
        """Sizes of the source, or as near as a laptop comes within minutes."""

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
            InvalidInputError: If there is no such setting, a value is of another kind, no finite number, none of the
                words that are known, or a whole number below 1 where both presets have one from 1.
        """
        known = {entry.name for entry in fields(self)} - {"seed", "data"}
        for name in changes:
            if name not in known:
                raise InvalidInputError(
                    f"`set`: there is no setting {name!r}; expected one of {', '.join(sorted(known))}"
                )
        values = {name: _like(name, getattr(self, name), value) for name, value in changes.items()}
        for name, value in values.items():
            self._check(name, value)
        return replace(self, **values)

    def _check(self, name: str, value: Any) -> None:
        """Refuse values that no run makes sense with."""
        parts = value if isinstance(value, tuple) else (value,)
        known = self.choices.get(name)
        if known is not None and (not parts or set(parts) - set(known)):
            given = ", ".join(map(str, parts)) or "none"
            raise InvalidInputError(f"`set`: got {given} for {name!r}; expected {' or '.join(map(repr, known))}")
        if any(isinstance(part, float) and not math.isfinite(part) for part in parts):
            raise InvalidInputError(f"`set`: got {value} for {name!r}; expected finite numbers")
        usual = [getattr(preset(self.seed), name) for preset in (type(self).smoke, type(self).paper)]
        if isinstance(value, int) and not isinstance(value, bool) and min(usual) >= 1 > value:
            raise InvalidInputError(f"`set`: got {value} for {name!r}; expected at least 1")
        if isinstance(value, float) and min(usual) > 0 > value:
            raise InvalidInputError(f"`set`: got {value} for {name!r}; expected a positive number")


def _like(name: str, example: Any, value: Any) -> Any:
    """A value, or the text of one, as what a setting was before."""
    if isinstance(example, tuple):
        parts = value.split(",") if isinstance(value, str) else tuple(value)
        if len({type(entry) for entry in example}) == 1:  # any number of one kind; else each place has its own
            example = (example[0],) * len(parts)
        if len(parts) != len(example):
            raise InvalidInputError(f"`set`: got {value!r} for {name!r}; expected {len(example)} values")
        return tuple(_like(name, entry, part) for entry, part in zip(example, parts, strict=True))
    try:
        if isinstance(example, bool):
            return {"true": True, "false": False}[str(value).strip().lower()]
        return type(example)(value.strip() if isinstance(value, str) else value)
    except (KeyError, TypeError, ValueError) as error:
        kind = {bool: "true or false", int: "a whole number", float: "a number"}.get(type(example), "text")
        raise InvalidInputError(f"`set`: got {value!r} for {name!r}; expected {kind}, such as {example}") from error
