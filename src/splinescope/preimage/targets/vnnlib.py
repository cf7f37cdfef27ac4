"""Specifications in the VNN-LIB format: boxes of inputs, and the outputs that must not occur in them."""

from __future__ import annotations

import gzip
import itertools
import math
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from splinescope.errors import InvalidInputError
from splinescope.preimage.targets.sets import PolytopeTarget, Target, UnionTarget
from splinescope.shown import Shown

_MOST = 4096
"""Cases of a specification, at most."""

_WORDS = re.compile(r";[^\n]*|\(|\)|[^\s();]+")


@dataclass(frozen=True, eq=False)
class Specification(Shown):
    """Inputs in a box, and a set of outputs that is asked for; in VNN-LIB it is the unsafe one.

    Attributes:
        low: [n_in] least inputs.
        high: [n_in] greatest ones.
        target: The set of outputs.
        outputs: Number of outputs.
    """

    low: np.ndarray
    high: np.ndarray
    target: Target
    outputs: int


def read_vnnlib(path: str | os.PathLike[str]) -> tuple[Specification, ...]:
    """Read a file of VNN-LIB, also a compressed one.

    Understood are constants `X_i` and `Y_j`, bounds of single inputs, and linear constraints of outputs, joined by
    `and` and `or`.

    Args:
        path: A `.vnnlib` or `.vnnlib.gz` file.

    Returns:
        One question for each box of inputs that occurs; the file holds (is satisfiable) if one of them has an answer.
        Cost: the length of the text, times the cases that its alternatives make.

    Raises:
        InvalidInputError: If the file cannot be read, has a construct that is not understood, or leaves an input
            without bounds.

    Example:
        >>> import tempfile
        >>> lines = ("declare-const X_0 Real", "declare-const Y_0 Real", "assert (>= X_0 0)", "assert (<= X_0 1)")
        >>> text = "".join(f"({line})" for line in (*lines, "assert (<= Y_0 2)"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(f"{folder}/a.vnnlib").write_text(text)
        ...     (asked,) = read_vnnlib(f"{folder}/a.vnnlib")
        >>> asked.low.tolist(), asked.high.tolist(), asked.target.contains([[1.0], [3.0]]).tolist()
        ([0.0], [1.0], [True, False])
    """
    name = str(os.fspath(path))
    try:
        raw = Path(path).read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "it is no text, or damaged"
        raise InvalidInputError(f"`spec`: {name!r} cannot be read: {reason}") from error
    return _Reader(name).questions(text)


@dataclass(frozen=True, eq=False)
class _Row:
    """One constraint `sum of factor * constant + offset <= 0`."""

    factors: dict[str, float]
    offset: float


Case = tuple[_Row, ...]


