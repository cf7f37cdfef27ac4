"""Which batch-norm layers directly follow a linear or convolutional layer, so that they can be folded into it."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

from splinescope.errors import InvalidInputError
from splinescope.initialization.modules import AFFINE, AffineLayer


def layers_before(module: nn.Module) -> dict[str, str]:
    """For each batch-norm layer the layer that alone it follows, and that feeds nothing else.

    The module is traced symbolically. Where that fails nothing is found, which is always safe.

    Args:
        module: A private copy of a module.

    Returns:
        Name of the layer by name of the batch-norm layer.
    """
    try:
        nodes = torch.fx.Tracer().trace(module).nodes
    except Exception:  # noqa: BLE001 - the user's code, run on stand-ins for tensors
        return {}
    modules = dict(module.named_modules(remove_duplicate=False))
    calls = Counter(id(modules[str(node.target)]) for node in nodes if node.op == "call_module")
    read = [str(node.target) for node in nodes if node.op == "get_attr"]
    found = {}
    for node in nodes:
        before = node.args[0] if node.op == "call_module" and node.args else None
        if not isinstance(before, torch.fx.Node) or before.op != "call_module" or len(before.users) != 1:
            continue
        norm, layer = modules[str(node.target)], modules[str(before.target)]
        alone = calls[id(norm)] == 1 == calls[id(layer)] and not any(r.startswith(f"{before.target}.") for r in read)
        if isinstance(norm, _BatchNorm) and alone and _is_plain(layer, norm):
            found[str(node.target)] = str(before.target)
    return found


def _is_plain(layer: nn.Module, norm: _BatchNorm) -> bool:
    """Whether a layer has weights of its own, not ones computed from others, one row for each channel of the norm."""
    weight = layer._parameters.get("weight")
    return type(layer) in AFFINE and weight is not None and len(weight) == norm.num_features


def absorb(layer: AffineLayer, norm: _BatchNorm, mean: Tensor, variance: Tensor) -> nn.Module:
    """Fold the affine map of a batch-norm layer into the layer before it.

    Args:
        layer: The linear or convolutional layer; it gets new weights.
        norm: The batch-norm layer.
        mean: [channels] mean that it subtracts.
        variance: [channels] variance by which it divides.

    Returns:
        What takes the norm's place.
    """
    gamma, beta = affine_of(norm, mean.device)
    weight, bias = layer.weight.double(), None if layer.bias is None else layer.bias.double()
    fuse = fuse_linear_bn_weights if isinstance(layer, nn.Linear) else fuse_conv_bn_weights
    new = fuse(weight, bias, mean.double(), variance.double(), norm.eps, gamma, beta)
    kind = layer.weight.dtype
    layer.weight, layer.bias = (nn.Parameter(p.detach().to(kind), requires_grad=False) for p in new)
    return Vectors() if isinstance(layer, nn.Linear) else nn.Identity()


def affine_of(norm: _BatchNorm, device: torch.device) -> tuple[Tensor, Tensor]:
    """Factor and offset of a batch-norm layer, in float64.

    Args:
        norm: The layer.
        device: Where they are wanted.

    Returns:
        [channels] gamma and beta; ones and zeros if it has none.
    """
    gamma, beta = torch.ones(norm.num_features), torch.zeros(norm.num_features)
    if norm.affine:
        gamma, beta = norm.weight.detach(), norm.bias.detach()
    return gamma.to(device).double(), beta.to(device).double()


class Vectors(nn.Identity):
    """Stands where a batch-norm layer was folded into a linear layer: channels have to be the last axis there."""

    def forward(self, x: Tensor) -> Tensor:
        """The input itself.

        Args:
            x: [N, features].

        Returns:
            The same.

        Raises:
            InvalidInputError: If there are more axes, of which batch-norm takes the second for its channels.
        """
        if x.ndim != 2:
            raise InvalidInputError(
                f"`x`: the batch-norm after a linear layer was folded into it for inputs [N, features]; got the shape "
                f"{tuple(x.shape)}, where the channels are not the features"
            )
        return x


class ChannelScale(nn.Module):
    """Multiplies each channel, the second axis, by a fixed factor and adds an offset.

    Args:
        scale: [channels] factors.
        shift: [channels] offsets.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)

    def forward(self, x: Tensor) -> Tensor:
        """The scaled input.

        Args:
            x: [N, channels, *sizes].

        Returns:
            The same shape.
        """
        shape = (1, -1, *(1,) * (x.ndim - 2))
        return x * self.scale.reshape(shape) + self.shift.reshape(shape)
