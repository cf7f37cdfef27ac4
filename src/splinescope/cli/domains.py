"""Where a network is looked at, as the options of the command line say it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from splinescope.cli.points import fit_points, normalise, read_array, read_entries
from splinescope.cli.values import Shape, numbers, whole_numbers
from splinescope.errors import InvalidInputError
from splinescope.tessellation.domains import Box, Domain, Slice


@dataclass(frozen=True)
class Where:
    """The options that say where to look, as the user gave them; a command may have some of them only."""

    through: Sequence[Path] | None = None
    point: Sequence[Path] | None = None
    data: str | None = None
    indices: str | None = None
    box: tuple[str, str] | None = None
    polygon: str | None = None
    margin: float = 0.2
    radius: float | None = None
    seed: int = 0
    mean: str = "0"
    std: str = "1"
    dimension: int | None = None
    vnnlib: Path | None = None
    vary: str | None = None
    names: str | None = None

    def points(self, most: int) -> list[np.ndarray]:
        """The points that the domain goes through, in their own shapes; none for a box or a polygon alone.

        Args:
            most: How many it can go through.

        Returns:
            The points, normalised.

        Raises:
            InvalidInputError: If there are more, options exclude each other, or a file or a number is no good.
        """
        choices = {"--through": self.through, "--point": self.point, "--data": self.data, "--box": self.box}
        given = [name for name, value in choices.items() if value] + ["--vnnlib"] * (self.vnnlib is not None)
        if self.box and self.polygon is not None:
            given = ["--box", "--polygon"]
        if len(given) > 1:
            raise InvalidInputError(f"`{given[0]}`, `{given[1]}`: both were given; expected one of them")
        if self.radius is not None and not 0 < self.radius < math.inf:
            raise InvalidInputError(f"`--radius`: got {self.radius}; expected a positive number")
        points = read_entries(self.data, self.indices)
        for name, files in (("--through", self.through), ("--point", self.point)):
            points += [read_array(name, file) for file in files or ()]
        if len(points) > most:
            expected = "one, two or three" if most == 3 else "one to four"
            raise InvalidInputError(f"`{given[0]}`: got {len(points)} points; expected {expected}")
        return normalise(points, self.mean, self.std)

    def plane(self, shape: Shape, points: Sequence[np.ndarray]) -> Slice:
        """The plane through points, or that of two inputs.

        Args:
            shape: The network's input shape.
            points: What `points` gave.

        Returns:
            The slice, cut to the polygon if there is one.

        Raises:
            InvalidInputError: If there are neither points nor two inputs, or the options do not fit.
        """
        if points:
            plane = self._through(shape, points, 2)
        elif self.box or self.vnnlib or shape == (2,):
            plane = self._rectangle(shape)
        else:
            raise InvalidInputError(
                f"`--through`: no points were given; the model's input has the shape {tuple(shape)}, and only for two "
                "inputs there is a plane without them; give `--through A B C`, `--point`, `--data` and `--indices`, or "
                "a `--box` in which two inputs vary"
            )
        return plane if self.polygon is None else replace(plane, polygon=_polygon(self.polygon))

    def _rectangle(self, shape: Shape) -> Slice:
        """The plane of the two inputs of a box that vary."""
        low, high = (end.ravel() for end in self._ends(shape))
        if self.vary is not None:
            chosen = whole_numbers("--vary", self.vary)
            if len(set(chosen)) != 2 or not all(0 <= place < low.size for place in chosen):
                raise InvalidInputError(f"`--vary`: got {self.vary}; expected two inputs from 0 to {low.size - 1}")
            others = np.setdiff1d(np.arange(low.size), chosen)
            low[others] = high[others] = (low[others] + high[others]) / 2
        free, option = np.flatnonzero(low < high), "--vnnlib" if self.vnnlib else "--box"
        if (low > high).any() or not len(free):
            raise InvalidInputError(f"`{option}`: {low} is not below {high}; expected lower ends first")
        if len(free) != 2:
            raise InvalidInputError(
                f"`{option}`: {len(free)} of {low.size} inputs vary; a plane has two; say which by `--vary I,J`, which "
                "keeps the others in the middle, or fix them by equal ends"
            )
        names = self._names() or (None if low.size == 2 else (f"input {free[0]}", f"input {free[1]}"))
        return Slice.box(low.reshape(shape), high.reshape(shape), names=names)

    def _names(self) -> tuple[str, ...] | None:
        """What the two axes are called, or None."""
        if self.names is None:
            return None
        names = tuple(name.strip() for name in self.names.split(","))
        if len(names) != 2 or not all(names):
            raise InvalidInputError(
                f"`--names`: got {self.names!r}; expected two names, as in 'distance (m),speed (m/s)'"
            )
        return names

    def space(self, shape: Shape, points: Sequence[np.ndarray]) -> Domain:
        """Three dimensions: a slice through points, or a box.

        Args:
            shape: The network's input shape.
            points: What `points` gave.

        Returns:
            The slice or box.

        Raises:
            InvalidInputError: If the box has other dimensions, or the options do not fit.
        """
        if points:
            return self._through(shape, points, 3)
        if self.box is None and math.prod(shape) != 3:
            raise InvalidInputError(
                f"`--point`: no points were given; the model's input has the shape {tuple(shape)}, and only for three "
                "inputs there is a space without them; give one to four `--point`, or a `--box` in which three inputs "
                "vary"
            )
        box = Box(*self._ends(shape))
        if box.dimension != 3:
            raise InvalidInputError(
                f"`--box`: {box.dimension} of its coordinates vary; expected three (fix others by equal ends)"
            )
        return box

    def domain(self, shape: Shape, points: Sequence[np.ndarray]) -> Domain:
        """Any dimension: a box, also around one point, or a slice through points.

        Args:
            shape: The network's input shape.
            points: What `points` gave.

        Returns:
            The box or slice.

        Raises:
            InvalidInputError: If the options do not fit.
        """
        if len(points) > 1 or (points and self.dimension is not None):
            return self._through(shape, points, self.dimension or max(2, len(points) - 1))
        if self.dimension is not None:
            raise InvalidInputError("`--dimension`: it goes with points; expected `--point`, `--through` or `--data`")
        if not points:
            return Box(*self._ends(shape))
        if self.radius is None:
            raise InvalidInputError(
                "`--radius`: one point needs one, for the box around it; or `--dimension`, for a slice through it"
            )
        (centre,) = fit_points(points, shape, self._sources())
        return Box(centre - self.radius, centre + self.radius)

    def _through(self, shape: Shape, points: Sequence[np.ndarray], dimension: int) -> Slice:
        """The slice through one to four points, its anchors; random directions make up for missing ones."""
        x0, x1, x2, x3 = [*fit_points(points, shape, self._sources()), None, None, None][:4]
        generator = np.random.default_rng(self.seed)
        return Slice.through(
            x0,
            x1,
            x2,
            self.margin,
            x3=x3,
            dimension=dimension,
            radius=self.radius,
            generator=generator,
            names=self._names(),
        )

    def _sources(self) -> list[str]:
        """Where each of the points comes from, for errors."""
        entries = [] if self.indices is None else [f"entry {place} of {self.data}" for place in self.indices.split(",")]
        return entries + [str(file) for file in (*(self.through or ()), *(self.point or ()))]

    def _ends(self, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends of the box, or of that of a property; -1 and 1 if there is none."""
        if self.vnnlib is not None:
            return _property_box(self.vnnlib, shape)
        low, high = (_corner(text, shape) for text in self.box or ("-1", "1"))
        return low, high