class _Reader:
    """Reads one file; errors name it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._constants: dict[str, int] = {"X": 0, "Y": 0}

    def questions(self, text: str) -> tuple[Specification, ...]:
        """The questions of a text."""
        cases: list[Case] = [()]
        for command in self._commands(text):
            match command:
                case ["declare-const", str(constant), "Real"] | ["declare-fun", str(constant), [], "Real"]:
                    self._declare(constant)
                case ["assert", formula]:
                    cases = self._joined([cases, self._cases(formula)])
                case _:
                    raise self._refused(command)
        grouped: dict[bytes, tuple[np.ndarray, list[Target]]] = {}
        for case in cases:
            box, target = self._box(case), self._target(case)
            if (box[0] <= box[1]).all():
                grouped.setdefault(box.tobytes(), (box, []))[1].append(target)
        if not grouped:
            raise InvalidInputError(f"`spec`: {self._name!r}: its box of inputs is empty; expected low <= high")
        count = self._constants["Y"]
        return tuple(
            Specification(low, high, targets[0] if len(targets) == 1 else UnionTarget(targets), count)
            for (low, high), targets in grouped.values()
        )

    def _commands(self, text: str) -> list[Any]:
        """Nested lists of words."""
        stack: list[list[Any]] = [[]]
        for word in _WORDS.findall(text):
            if word == "(":
                stack.append([])
            elif word == ")":
                if len(stack) == 1:
                    raise InvalidInputError(f"`spec`: {self._name!r}: a parenthesis closes that was not opened")
                done = stack.pop()
                stack[-1].append(done)
            elif not word.startswith(";"):
                stack[-1].append(word)
        if len(stack) > 1:
            raise InvalidInputError(f"`spec`: {self._name!r}: it ends within a parenthesis")
        return stack[0]

    def _declare(self, constant: str) -> None:
        kind, _, number = constant.partition("_")
        if kind not in self._constants or number != str(self._constants[kind]):
            raise InvalidInputError(f"`spec`: {self._name!r}: got {constant}; expected X_0, X_1, ..., Y_0, Y_1, ...")
        self._constants[kind] += 1

    def _cases(self, formula: Any) -> list[Case]:
        """A formula as alternatives of joint constraints."""
        match formula:
            case ["and", *parts]:
                return self._joined([self._cases(part) for part in parts])
            case ["or", *parts]:
                return [case for part in parts for case in self._cases(part)]
            case ["<=" | "<", left, right]:
                return [(self._difference(left, right),)]
            case [">=" | ">", left, right]:
                return [(self._difference(right, left),)]
            case ["=", left, right]:
                return [(self._difference(left, right), self._difference(right, left))]
            case _:
                raise self._refused(formula)

    def _joined(self, parts: list[list[Case]]) -> list[Case]:
        if math.prod(len(part) for part in parts) > _MOST:
            raise InvalidInputError(f"`spec`: {self._name!r}: it has more than {_MOST} cases; expected fewer")
        return [tuple(itertools.chain.from_iterable(choice)) for choice in itertools.product(*parts)]

    def _difference(self, left: Any, right: Any) -> _Row:
        total = self._linear(left)
        for constant, factor in self._linear(right).items():
            total[constant] = total.get(constant, 0.0) - factor
        offset = total.pop("", 0.0)
        return _Row({constant: factor for constant, factor in total.items() if factor}, offset)

    def _linear(self, term: Any) -> dict[str, float]:
        """Factors of constants; that of the empty name is a number."""
        match term:
            case str():
                kind, _, number = term.partition("_")
                if kind in self._constants and number.isdigit() and int(number) < self._constants[kind]:
                    return {term: 1.0}
                try:
                    return {"": float(term)}
                except ValueError as error:
                    raise InvalidInputError(f"`spec`: {self._name!r}: {term!r} was not declared") from error
            case ["+", *parts]:
                return self._sum((1.0, part) for part in parts)
            case ["-", part]:
                return self._sum([(-1.0, part)])
            case ["-", first, *parts]:
                return self._sum([(1.0, first), *((-1.0, part) for part in parts)])
            case ["*", one, other]:
                for scale, part in ((self._linear(one), other), (self._linear(other), one)):
                    if set(scale) <= {""}:
                        return self._sum([(scale.get("", 0.0), part)])
        raise self._refused(term)

    def _sum(self, parts: Any) -> dict[str, float]:
        total: dict[str, float] = {}
        for factor, part in parts:
            for constant, value in self._linear(part).items():
                total[constant] = total.get(constant, 0.0) + factor * value
        return total

    def _box(self, case: Case) -> np.ndarray:
        """[2, n_in] the box of one case."""
        ends = np.array([[-math.inf], [math.inf]]).repeat(self._constants["X"], axis=1)
        for row in case:
            if not any(constant.startswith("X") for constant in row.factors):
                continue
            if len(row.factors) > 1:
                raise InvalidInputError(
                    f"`spec`: {self._name!r}: a constraint joins {', '.join(row.factors)}; expected bounds of single "
                    "inputs, and constraints of outputs alone"
                )
            ((constant, factor),) = row.factors.items()
            at, end = int(constant[2:]), -row.offset / factor
            if factor > 0:
                ends[1, at] = min(ends[1, at], end)
            else:
                ends[0, at] = max(ends[0, at], end)
        if not np.isfinite(ends).all():
            at = int(np.flatnonzero(~np.isfinite(ends).all(axis=0))[0])
            raise InvalidInputError(f"`spec`: {self._name!r}: X_{at} has no bounds on both sides; expected a box")
        return ends + 0.0

    def _target(self, case: Case) -> Target:
        rows = [row for row in case if not any(constant.startswith("X") for constant in row.factors)]
        C = np.zeros((len(rows), self._constants["Y"]))
        for at, row in enumerate(rows):
            for constant, factor in row.factors.items():
                C[at, int(constant[2:])] = factor
        return PolytopeTarget(C, np.array([-row.offset for row in rows]).reshape(-1))

    def _refused(self, formula: Any) -> InvalidInputError:
        text = _written(formula)
        shown = text if len(text) <= 60 else text[:57] + "..."
        return InvalidInputError(
            f"`spec`: {self._name!r}: {shown} is not understood; expected declare-const, and assert with and, or, "
            "<=, >= and linear terms"
        )


def _written(formula: Any) -> str:
    return formula if isinstance(formula, str) else f"({' '.join(map(_written, formula))})"
