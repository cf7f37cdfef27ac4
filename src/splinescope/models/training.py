"""A training loop of a few seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.shown import Shown


@dataclass(frozen=True)
class TrainingResult(Shown):
    """What a training run came to.

    Attributes:
        losses: Mean cross-entropy in nats of each epoch.
        accuracy: Fraction of the training inputs that the trained module classifies correctly.
    """

    losses: tuple[float, ...]
    accuracy: float


def train_classifier(
    module: nn.Module,
    inputs: Float[Tensor, "n ..."],
    labels: Int[Tensor, " labels"],
    *,
    generator: torch.Generator,
    epochs: int = 30,
    batch_size: int = 64,
    learning_rate: float = 3e-3,
    weight_decay: float = 0.0,
    after_epoch: Callable[[int], None] | None = None,
) -> TrainingResult:
    """Train a classifier in place with Adam on the cross-entropy.

    Args:
        module: Maps [N, *shape] to [N, classes]; its parameters change, its mode does not.
        inputs: Training inputs.
        labels: Class of each input.
        generator: Source of the order of the batches; global seeds stay untouched.
        epochs: Number of passes over the data.
        batch_size: Inputs per step.
        learning_rate: Adam's step size.
        weight_decay: Decoupled weight decay per unit of learning rate.
        after_epoch: Called after each epoch with the number of epochs done, to look at the module on its way.

    Returns:
        The losses and the accuracy reached.

    Raises:
        InvalidInputError: If inputs and labels differ in number, or there are none.

    Cost: one forward and one backward pass for each input and epoch.

    Example:
        >>> import torch
        >>> x = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> module = torch.nn.Linear(2, 2)
        >>> generator = torch.Generator().manual_seed(0)
        >>> result = train_classifier(module, x, torch.arange(2), generator=generator, epochs=99, learning_rate=0.2)
        >>> result.accuracy
        1.0
    """
    if len(inputs) != len(labels) or not len(inputs):
        raise InvalidInputError(f"`labels`: got {len(labels)} for {len(inputs)} inputs; expected one per input")
    optimizer = torch.optim.AdamW(module.parameters(), lr=learning_rate, weight_decay=weight_decay)
    losses = []
    for epoch in range(1, epochs + 1):
        total = 0.0
        for batch in torch.randperm(len(inputs), generator=generator).split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(module(inputs[batch]), labels[batch])
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(batch)
        losses.append(total / len(inputs))
        if after_epoch is not None:
            after_epoch(epoch)
    with torch.no_grad():
        correct = module(inputs).argmax(dim=1) == labels
    return TrainingResult(tuple(losses), float(correct.float().mean()))


def train_classifiers(
    modules: Sequence[nn.Module],
    inputs: Float[Tensor, "networks n ..."],
    labels: Int[Tensor, "networks n"],
    *,
    generator: torch.Generator,
    epochs: int = 30,
    batch_size: int = 64,
    learning_rate: float = 3e-3,
    weight_decay: float = 0.0,
) -> tuple[TrainingResult, ...]:
    """Train classifiers of one architecture side by side, each in place on its own data: small ones cost little more.

    What each learns is what `train_classifier` would have taught it with the same order of its batches, since Adam
    treats every parameter by itself.

    Args:
        modules: Networks that differ in their weights alone, and have no buffers; their parameters change.
        inputs: [networks, n, *shape] training inputs of each.
        labels: [networks, n] their classes.
        generator: Source of the order of the batches of all; global seeds stay untouched.
        epochs: Number of passes over the data.
        batch_size: Inputs per step and network.
        learning_rate: Adam's step size.
        weight_decay: Decoupled weight decay per unit of learning rate.

    Returns:
        Losses and accuracy of each.

    Raises:
        InvalidInputError: If modules, inputs and labels differ in number, or there are none.

    Cost: one forward and one backward pass for each network, input and epoch, in steps of all networks at once.

    Example:
        >>> import torch
        >>> modules = [torch.nn.Linear(1, 2) for _ in range(3)]
        >>> x, y = torch.tensor([[[-1.0], [1.0]]] * 3), torch.tensor([[0, 1]] * 3)
        >>> found = train_classifiers(modules, x, y, generator=torch.Generator().manual_seed(0), learning_rate=0.3)
        >>> [one.accuracy for one in found]
        [1.0, 1.0, 1.0]
    """
    if not modules or len(modules) != len(inputs) or inputs.shape[:2] != labels.shape or not labels.numel():
        raise InvalidInputError(
            f"`inputs`: got shape {tuple(inputs.shape)} with labels {tuple(labels.shape)} for {len(modules)} modules; "
            "expected [networks, n, *shape] and [networks, n]"
        )
    weights, _ = torch.func.stack_module_state(list(modules))
    every = torch.func.vmap(lambda own, x: torch.func.functional_call(modules[0], own, (x,)))
    optimizer = torch.optim.AdamW(weights.values(), lr=learning_rate, weight_decay=weight_decay)
    networks, n = labels.shape
    rows, losses = torch.arange(networks)[:, None], []
    for _ in range(epochs):
        total = torch.zeros(networks)
        order = torch.rand(networks, n, generator=generator).argsort(dim=1)
        for batch in order.split(batch_size, dim=1):
            optimizer.zero_grad()
            logits = every(weights, inputs[rows, batch])
            own = nn.functional.cross_entropy(logits.flatten(0, 1), labels[rows, batch].flatten(), reduction="none")
            loss = own.reshape(networks, -1).mean(dim=1)
            loss.sum().backward()
            optimizer.step()
            total += loss.detach() * batch.shape[1]
        losses.append((total / n).tolist())
    with torch.no_grad():
        right = (every(weights, inputs).argmax(dim=2) == labels).float().mean(dim=1).tolist()
        for number, module in enumerate(modules):
            for name, parameter in module.named_parameters():
                parameter.copy_(weights[name][number])
    return tuple(TrainingResult(tuple(epoch[number] for epoch in losses), right[number]) for number in range(networks))
