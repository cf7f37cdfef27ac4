"""Comparisons, and products and choices by them: activations where the pieces meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy.sparse import csr_array, hstack, vstack
from torch import Tensor

from splinescope.network.importers import steps
from splinescope.network.importers.builder import Builder
from splinescope.network.importers.lower_affine import add_values, scale_and_shift, scaled
from splinescope.network.importers.lower_affine import multiply as multiply_values
from splinescope.network.importers.lower_folding import activate, relu
from splinescope.network.importers.refusals import PRODUCT
from splinescope.network.importers.views import Step, Value, Variable
from splinescope.network.ops import Activation, Concatenate, Reshape, Scale, Select, Sum

_SAME = 64.0 * float(np.finfo(np.float64).eps)
"""How far, by their size, two numbers may differ that rounding alone sets apart."""


def compare(b: Builder, x: Value, y: Value, *, strict: bool) -> Step:
    """Whether x > y, or x >= y unless `strict`, as 1 and 0."""
    difference = add(b, x, y, -1.0)
    step = difference if isinstance(difference, Step) else function_of(b, b.variable(difference))
    return steps.above(step, strict)


def logical(b: Builder, values: Sequence[Value], function: Callable[..., np.ndarray]) -> Step:
    """A logical function of comparisons."""
    found = _on_one_argument(b, values)
    if found is None:
        raise b.refusal("it combines comparisons of different numbers, so that its result may jump")
    return steps.combined(found, function)


def choose(b: Builder, condition: Step, x: Value, y: Value) -> Value:
    """x where a condition holds, else y: an activation if the two meet where it changes."""
    found = _on_one_argument(b, [condition, x, y])
    if found is not None:
        return settled(b, steps.chosen(*found))
    result = _ramp(b, condition, x, y)
    if result is not None:
        return result
    raise b.refusal(f"{condition.jump()}, unless what it chooses from is equal there, which splinescope cannot tell")


def multiply(b: Builder, x: Value, y: Value) -> Value:
    """x times y."""
    if not isinstance(x, Step) and not isinstance(y, Step):
        return multiply_values(b, x, y, PRODUCT)
    found = _on_one_argument(b, [x, y])
    if found is not None:
        result = steps.product(*found)
        if result is None:
            raise b.refusal(PRODUCT)
        return settled(b, result)
    step, other = (x, y) if isinstance(x, Step) else (y, x)
    if isinstance(step, Step) and isinstance(other, Variable) and _is_indicator(step):
        return choose(b, step, other, torch.zeros((), dtype=torch.float64))
    raise b.refusal(PRODUCT)


def add(b: Builder, x: Value, y: Value, alpha: float = 1.0) -> Value:
    """x plus a multiple of y."""
    if not isinstance(x, Step) and not isinstance(y, Step):
        return add_values(b, x, y, alpha)
    found = _on_one_argument(b, [x, y])
    if found is None:
        step = x if isinstance(x, Step) else y
        assert isinstance(step, Step)
        raise b.refusal(step.jump() or PRODUCT)
    return settled(b, steps.total(found[0], found[1], alpha))


def settled(b: Builder, step: Value) -> Value:
    """The function as an activation, if it is continuous."""
    if not isinstance(step, Step) or step.jump():
        return step
    x = Variable(step.node, step.shape, step.positions)
    return activate(b, _plain(b, x), *steps.tables(step))


def _plain(b: Builder, x: Variable) -> Variable:
    """The same value without an index, where it is all numbers in order."""
    whole = x.size == b.nodes[x.node].size and np.array_equal(x.positions().reshape(-1), np.arange(x.size))
    return Variable(x.node, x.shape) if whole else x


def _on_one_argument(b: Builder, values: Sequence[Value]) -> list[Step] | None:
    known = [value if isinstance(value, Step | Tensor) else function_of(b, b.variable(value)) for value in values]
    like = next(value for value in known if isinstance(value, Step))
    return steps.on_one_argument([v if isinstance(v, Step) else steps.constant_step(v, like) for v in known])


def function_of(b: Builder, x: Variable) -> Step:
    """A value as a function of the numbers of the earliest node of which it is one, number by number."""
    step = _node_function(b, x.node)
    positions, offsets = x.positions(), x.offsets()
    absent = positions < 0
    step = step.moved(lambda array: array.reshape(-1)[np.where(absent, 0, positions)])
    slopes, own = np.where(absent, 0.0, step.slopes), np.where(absent, 0.0, step.offsets)
    return Step(step.node, step.positions, step.breaks, slopes, own + offsets, step.origin)


def _node_function(b: Builder, node: int) -> Step:
    """The flat value of a node as a function of numbers of an earlier one, or of its own."""
    op, size = b.nodes[node].op, b.nodes[node].size
    blank = np.zeros((0, size))
    own = Step(node, np.arange(size), blank, np.ones((1, size)), np.zeros((1, size)), f"`{b.nodes[node].name}`")
    if isinstance(op, Sum):
        parts = [_node_function(b, source) for source in b.nodes[node].inputs]
        found = steps.on_one_argument(parts)
        if found is None:
            return own
        result = steps.total(found[0], found[0], op.coefficients[0] - 1.0)
        for part, coefficient in zip(found[1:], op.coefficients[1:], strict=True):
            result = steps.total(result, part, coefficient)
        return result
    if not isinstance(op, Reshape | Select | Scale | Activation):
        return own
    before = _node_function(b, b.nodes[node].inputs[0])
    if isinstance(op, Reshape):
        return before
    if isinstance(op, Select):
        constant = None if op.constant is None else op.constant.reshape(-1).numpy()
        index = op.index.reshape(-1).numpy()
        return function_of(b, Variable(b.nodes[node].inputs[0], (size,), index, constant))
    if isinstance(op, Scale):
        scale, shift = (t.expand(b.nodes[node].shape).reshape(-1).numpy() for t in (op.scale, op.shift))
        return replace(before, slopes=before.slopes * scale, offsets=before.offsets * scale + shift)
    tables = [op.breakpoints.numpy(), op.slopes.numpy(), op.intercepts.numpy()]
    return steps.composed(before, *(t if t.ndim > 1 else np.broadcast_to(t[:, None], (len(t), size)) for t in tables))


# -- conditions on several numbers


def _is_indicator(step: Step) -> bool:
    """Whether it is 1 on one side of one breakpoint, and 0 on the other."""
    return len(step.breaks) == 1 and not step.slopes.any() and bool((step.offsets.sum(axis=0) == 1).all())


def _ramp(b: Builder, condition: Step, x: Value, y: Value) -> Value | None:
    """y + k max(d, 0), where a condition is d > 0 and x - y is k d; None if it is not."""
    if not _is_indicator(condition) or not all(isinstance(v, Variable | Tensor) for v in (x, y)):
        return None
    upper = condition.offsets[1] == 1
    shape = np.broadcast_shapes(condition.shape, tuple(x.shape), tuple(y.shape))
    condition = condition.moved(lambda array: np.broadcast_to(array, shape))
    upper = np.broadcast_to(upper, shape)
    argument = Variable(condition.node, shape, condition.positions)
    d = scale_and_shift(b, argument, None, torch.from_numpy(-condition.breaks[0]))
    gap = add_values(b, x, y, -1.0)
    factor = _ratio(b, b.expand(b.variable(gap), shape), d)
    if factor is None:
        return None
    # Where the condition is d < 0, x and y have changed places.
    above_zero = scaled(b, relu(b, d), torch.from_numpy(factor), None)
    if bool(upper.all()):
        return add_values(b, y, above_zero)
    if not bool(upper.any()):
        return add_values(b, x, above_zero, -1.0)
    return None


def _ratio(b: Builder, x: Variable, d: Variable) -> np.ndarray | None:
    """k with x = k d, number by number; None if there is none."""
    mine, other = _forms(b, x), _forms(b, d)
    widths = {key: form.shape[1] for forms in (mine, other) for key, form in forms.items()}
    stacked = [
        csr_array(hstack([forms.get(key, csr_array((x.size, width))) for key, width in sorted(widths.items())]))
        for forms in (mine, other)
    ]
    first, second = stacked
    largest = np.asarray(abs(second).argmax(axis=1)).reshape(-1)
    rows = np.arange(x.size)
    below = np.asarray(second[rows, largest]).reshape(-1)
    if (below == 0).any():
        return None
    k = np.asarray(first[rows, largest]).reshape(-1) / below
    error = abs(first - second.multiply(k[:, None])).tocsr()
    size = (abs(first) + abs(second).multiply(np.abs(k)[:, None])).tocsr()
    return k.reshape(x.shape) if (error - size * _SAME).max() <= 0 else None


def _forms(b: Builder, x: Variable) -> dict[int, csr_array]:
    """A value as a sum of multiples of numbers of other nodes, [size, numbers] for each; constants have the key -1."""
    return _taken(_node_forms(b, x.node), x.positions().reshape(-1), x.offsets().reshape(-1))


def _taken(forms: dict[int, csr_array], index: np.ndarray, offsets: np.ndarray) -> dict[int, csr_array]:
    present = csr_array(np.where(index < 0, 0.0, 1.0)[:, None])
    found = {key: csr_array(form[np.maximum(index, 0)].multiply(present)) for key, form in forms.items()}
    found[-1] = csr_array(found[-1] + csr_array(offsets[:, None]))
    return found


def _node_forms(b: Builder, node: int) -> dict[int, csr_array]:
    op, size, inputs = b.nodes[node].op, b.nodes[node].size, b.nodes[node].inputs
    none = csr_array((size, 1))
    if isinstance(op, Reshape):
        return _node_forms(b, inputs[0])
    if isinstance(op, Select):
        offsets = np.zeros(size) if op.constant is None else op.constant.reshape(-1).numpy()
        return _taken(_node_forms(b, inputs[0]), op.index.reshape(-1).numpy(), offsets)
    if isinstance(op, Scale):
        scale, shift = (t.expand(b.nodes[node].shape).reshape(-1, 1).numpy() for t in (op.scale, op.shift))
        found = {key: csr_array(form.multiply(scale)) for key, form in _node_forms(b, inputs[0]).items()}
        found[-1] = csr_array(found[-1] + csr_array(shift))
        return found
    if isinstance(op, Sum):
        total: dict[int, csr_array] = {}
        for source, coefficient in zip(inputs, op.coefficients, strict=True):
            for key, form in _node_forms(b, source).items():
                total[key] = csr_array(total[key] + coefficient * form) if key in total else coefficient * form
        return total
    if isinstance(op, Concatenate) and len(b.nodes[node].shape) == 1:
        parts = [_node_forms(b, source) for source in inputs]
        widths = {key: form.shape[1] for part in parts for key, form in part.items()}
        return {
            key: csr_array(
                vstack(
                    [
                        part.get(key, csr_array((b.nodes[source].size, width)))
                        for part, source in zip(parts, inputs, strict=True)
                    ]
                )
            )
            for key, width in widths.items()
        }
    return {node: csr_array(np.eye(size)) if size < 2 else _identity(size), -1: none}


def _identity(size: int) -> csr_array:
    return csr_array((np.ones(size), (np.arange(size), np.arange(size))), shape=(size, size))
