"""What is known of a tensor while a decoder runs: units of a projection, or what an activation made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

NONLINEAR = frozenset(
    "abs celu clamp clamp_max clamp_min clip elu erf erfc exp exp2 expm1 gelu hardsigmoid hardswish hardtanh heaviside "
    "leaky_relu log log1p logsigmoid maximum minimum mish pow prelu reciprocal relu relu6 rrelu rsqrt selu sigmoid "
    "sign silu sin cos softplus softshrink softsign sqrt square tanh tanhshrink threshold where".split()
)
"""Operations that act on each unit alone and are not affine."""

AFFINE = frozenset(
    "add alpha_dropout bfloat16 clone contiguous detach div divide double dropout float half mul multiply neg "
    "reshape sub subtract to true_divide truediv type type_as".split()
)
"""Operations that act on each unit alone and are affine in one operand."""

PRODUCTS = frozenset("mul multiply".split())
"""Operations that multiply unit by unit."""


@dataclass(frozen=True, eq=False)
class Source:
    """A projection that ran: where pre-activations come from.

    Attributes:
        name: Path of its module; of the parameter where weights are used without a module.
        call: Which of the module's calls within one pass, from 0.
        module: The module, if any.
        transposed: Whether the module keeps its weight as [inputs, outputs].
        inputs: What it was applied to.
        problem: Why its units cannot be measured; empty if they can.
    """

    name: str
    call: int = 0
    module: nn.Module | None = None
    transposed: bool = False
    inputs: Tensor | None = None
    problem: str = ""


@dataclass(frozen=True)
class Units:
    """Pre-activations: some rows of a projection's output, perhaps scaled.

    Attributes:
        source: The projection.
        rows: Which of its outputs.
    """

    source: Source
    rows: range


@dataclass(frozen=True)
class Hidden:
    """What an activation made of pre-activations, perhaps multiplied by a second projection.

    Attributes:
        gate: The pre-activations.
        activation: Name of the activation.
        up: The second projection, None for a plain block.
        settled: Whether an operation that mixes units has come after the activation, as a normalisation does.
        problem: Why this is no block that can be measured.
    """

    gate: Units
    activation: str
    up: Units | None = None
    settled: bool = False
    problem: str = ""

    def same_block(self, other: Hidden) -> bool:
        """Whether both come from the same pre-activations."""
        return (self.gate, self.up) == (other.gate, other.up)


State = Units | Hidden


def pointwise(operation: str, states: Sequence[State], activation: str) -> State | None:
    """What an operation that acts on each unit alone makes of its operands.

    Args:
        operation: Its name.
        states: What is known of its operands, constants left out.
        activation: What to call the operation if it is the first that is not affine.

    Returns:
        What is known of its output; None if it is none of ours.
    """
    units = [state for state in states if isinstance(state, Units)]
    hidden = [state for state in states if isinstance(state, Hidden)]
    if not hidden:
        return _of_units(operation, units, activation)
    first = hidden[0]
    if not all(first.same_block(other) for other in hidden):
        if operation not in PRODUCTS:
            return None
        return replace(first, problem="both factors of its product go through an activation")
    merged = replace(first, settled=any(other.settled for other in hidden))
    for other in units:
        if other == merged.gate and merged.up is None:
            if merged.settled:
                return None  # pre-activations over their norm: a normalisation, not an activation
        elif merged.up is None and operation in PRODUCTS and len(other.rows) == len(merged.gate.rows):
            merged = replace(merged, up=other)
        else:
            return None
    return merged


def _of_units(operation: str, units: Sequence[Units], activation: str) -> State | None:
    """The same for pre-activations only."""
    first = units[0]
    if all(other == first for other in units):
        curved = operation in NONLINEAR or (len(units) > 1 and operation in PRODUCTS)
        return Hidden(first, activation) if curved else first
    if operation in ("add", "sub") and len(first.rows) == len(units[1].rows):
        names = " and ".join(f"`{other.source.name}`" for other in units)
        return replace(
            first,
            source=replace(first.source, problem=f"its pre-activation is the sum of {names}, as adapters make it"),
        )
    return None


def mixing(states: Sequence[State]) -> State | None:
    """What an operation that mixes units makes of its operands: nothing of ours before the activation.

    Args:
        states: What is known of its operands, constants left out.

    Returns:
        What is known of its output.
    """
    first = states[0]
    if not isinstance(first, Hidden):
        return None
    if not all(isinstance(other, Hidden) and first.same_block(other) for other in states):
        return None
    return replace(first, settled=True)


def rows_of_view(view: Tensor, root: Tensor, rows: range) -> range | None:
    """Which units a view shows.

    Args:
        view: A tensor that shares the memory of `root`.
        root: [..., len(rows)], a contiguous tensor of units.
        rows: The units of the root.

    Returns:
        The units along the last axis of the view, for every token the same; None if there is no such thing, as for a
        view of attention heads.
    """
    width = len(rows)
    if not root.is_contiguous() or view.ndim == 0 or not view.numel():
        return rows if view.shape == root.shape and view.stride() == root.stride() else None
    size = view.shape[-1]
    step = view.stride(-1) if size > 1 else 1
    column = (view.storage_offset() - root.storage_offset()) % width
    leading = zip(view.shape[:-1], view.stride()[:-1], strict=True)
    if step < 1 or column + step * (size - 1) >= width or any(n > 1 and stride % width for n, stride in leading):
        return None
    return rows[column : column + step * (size - 1) + 1 : step]
