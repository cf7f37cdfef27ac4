r"""Batch-norm as what it is to geometry: an affine map, once its statistics are fixed.

A batch-norm layer returns $\gamma_c (z_c - \mu_c) / \nu_c + \beta_c$ for each channel, with
$\nu_c = \sqrt{\sigma_c^2 + \epsilon}$. In eval mode $\mu, \sigma^2$ are *running* statistics. In train mode they are
those of the batch at hand, with the biased variance (divided by the number of values); the running ones collect the
unbiased variance. So in train mode a network is no function of a single input; it has a tessellation only *given a
batch*. `fold_batchnorm` fixes either kind.

Source: Ioffe and Szegedy (2015); Balestriero and Baraniuk (2022), arXiv 2209.14778.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from splinescope.errors import InvalidInputError
from splinescope.initialization.fusion import ChannelScale, absorb, affine_of, layers_before
from splinescope.initialization.modules import affine_layers, batch_of, batchnorms, hooked, private_copy, units_last
from splinescope.shown import Shown


@dataclass(frozen=True, eq=False)
class BatchStatistics(Shown):
    """What a batch-norm layer normalises by.

    Attributes:
        mean: [channels] means.
        variance: [channels] variances; those of a batch are biased: divided by the number of values.
        count: Number of values of each channel; 0 for running statistics.
    """

    mean: Float[Tensor, " channels"]
    variance: Float[Tensor, " channels"]
    count: int


def batch_statistics(module: nn.Module, batch: Any) -> dict[str, BatchStatistics]:
    """The statistics that each batch-norm layer of a module would take in train mode, on one batch.

    Layer after layer: each one sees what those before it make of the batch with their own statistics. Dropout stays
    off. The module keeps its mode and its running statistics.

    Args:
        module: The module.
        batch: [N, *input_shape] inputs.

    Returns:
        Statistics in float64, by name of the batch-norm layer, in the order of use; layers that are not used are left
        out.

    Raises:
        InvalidInputError: If a layer is used more than once, or has fewer than two values for each channel.
        UnsupportedOpError: If the module has layers that normalise each single input.

    Cost: one forward pass of the batch.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 1))
        >>> found = batch_statistics(net, torch.tensor([[1.0, 0.0], [3.0, 4.0]]))["0"]
        >>> found.mean.tolist(), found.variance.tolist()
        ([2.0, 2.0], [1.0, 4.0])
    """
    copied = private_copy(module)
    return statistics_of(copied, batch_of(copied, batch))


def statistics_of(copied: nn.Module, batch: Float[Tensor, "batch ..."]) -> dict[str, BatchStatistics]:
    """The same on a private copy, whose running statistics may change.

    Args:
        copied: The copy, in eval mode.
        batch: Inputs on its device and in its type.

    Returns:
        Statistics by name.
    """
    found: dict[str, BatchStatistics] = {}
    norms = batchnorms(copied)

    def record(name: str, values: Tensor) -> None:
        if name in found:
            raise InvalidInputError(
                f"`module`: its layer {name!r} is applied twice, each time with other statistics; expected one "
                "batch-norm layer for each use"
            )
        rows = units_last(values, 1).flatten(0, 1)
        if len(rows) < 2:
            raise InvalidInputError(
                f"`batch`: {name!r} sees one value of each channel; expected a batch of two or more"
            )
        found[name] = BatchStatistics(rows.mean(dim=0), rows.var(dim=0, correction=0), len(rows))

    def hook(name: str) -> Any:
        return lambda layer, arguments: record(name, arguments[0])

    handles = [norm.register_forward_pre_hook(hook(name)) for name, norm in norms.items()]
    try:
        for norm in norms.values():
            norm.train()
        with hooked(handles):
            copied(batch)
    finally:
        copied.eval()
    return found


def fold_batchnorm(module: nn.Module, statistics: str | Mapping[str, BatchStatistics] | Any = "running") -> nn.Module:
    r"""A module without batch-norm layers that is the given module with fixed statistics.

    Where a batch-norm layer directly follows a linear or convolutional layer, which feeds nothing else, it is folded
    into that layer's weights. Elsewhere it becomes a fixed scale of each channel.

    Args:
        module: The module; it stays as it is, with its buffers.
        statistics: "running" for those that eval mode uses; a batch [N, *input_shape] for those that train mode would
            take on it, layer after layer; or statistics by name of the layer, where layers that are not named keep the
            running ones.

    Returns:
        A copy in eval mode, without gradients: on any input it equals `module.eval()`, or, on the batch itself,
        `module.train()(batch)` without dropout. `splinescope.load` takes it.

    Raises:
        InvalidInputError: If `statistics` is none of these, a layer keeps no running statistics, or a channel has
            neither a variance nor an epsilon.
        UnsupportedOpError: If the module has layers that normalise each single input, such as layer-norm.

    Cost: a copy of the module; for statistics of a batch one forward pass of it.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.BatchNorm1d(4), torch.nn.ReLU()).double()
        >>> batch = torch.arange(12.0, dtype=torch.float64).reshape(6, 2).sin()
        >>> folded = fold_batchnorm(net, batch)
        >>> bool(torch.allclose(folded(batch), net.train()(batch), rtol=0, atol=1e-12))
        True
    """
    copied = private_copy(module)
    if isinstance(statistics, str):
        if statistics != "running":
            raise InvalidInputError(
                f"`statistics`: got {statistics!r}; expected 'running', a batch, or statistics by name"
            )
        given: Mapping[str, BatchStatistics] = {}
    elif isinstance(statistics, Mapping):
        given = statistics
    else:
        given = batch_statistics(module, statistics)
    norms = batchnorms(copied)
    unknown = sorted(set(given) - set(norms))
    if unknown:
        raise InvalidInputError(
            f"`statistics`: there is no batch-norm layer {unknown[0]!r}; the module has {sorted(norms)}"
        )
    before = layers_before(copied)
    replaced = {}
    for name, norm in norms.items():
        found = given[name] if name in given else _running(name, norm)
        replaced[id(norm)] = _fixed(copied, name, norm, found, before.get(name))
    return _with(copied, replaced)


def _running(name: str, norm: _BatchNorm) -> BatchStatistics:
    if norm.running_mean is None or norm.running_var is None:
        raise InvalidInputError(f"`statistics`: the layer {name!r} keeps no running statistics; expected a batch")
    return BatchStatistics(norm.running_mean.double(), norm.running_var.double(), 0)


def _fixed(copied: nn.Module, name: str, norm: _BatchNorm, found: BatchStatistics, before: str | None) -> nn.Module:
    """What takes the place of a batch-norm layer."""
    if len(found.mean) != norm.num_features or len(found.variance) != norm.num_features:
        raise InvalidInputError(f"`statistics`: {name!r} got {len(found.mean)} channels; expected {norm.num_features}")
    if float((found.variance + norm.eps).min()) <= 0:
        raise InvalidInputError(f"`statistics`: {name!r} divides by zero: a channel has no variance, nor an epsilon")
    own = next((p for p in copied.parameters() if p.is_floating_point()), torch.zeros(()))
    mean, variance = (part.to(own.device).double() for part in (found.mean, found.variance))
    if before is not None:
        return absorb(affine_layers(copied)[before], norm, mean, variance)
    gamma, beta = affine_of(norm, own.device)
    scale = gamma / (variance + norm.eps).sqrt()
    return ChannelScale(scale.to(own.dtype), (beta - mean * scale).to(own.dtype))


def _with(copied: nn.Module, replaced: Mapping[int, nn.Module]) -> nn.Module:
    """The module with some of its parts replaced, under every name that they have."""
    if id(copied) in replaced:
        return replaced[id(copied)].eval()
    for name, child in list(copied.named_modules(remove_duplicate=False)):
        if id(child) in replaced:
            path, _, last = name.rpartition(".")
            setattr(copied.get_submodule(path), last, replaced[id(child)].eval())
    return copied