def _property_box(file: Path, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends of the inputs of a property, of several boxes those of the first one."""
    from splinescope.preimage import read_vnnlib

    asked = read_vnnlib(file)[0]
    if asked.low.size != math.prod(shape):
        raise InvalidInputError(
            f"`--vnnlib`: {file} is of {asked.low.size} inputs; the model's input has the shape {tuple(shape)}"
        )
    return asked.low.reshape(shape).copy(), asked.high.reshape(shape).copy()


def _corner(text: str, shape: Shape) -> np.ndarray:
    """One number for all inputs or one for each."""
    ends, size = numbers("--box", text), math.prod(shape)
    if len(ends) not in (1, size):
        raise InvalidInputError(f"`--box`: got {len(ends)} numbers; expected one, or one for each of {size} inputs")
    return np.array(np.broadcast_to(np.array(ends), size)).reshape(shape)


def _polygon(text: str) -> np.ndarray:
    """Corners `x,y` in slice coordinates, with spaces between them."""
    corners = [numbers("--polygon", word) for word in text.split()]
    if any(len(corner) != 2 for corner in corners):
        raise InvalidInputError(
            f"`--polygon`: got {text!r}; expected corners x,y with spaces between, as in '0,0 1,0 0,1'"
        )
    return np.array(corners).reshape(-1, 2)
