"""What the study is asked: a network, data, and a loss, read at one door and in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.landscape.losses import LOSSES, one_hot
from splinescope.network import ModelLike, Network, as_network, from_torch
from splinescope.network.inputs import finite_batch, real_numbers

LABELS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


@dataclass(frozen=True, eq=False)
class Problem:
    """A network, inputs with targets, and a loss, in float64.

    Attributes:
        network: The network, with a node for each layer where it came as a module.
        inputs: [N, *input_shape].
        targets: [N, n_out] wanted outputs, or probabilities of the classes.
        loss: "squared" or "cross-entropy".
    """

    network: Network
    inputs: Float[Tensor, "N ..."]
    targets: Float[Tensor, "N n_out"]
    loss: str

    def __len__(self) -> int:
        return len(self.inputs)


def problem(model: ModelLike, inputs: Any, targets: Any, loss: str) -> Problem:
    """Read a question about the loss of a model on data.

    Args:
        model: A network; or a module, whose layers then keep their own weights, in float64; or the path of a file.
        inputs: [N, *input_shape] or flat inputs.
        targets: [N] labels of classes (integers), or [N, n_out] wanted outputs or probabilities; [N] numbers where the
            network has one output.
        loss: "squared", the sum of squares over outputs, or "cross-entropy" of the softmax of the outputs; both are
            means over samples.

    Returns:
        The problem.

    Raises:
        InvalidInputError: If something does not fit.
        UnsupportedOpError: If the model is not piecewise affine.
    """
    if loss not in LOSSES:
        raise InvalidInputError(f"`loss`: got {loss!r}; expected {' or '.join(map(repr, LOSSES))}")
    given = real_numbers(inputs, "inputs")
    if given.ndim < 2 or not len(given):
        raise InvalidInputError(
            f"`inputs`: got the shape {tuple(given.shape)}; expected a batch [N, *input_shape] of at least one input"
        )
    network = _network_of(model, tuple(given.shape[1:]))
    batch = finite_batch(given, network.input_shape)
    _check_head(network, loss)
    return Problem(network, batch, read_targets(network, targets, len(batch), loss), loss)


def read_targets(network: Network, targets: Any, count: int, loss: str) -> Float[Tensor, "N n_out"]:
    """Targets as numbers for each output.

    Args:
        network: The network.
        targets: Labels, wanted outputs or probabilities.
        count: Number of samples.
        loss: The loss.

    Returns:
        [N, n_out] targets.

    Raises:
        InvalidInputError: If they fit neither the samples nor the outputs.
    """
    outputs = network.nodes[network.output].size
    kept = isinstance(targets, Tensor) and not targets.is_complex()
    given = targets.detach().cpu() if kept else torch.from_numpy(_labels_or_numbers(targets))
    if loss == "cross-entropy" and outputs == 1:
        raise InvalidInputError("`loss`: a network of one output has no cross-entropy of a softmax; expected 'squared'")
    if given.shape == (count,) and given.dtype in LABELS and outputs > 1:
        labels = given.long()
        if bool(((labels < 0) | (labels >= outputs)).any()):
            raise InvalidInputError(f"`targets`: got labels from {int(labels.min())} to {int(labels.max())}; expected "
                                    f"0 to {outputs - 1}, one for each output")  # fmt: skip
        return one_hot(labels, outputs)
    if given.shape[:1] != (count,) or given.numel() != count * outputs:
        raise InvalidInputError(
            f"`targets`: got the shape {tuple(given.shape)} ({given.dtype}) for {count} inputs; expected [{count}] "
            f"integer labels or [{count}, {outputs}] numbers"
        )
    numbers = given.double().reshape(count, outputs)
    if not bool(torch.isfinite(numbers).all()):
        raise InvalidInputError("`targets`: some numbers are NaN or infinite; expected finite ones")
    sums = numbers.sum(dim=1)
    if loss == "cross-entropy" and (bool((numbers < 0).any()) or bool(((sums - 1).abs() > 1e-6).any())):
        raise InvalidInputError("`targets`: they are no probabilities; expected labels, or rows that sum to 1")
    return numbers


def _labels_or_numbers(targets: Any) -> np.ndarray:
    """Whole numbers as they are, and else numbers in float64."""
    try:
        values = np.array(targets)
    except (TypeError, ValueError):
        values = np.empty(0, object)
    return values if values.dtype.kind in "biu" else np.asarray(real_numbers(targets, "targets"))


def _network_of(model: ModelLike, shape: tuple[int, ...]) -> Network:
    if isinstance(model, nn.Module):
        try:
            return from_torch(model, shape, fused=False)
        except InvalidInputError as error:
            try:
                return from_torch(model, fused=False)
            except InvalidInputError:
                raise error from None
    return as_network(model, shape)


def _check_head(network: Network, loss: str) -> None:
    """Refuse a smooth head behind the outputs that the loss would not see."""
    if network.head is None or (loss == "cross-entropy" and "softmax" in network.head.name):
        return
    raise InvalidInputError(
        f"`model`: it ends in a {network.head.name}, behind which the loss {loss!r} is not one of a piecewise affine "
        "network; expected the model without it"
    )
