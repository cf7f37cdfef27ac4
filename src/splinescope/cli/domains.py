"""Where a network is looked at, as the options of the command line say it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from splinescope.cli.points import fit_points, normalise, read_array, read_data
from splinescope.cli.values import Shape, numbers, whole_numbers
from splinescope.errors import InvalidInputError
from splinescope.tessellation.domains import Slice


@dataclass(frozen=True)
class Where:
    """The options that say where to look, as the user gave them."""

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

    def points(self) -> list[np.ndarray]:
        """The points that the plane goes through, in their own shapes; none for a box or a polygon alone."""
        choices = {"--through": self.through, "--point": self.point, "--data": self.data, "--box": self.box}
        given = [name for name, value in choices.items() if value]
        if len(given) > 1:
            raise InvalidInputError(f"`{given[0]}`, `{given[1]}`: both were given; expected one of them")
        if self.box and self.polygon is not None:
            raise InvalidInputError("`--box`, `--polygon`: both were given; expected one of them")
        if (self.data is None) != (self.indices is None):
            raise InvalidInputError("`--data`, `--indices`: only one was given; expected both, as in digits and 3,7,11")
        if self.data is not None and self.indices is not None:
            points = read_data(self.data, whole_numbers("--indices", self.indices))
        else:
            points = [
                read_array(name, file)
                for name, files in (("--through", self.through), ("--point", self.point))
                for file in files or ()
            ]
        if len(points) > 3:
            raise InvalidInputError(f"`{given[0]}`: got {len(points)} points; expected one, two or three")
        return normalise(points, self.mean, self.std)

    def domain(self, shape: Shape, points: Sequence[np.ndarray]) -> Slice:
        """The domain in a network's input space."""
        if points:
            plane = plane_through(fit_points(points, shape), self.margin, self.radius, self.seed)
            return plane if self.polygon is None else with_polygon(plane, self.polygon)
        if shape != (2,):
            raise InvalidInputError(
                f"`--through`: no points were given; the model's input has the shape {tuple(shape)}, and only for two "
                "inputs there is a plane without them; give `--through A B C`, `--point`, or `--data` and `--indices`"
            )
        if self.polygon is not None:
            return with_polygon(None, self.polygon)
        return box(*(self.box or ("-1", "1")))


def plane_through(points: Sequence[np.ndarray], margin: float, radius: float | None, seed: int) -> Slice:
    """The plane through one, two or three points; random directions make up for missing ones.

    Args:
        points: The points, all in the network's input shape; they become the anchors.
        margin: Relative margin around the points.
        radius: Distance of a random point from the given ones; by default the distance of two given points, else 1.
        seed: Seed of the random directions.

    Returns:
        The slice.
    """
    if not 1 <= len(points) <= 3:
        raise InvalidInputError(f"`points`: got {len(points)}; expected one, two or three")
    if radius is not None and not 0 < radius < math.inf:
        raise InvalidInputError(f"`--radius`: got {radius}; expected a positive number")
    first, second, third = [*points, None, None][:3]
    generator = np.random.default_rng(seed)
    return Slice.through(first, second, third, margin, radius=radius, generator=generator)


def box(low: str, high: str) -> Slice:
    """A rectangle of a two-dimensional input space; one number means both coordinates."""
    corners = [numbers("--box", text) for text in (low, high)]
    return Slice.box(*[corner * 2 if len(corner) == 1 else corner for corner in corners])


def with_polygon(plane: Slice | None, text: str) -> Slice:
    """A plane cut to another polygon: corners `x,y` in slice coordinates, with spaces between them."""
    corners = [numbers("--polygon", word) for word in text.split()]
    if any(len(corner) != 2 for corner in corners):
        raise InvalidInputError(
            f"`--polygon`: got {text!r}; expected corners x,y with spaces between, as in '0,0 1,0 0,1'"
        )
    polygon = np.array(corners).reshape(-1, 2)
    if plane is None:
        return Slice(np.zeros(2), np.eye(2), polygon)
    return Slice(plane.origin, plane.basis, polygon, plane.anchors, plane.names)
