r"""The two losses of the study, both means over samples, of outputs before the head.

"squared" is $\frac1n \sum_i \|f(x_i) - y_i\|^2$, "cross-entropy" is $-\frac1n \sum_i \sum_k q_{ik} \log
\mathrm{softmax}(f(x_i))_k$ in nats. Their second derivatives by the outputs of one sample, the metrics, are $2 I$ and
$\mathrm{diag}(p) - p p^T$.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

LOSSES = ("squared", "cross-entropy")


def one_hot(labels: Int[Tensor, " N"], outputs: int) -> Float[Tensor, "N outputs"]:
    """Labels as rows with a one.

    Args:
        labels: The classes.
        outputs: How many classes there are.

    Returns:
        The rows, in float64.
    """
    return torch.nn.functional.one_hot(labels, outputs).double()


def sample_losses(
    outputs: Float[Tensor, "N outputs"], targets: Float[Tensor, "N outputs"], loss: str
) -> Float[Tensor, " N"]:
    """Loss of each sample.

    Args:
        outputs: Outputs before the head.
        targets: Wanted outputs or probabilities.
        loss: Which loss.

    Returns:
        One number for each sample; their mean is the loss.
    """
    if loss == "squared":
        return (outputs - targets).square().sum(dim=1)
    return -(targets * torch.log_softmax(outputs, dim=1)).sum(dim=1)


def metric_roots(outputs: Float[Tensor, "N outputs"], loss: str) -> Float[Tensor, "N outputs outputs"]:
    r"""Square roots $L_i$ of the metrics, $L_i L_i^T$ being the second derivative of a sample's loss by its outputs.

    Of the softmax metric it is $L = \mathrm{diag}(\sqrt p) - p \sqrt{p}^T$, without a decomposition.

    Args:
        outputs: Outputs before the head.
        loss: Which loss.

    Returns:
        One matrix for each sample.
    """
    if loss == "squared":
        root = 2.0**0.5 * torch.eye(outputs.shape[1], dtype=outputs.dtype)
        return root.expand(len(outputs), -1, -1)
    p = torch.softmax(outputs, dim=1)
    q = p.sqrt()
    return torch.diag_embed(q) - p[:, :, None] * q[:, None, :]
