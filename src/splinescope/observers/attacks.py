"""Adversarial examples."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.observers.snapshot import logits_of

LOSSES = ("cross-entropy", "mse")
"""What an attack increases: the cross-entropy, or the squared distance of the outputs from the one-hot label."""


def pgd(
    module: nn.Module,
    points: Float[Tensor, "n ..."],
    labels: Int[Tensor, " n"],
    epsilon: int | float,
    *,
    steps: int = 10,
    step_size: int | float | None = None,
    low: int | float | None = 0.0,
    high: int | float | None = 1.0,
    loss: str = "cross-entropy",
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n ..."]:
    r"""Projected gradient ascent on the loss within $\|x' - x\|_\infty \le \epsilon$.

    Each step adds `step_size` times the sign of the gradient and clips to the ball and to [low, high].

    Args:
        module: A classifier in eval mode; one output $f$ counts as the two classes' outputs $(0, f)$.
        points: Inputs, of the module's device and type.
        labels: Their classes.
        epsilon: Radius of the ball.
        steps: Number of steps.
        step_size: Length of a step; $2.5\,\epsilon / \text{steps}$ if None, enough to cross the ball and come back.
        low: Least value of an input; None for no bound.
        high: Greatest value.
        loss: "cross-entropy" or "mse".
        generator: Start at random in the ball, with this generator of the points' device; at the points if None.

    Returns:
        The adversarial examples.

    Raises:
        InvalidInputError: If an argument is out of range, or a point lies outside of [low, high].

    Source: Madry et al. (2018), arXiv 1706.06083.

    Cost: one forward and one backward pass for each step.

    Example:
        >>> points = pgd(torch.nn.Identity(), torch.tensor([[0.75, 0.5]]), torch.tensor([0]), 0.25)
        >>> points.tolist()  # the wanted output as small, the other one as large as it gets
        [[0.5, 0.75]]
    """
    least, most = -math.inf if low is None else low, math.inf if high is None else high
    check_attack(epsilon, steps, loss)
    if points.numel() and not (least <= float(points.min()) and float(points.max()) <= most):
        raise InvalidInputError(
            f"`points`: go from {float(points.min()):g} to {float(points.max()):g}, beyond `low` and `high`, {low} to "
            f"{high}; give the range of your inputs, or None for no bound"
        )
    size = 2.5 * epsilon / steps if step_size is None else step_size
    floor, ceiling = (points - epsilon).clamp(min=least), (points + epsilon).clamp(max=most)
    found = points.detach()
    if generator is not None:
        noise = torch.rand(points.shape, generator=generator, dtype=points.dtype, device=points.device)
        found = (found + epsilon * (2 * noise - 1)).clamp(floor, ceiling)
    for _ in range(steps):
        found.requires_grad_(True)
        with torch.enable_grad():
            value = _loss(class_scores(logits_of(module, found)), labels, loss)
        (gradient,) = torch.autograd.grad(value, found)
        found = (found.detach() + size * gradient.sign()).clamp(floor, ceiling)
    return found


def check_attack(epsilon: int | float, steps: int, loss: str) -> None:
    """Refuse an attack that means nothing.

    Args:
        epsilon: As in `pgd`.
        steps: As in `pgd`.
        loss: As in `pgd`.

    Raises:
        InvalidInputError: With the argument at fault.
    """
    if not 0 <= epsilon < math.inf:
        raise InvalidInputError(f"`epsilon`: got {epsilon}; expected a number from 0 on")
    if steps < 1:
        raise InvalidInputError(f"`steps`: got {steps}; expected at least 1")
    if loss not in LOSSES:
        raise InvalidInputError(f"`loss`: got {loss!r}; expected one of {', '.join(map(repr, LOSSES))}")


def class_scores(outputs: Float[Tensor, "n outputs"]) -> Float[Tensor, "n classes"]:
    """Outputs that compete: those of a classifier; (0, f) for one output f, whose class is 1 where f > 0.

    Args:
        outputs: Outputs of a module.

    Returns:
        At least two columns.
    """
    if outputs.shape[1] == 1:
        return torch.cat([torch.zeros_like(outputs), outputs], dim=1)
    return outputs


def _loss(scores: Tensor, labels: Tensor, loss: str) -> Tensor:
    """The loss summed over the points, so that no point's gradient depends on how many there are."""
    if loss == "mse":
        wanted = nn.functional.one_hot(labels, scores.shape[1]).to(scores.dtype)
        return (scores - wanted).square().sum()
    return nn.functional.cross_entropy(scores, labels, reduction="sum")
