"""One table: the number of cells that is there, beside what theory says of a network of this shape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from splinescope.complexity.theory.architectures import Architecture, architecture
from splinescope.complexity.theory.claims import Kind, Quantity, Theorem, claims
from splinescope.complexity.theory.degrees import is_complete, mean_degree, touches_boundary
from splinescope.errors import InvalidInputError
from splinescope.network.graph import Network
from splinescope.network.load import as_network
from splinescope.shown import Shown

_WRITTEN = 4000
"""Numbers of more digits are not written in decimals: Python itself refuses above 4300."""


@dataclass(frozen=True)
class BoundRow:
    """One number that theory gives, and what was found.

    Attributes:
        name: Whose it is.
        quantity: What it counts.
        kind: "upper": no network of this graph has more, in any convex domain of this dimension. "lower": some network
            of these widths has at least as many. "average": a mean over weights or over the whole space. "exact": the
            number itself, in general position.
        value: The number; None where the assumptions do not hold.
        found: The number in the domain; None if no complex was given, or it does not tell.
        statement: The formula.
        source: Author, year, arXiv number.
        applies: Whether the assumptions hold for this network.
        reason: Which assumption fails, or a remark.
    """

    name: str
    quantity: Quantity
    kind: Kind
    value: int | Fraction | None
    found: int | Fraction | None
    statement: str
    source: str
    applies: bool
    reason: str

    @property
    def violated(self) -> bool:
        """Whether what was found contradicts an upper bound, a defect of one of the two."""
        return self.kind == "upper" and self.value is not None and self.found is not None and self.found > self.value


@dataclass(frozen=True)
class RegionBounds(Shown):
    """What theory says of a network's regions, beside the number of cells in a domain.

    Attributes:
        rows: The bounds.
        count: Number of cells; None if only a network was given.
        complete: Whether these are all cells of the domain.
        dimension: Dimension of the domain.
        widths: Number of units of each folding layer.
    """

    rows: tuple[BoundRow, ...]
    count: int | None
    complete: bool
    dimension: int
    widths: tuple[int, ...]

    @property
    def violations(self) -> tuple[BoundRow, ...]:
        """Rows that the count contradicts; there are none unless something is wrong."""
        return tuple(row for row in self.rows if row.violated)

    def row(self, name: str) -> BoundRow:
        """The row of that name.

        Args:
            name: As in the column `bound`, such as "Serra 2018".

        Returns:
            The row.

        Raises:
            InvalidInputError: If there is none.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise InvalidInputError(f"`name`: got {name!r}; expected one of {', '.join(repr(r.name) for r in self.rows)}")

    def text(self) -> str:
        """The table for a terminal, one line for each row that applies, and then those that do not."""
        lines = [("quantity", "kind", "value", "found", "name", "")]
        for row in sorted(self.rows, key=lambda row: not row.applies):
            note = row.reason if row.applies else f"does not apply: {row.reason}"
            lines.append((row.quantity, row.kind, short(row.value), short(row.found), row.name, note))
        widths = [max(len(line[column]) for line in lines) for column in range(5)]
        out = []
        for line in lines:
            cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
            cells[2:4] = [line[i].rjust(widths[i]) for i in (2, 3)]
            out.append("  ".join([*cells, line[5]]).rstrip())
        return "\n".join(out)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that `json` writes; numbers too long to be written are None beside their decimal logarithm."""
        return {
            "count": self.count,
            "complete": self.complete,
            "dimension": self.dimension,
            "widths": list(self.widths),
            "rows": [
                vars(row) | {"value": _plain(row.value), "log10": _log10(row.value), "found": _plain(row.found)}
                for row in self.rows
            ],
        }


def region_bounds(target: Any, *, dimension: int | None = None) -> RegionBounds:
    """Put the number of cells of a complex beside what theory says of its network.

    Every bound is of cells, and each is given only where its assumptions hold for the network's graph.
    Convolutions, skip connections, activations of several breakpoints and maxima keep the number of patterns and the
    bound layer by layer; a sequence of convolutions and ReLUs also keeps Serra's; lower bounds are for dense layers.

    Args:
        target: A complex of any dimension (planar, spatial, a segment's, a region graph), or a network alone;
            or a module that tells its input shape, or the path of a file.
        dimension: For a network, the dimension of the set on which it is looked at; that of its input by default.

    Returns:
        The table.

    Raises:
        InvalidInputError: If `target` is neither, or `dimension` is given for a complex or less than 1.

    Cost: that of `architecture` and of each bound; sums of large integers, nothing is evaluated.

    Example:
        >>> from splinescope import from_torch, models
        >>> import torch
        >>> module = models.mlp([2, 4, 4, 1], generator=torch.Generator().manual_seed(0))
        >>> table = region_bounds(from_torch(module, input_shape=(2,)))
        >>> table.row("Montufar 2014").value, table.row("Serra 2018").value
        (44, 121)
    """
    if not isinstance(getattr(target, "network", None), Network) or not hasattr(target, "domain"):
        network = as_network(target, name="target", other="a complex")
        if dimension is not None and dimension < 1:
            raise InvalidInputError(f"`dimension`: got {dimension}; expected at least 1")
        return _table(network, None, architecture(network, dimension))
    if dimension is not None:
        raise InvalidInputError(f"`dimension`: got {dimension} for a complex, which has its own; expected None")
    return _table(target.network, target, architecture(target.network, target.domain.dimension))


def short(value: int | Fraction | None) -> str:
    """A number of any size in few characters.

    Args:
        value: A number that is not negative, or None.

    Returns:
        All digits up to a billion, and beyond that three and an exponent; two decimals for fractions; "-" for None.

    Example:
        >>> short(131696), short(211**4), short(Fraction(7, 3)), short(2**5000)
        ('131,696', '1.98e9', '2.33', '1.41e1505')
    """
    if value is None:
        return "-"
    if value < 10**9:
        return f"{int(value):,}" if value.denominator == 1 else f"{float(value):,.2f}"
    logarithm = _log10(value) or 0.0
    return f"{10 ** (logarithm % 1):.2f}e{math.floor(logarithm)}"


def _table(network: Network, cells: Any, shape: Architecture) -> RegionBounds:
    complete = cells is not None and is_complete(cells)
    found: dict[Quantity, int | Fraction | None] = {}
    if cells is not None:
        touching = touches_boundary(cells)
        found["cells"] = len(cells)
        found["bounded cells"] = None if touching is None else int((~touching).sum())
        found["mean degree"] = mean_degree(cells) if complete else None
    domain = None if cells is None else cells.domain
    rows = tuple(_row(claim, found.get(claim.quantity)) for claim in claims(network, domain, shape))
    return RegionBounds(rows, None if cells is None else len(cells), complete, shape.dimension, shape.widths)


def _row(claim: Theorem, found: int | Fraction | None) -> BoundRow:
    failed = [assumption.otherwise for assumption in claim.assumptions if not assumption.holds]
    return BoundRow(
        name=claim.name,
        quantity=claim.quantity,
        kind=claim.kind,
        value=None if failed else claim.value(),
        found=found,
        statement=claim.statement,
        source=claim.source,
        applies=not failed,
        reason=failed[0] if failed else claim.remark,
    )


def _log10(value: int | Fraction | None) -> float | None:
    return math.log10(value.numerator) - math.log10(value.denominator) if value else None


def _plain(value: int | Fraction | None) -> int | float | None:
    """What `json` can write: integers up to some thousand digits, fractions as floats; None for what is too long."""
    logarithm = _log10(value)
    if value is None or logarithm is None:
        return value if value is None else 0
    if value.denominator != 1 and logarithm < 300:
        return float(value)
    return int(value) if logarithm < _WRITTEN else None
