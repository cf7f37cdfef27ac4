"""The steps of a training run at which it is looked at."""

from __future__ import annotations

from decimal import Decimal, localcontext

from splinescope.errors import InvalidInputError


def log_spaced_steps(last: int, per_decade: int = 10, first: int = 1) -> tuple[int, ...]:
    r"""Steps that get rarer as training goes on: 0, the integers nearest to $s \cdot 10^{k/p}$, and the last one.

    Args:
        last: The last step of the run.
        per_decade: Steps per factor of ten, p.
        first: The first step after 0, s.

    Returns:
        The steps, ascending, each once.

    Raises:
        InvalidInputError: If an argument is out of range.

    Cost: linear in their number.

    Example:
        >>> log_spaced_steps(100, per_decade=3)
        (0, 1, 2, 5, 10, 22, 46, 100)
    """
    for name, value, least in (("last", last, 0), ("per_decade", per_decade, 1), ("first", first, 1)):
        if value < least:
            raise InvalidInputError(f"`{name}`: got {value}; expected at least {least}")
    steps = {0, last}
    with localcontext(prec=50):  # so that no rounding of the power moves a step
        ratio = Decimal(10) ** (Decimal(1) / per_decade)
        place = Decimal(first)
        while (step := round(place)) < last:
            steps.add(step)
            place *= ratio
    return tuple(sorted(steps))
