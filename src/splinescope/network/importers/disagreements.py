"""Why a module and what was read of it disagree, where the import is not to blame."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from splinescope.errors import SplinescopeError, UnsupportedOpError
from splinescope.network.importers.outputs import outputs_of

_REPEATS = 8
"""Times that a model is asked for the same output; one that draws lots may return the same a few times."""


class DisagreementError(SplinescopeError):
    """An imported network is another one than its original.

    Attributes:
        row: Number of an input at which they differ.
        allowed: By how much they may differ there.
    """

    def __init__(self, message: str, row: int = 0, allowed: float = 0.0) -> None:
        super().__init__(message)
        self.row = row
        self.allowed = allowed


def check_repeats(function: Callable[[Tensor], Tensor], x: Tensor, error: SplinescopeError | None = None) -> None:
    """Refuse a model that is no function of its input.

    Args:
        function: The model.
        x: [1, ...] an input.
        error: What was wrong with it otherwise.

    Raises:
        UnsupportedOpError: If it returns something else for the same input.
    """
    first = outputs_of(function, x)
    if not all(torch.equal(first, outputs_of(function, x)) for _ in range(_REPEATS)):
        raise UnsupportedOpError(
            "the model returns another output for the same input each time; expected a function of its input"
        ) from error


def check_own_fault(
    error: DisagreementError,
    copies: Callable[[], nn.Module],
    retraced: Callable[[Tensor], tuple[Tensor, Tensor] | None] | None,
    x: Tensor,
    returned: Tensor,
    agreed: str,
) -> None:
    """Refuse a module for the reason for which it disagrees with what was read of it, if one is found.

    Args:
        error: The disagreement.
        copies: Makes copies of the module.
        retraced: What the graph that was read, made anew, and the copy that it was made of return; None if not known.
        x: [1, ...] the input at which they differ.
        returned: What the module returned there.
        agreed: The type in which they agreed before, if they did.

    Raises:
        UnsupportedOpError: If the module depends on earlier inputs, computes something else while it is traced, or in
            another type.
    """
    check_repeats(copies(), x, error)
    fresh = outputs_of(copies(), x)

    def differs(other: Tensor) -> bool:
        change = other.reshape(-1).double() - fresh.reshape(-1).double()
        return not bool((change.abs() <= error.allowed).all())

    if fresh.numel() == returned.numel() and differs(returned):
        raise UnsupportedOpError(
            "the model's output depends on the inputs that it was given before, as with a counter or a cache; "
            "expected a function of its input"
        ) from error
    if agreed:
        own = str(x.dtype).removeprefix("torch.")
        raise UnsupportedOpError(
            f"the module computes something else in {own} than in {agreed} (by more than round-off explains), as if "
            "it asked for the type of its input; expected the same function in both"
        ) from error
    made = None if retraced is None else retraced(x)
    if made is None or any(part.numel() != fresh.numel() for part in made):
        return
    traced, copied = made
    if differs(traced) and not differs(copied):
        raise UnsupportedOpError(
            "the module computes something else while torch traces it than when it runs, as if it asked whether it is "
            "compiled, worked in another thread, or handed values to other programs; expected the same function"
        ) from error
