r"""How much batch-norm's hyperplanes move from one mini-batch to the next.

The offset $\mu_k / \|w_k\|$ of a unit's hyperplane from the origin, along its weights, is the mean of $B$ samples. If
these are drawn independently its standard deviation is $\sigma_k / (\sqrt B \|w_k\|)$; drawn without replacement from
$n$ samples it is smaller by the factor $\sqrt{(n - B) / (n - 1)}$. For a convolution the samples are means over the
places of an image. The prediction is exact where the layer's inputs hold still, as in the first layer. Deeper, the
statistics of earlier layers move the inputs, too. Source: Balestriero and Baraniuk (2022), arXiv 2209.14778.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from splinescope.errors import InvalidInputError
from splinescope.initialization.batchnorm import statistics_of
from splinescope.initialization.fusion import layers_before
from splinescope.initialization.modules import affine_layers, batch_of, batchnorms, hooked, private_copy, units_last
from splinescope.shown import Shown


@dataclass(frozen=True, eq=False)
class BoundaryJitter(Shown):
    """Standard deviations, over mini-batches, of the distance of hyperplanes from the origin.

    Attributes:
        layer: Name of the linear or convolutional layer.
        norm: Name of the batch-norm layer behind it.
        predicted: By the formula, with the layer's inputs held still.
        alone: Measured by resampling, with the layer's inputs held still.
        together: Measured by resampling in train mode, where statistics of earlier layers move, too.
    """

    layer: str
    norm: str
    predicted: Float[np.ndarray, " units"]
    alone: Float[np.ndarray, " units"]
    together: Float[np.ndarray, " units"]


def boundary_jitter(
    module: nn.Module,
    data: Any,
    batch_size: int,
    *,
    generator: torch.Generator,
    resamples: int = 200,
    replacement: bool = False,
) -> tuple[BoundaryJitter, ...]:
    """Predict and measure how batch-norm's hyperplanes move between mini-batches.

    Args:
        module: The module.
        data: [n, *input_shape] inputs that mini-batches are drawn from.
        batch_size: Inputs per mini-batch, from 2 to n (at most n only without replacement).
        generator: Source of randomness.
        resamples: Number of mini-batches of the measurement.
        replacement: Whether a mini-batch may have an input twice.

    Returns:
        One entry for each batch-norm layer that directly follows a linear or convolutional layer. Cost: one forward
        pass for each mini-batch.

    Raises:
        InvalidInputError: If the batch size does not fit, or there are fewer than two mini-batches.
        UnsupportedOpError: If the module has layers that normalise each single input, such as layer-norm.

    Example:
        >>> import torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.BatchNorm1d(4), torch.nn.ReLU())
        >>> data = torch.randn(100, 2, generator=generator)
        >>> (jitter,) = boundary_jitter(net, data, 20, generator=generator, resamples=8)
        >>> jitter.layer, jitter.norm, len(jitter.predicted)
        ('0', '1', 4)
    """
    copied = private_copy(module)
    inputs = batch_of(copied, data)
    n = len(inputs)
    if batch_size < 2 or (batch_size > n and not replacement):
        raise InvalidInputError(f"`batch_size`: got {batch_size}; expected a number from 2 to {n}, that of the inputs")
    if resamples < 2:
        raise InvalidInputError(f"`resamples`: got {resamples}; expected at least 2")
    draws = [_draw(n, batch_size, generator, replacement) for _ in range(resamples)]
    still = _channel_means(copied, inputs)
    moving = [statistics_of(copied, inputs[rows.to(inputs.device)]) for rows in draws]
    factor = 1.0 if replacement else math.sqrt((n - batch_size) / (n - 1))
    found = []
    for norm, layer in layers_before(copied).items():
        if norm not in still:
            continue
        norms = affine_layers(copied)[layer].weight.double().flatten(1).norm(dim=1).cpu()
        means = still[norm].cpu()
        alone = torch.stack([means[rows].mean(dim=0) for rows in draws]).std(dim=0)
        together = torch.stack([statistics[norm].mean.cpu() for statistics in moving]).std(dim=0)
        predicted = factor * means.std(dim=0, correction=0) / math.sqrt(batch_size)
        parts = ((part / norms).numpy() for part in (predicted, alone, together))
        found.append(BoundaryJitter(layer, norm, *parts))
    return tuple(found)


def _draw(n: int, size: int, generator: torch.Generator, replacement: bool) -> Tensor:
    if replacement:
        return torch.randint(n, (size,), generator=generator, device=generator.device).cpu()
    return torch.randperm(n, generator=generator, device=generator.device)[:size].cpu()


def _channel_means(copied: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
    """Input of each batch-norm layer, averaged over the places of each image, with the statistics of all inputs."""
    found: dict[str, Tensor] = {}

    def hook(name: str) -> Any:
        return lambda layer, arguments: found.update({name: units_last(arguments[0], 1).mean(dim=1)})

    with hooked([norm.register_forward_pre_hook(hook(name)) for name, norm in batchnorms(copied).items()]):
        statistics_of(copied, inputs)
    return found
