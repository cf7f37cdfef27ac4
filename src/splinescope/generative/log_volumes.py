r"""Volume that a generator gives to each latent, $\log\sqrt{\det J^T J}$ with $J$ its Jacobian there.

Everything is in the logarithm, so that nothing overflows or has to be clipped.

Source: Humayun, Balestriero, Baraniuk, "MaGNET" (ICLR 2022), equation 10. The released program forms the Jacobian of a
projected output and clips the product of its leading singular values to [1e-200, 1e200]; see `sketch_bias` and `top`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import polygamma, psi

from splinescope.errors import InvalidInputError
from splinescope.generative.jacobians import latent_map
from splinescope.network.differentials import DifferentiableMap
from splinescope.network.importers.module_copy import working_copy
from splinescope.tessellation.metric import check_choice

METHODS = ("auto", "gram", "svd", "affine", "sketch")
SKETCH = 128
"""Dimensions of a sketch, as in the source's program, where latents don't ask for more."""

_RESOLUTION = {torch.float64: 2.0**-44, torch.float32: 2.0**-17}
"""A Jacobian whose least singular value is at most this share of its largest counts as rank-deficient."""


_AMPLIFIED = 64.0
"""Roundings, for each dimension, that a pivot has of those before it, over the least of these."""

_HOPELESS = 0.9
"""Share of latents from which no more Gram matrices are tried."""


@dataclass(frozen=True)
class SketchBias:
    """What a random orthonormal projection of the outputs does to log volumes.

    For a generator with d latents and n outputs, the squared factor by which a projection to k dimensions shrinks a
    d-dimensional volume is a product of independent Beta((k - i)/2, (n - k)/2), i = 0, ..., d - 1, whatever the
    generator: so the bias is known.

    Attributes:
        mean: Mean of the projected log volume minus the full one; `log_volume` takes it off.
        deviation: Its standard deviation, which is left as the error. One projection serves all latents.
        measured: Mean difference that was found on a sample, before the mean is taken off; None if not measured.
    """

    mean: float
    deviation: float
    measured: float | None = None


def log_volume(
    generator: Any,
    latents: Any,
    method: str = "auto",
    top: int | None = None,
    *,
    sketch: int | None = None,
    seed: int = 0,
    condition: Any = None,
) -> Float[np.ndarray, " n"]:
    r"""Logarithm of the volume that a generator gives to each latent: $\frac12\log\det J^TJ$.

    Args:
        generator: A module, any differentiable function of a batch of latents, a network or the path of one. Modules
            are evaluated in eval mode, in their own type and on their own device, and are left as they are.
        latents: [n, *latent_shape] latents, off the folds.
        method: "svd" takes singular values of Jacobians. "gram" factors $J^TJ$, which is quicker and loses half of the
            digits: what it finds badly conditioned is taken anew by "svd". "affine" imports the generator and takes the
            affine map of each latent's cell, before the head, in float64. "sketch" projects outputs to `sketch`
            dimensions first and takes the known bias off (see `sketch_bias`). "auto" is "affine" for networks without a
            head, and "gram", through the head, for all else; modules of float32 are asked again in float64 where they
            seem rank-deficient.
        top: Sum the logarithms of the leading singular values only: a heuristic of the source for latents of high
            dimension.
        sketch: Dimensions of a sketch; by default 128, or twice the latents' if that is more.
        seed: Of the sketch's projection.
        condition: Given to the generator after the latents, such as a class for each; None for none.

    Returns:
        One number each; -inf where the Jacobian is rank-deficient (least singular value at most 2^-44 of the largest
        in float64, 2^-17 in float32), which it is everywhere if there are fewer outputs than latents. Cost: one
        forward pass for each latent and dimension, in bounded memory.

    Raises:
        InvalidInputError: If an argument is none of what is expected, or the generator cannot be differentiated.

    Example:
        >>> log_volume(torch.nn.Linear(2, 3).double(), np.zeros((5, 2))).shape
        (5,)
    """
    check_choice("method", method, METHODS)
    map_ = latent_map(generator, latents, method, condition)
    if top is not None and not 1 <= top <= map_.dimension:
        raise InvalidInputError(f"`top`: got {top}; expected from 1 to {map_.dimension}, the dimension of the latents")
    if method == "sketch":
        return _sketched(map_, _sketch_size(sketch, map_), top, seed)
    again = method == "auto" and _is_single(generator, map_)
    logs = _all_logs(map_, top, gram=method != "svd", settle=not again)
    doubtful = np.flatnonzero(~(logs > -np.inf))
    if again and len(doubtful):
        few = None if condition is None else condition[torch.from_numpy(doubtful)]
        twice = latent_map(working_copy(generator).double(), map_.shaped(doubtful).double(), "svd", few)
        logs[doubtful] = _all_logs(twice, top, gram=twice.chain is not None)
    if np.isnan(logs).any():
        first = int(np.flatnonzero(np.isnan(logs))[0])
        raise InvalidInputError(f"`generator`: its Jacobian is not finite at latent {first}; expected finite slopes")
    return logs


def singular_values(
    generator: Any, latents: Any, top: int | None = None, *, condition: Any = None
) -> Float[np.ndarray, "n k"]:
    """Singular values of a generator's Jacobian at each latent, largest first.

    Args:
        generator: As in `log_volume`.
        latents: [n, *latent_shape] latents.
        top: How many; all if None.
        condition: As in `log_volume`.

    Returns:
        One row for each latent. Cost: that of `log_volume` with "svd".

    Raises:
        InvalidInputError: As `log_volume`.

    Example:
        >>> singular_values(torch.nn.Identity(), np.zeros((1, 2))).tolist()
        [[1.0, 1.0]]
    """
    map_ = latent_map(generator, latents, "svd", condition)
    count = min(top or map_.dimension, map_.dimension, map_.outputs)
    found, start = np.zeros((len(map_.points), count)), 0
    for J in map_.jacobians():  # of fewer rows where a layer is narrower; the other singular values are 0 then
        if not J.isfinite().all():
            raise InvalidInputError("`generator`: its Jacobian is not finite at some latents; expected finite slopes")
        values = torch.linalg.svdvals(J).double().cpu().numpy()[:, :count]
        found[start : start + len(values), : values.shape[1]] = values
        start += len(values)
    return found


def sketch_bias(outputs: int, sketch: int, latents: int) -> SketchBias:
    r"""What a projection of outputs to a random subspace does to log volumes, in closed form.

    Args:
        outputs: Number of outputs, n.
        sketch: Dimension of the subspace, k.
        latents: Dimension of the latents, d.

    Returns:
        Mean $\frac12\sum_{i<d}\psi(\frac{k-i}2)-\psi(\frac{n-i}2)$ and deviation. Cost: linear in the
        dimension of the latents.

    Raises:
        InvalidInputError: If not d <= k <= n.

    Example:
        >>> sketch_bias(100, 100, 3).mean
        0.0
    """
    if not 1 <= latents <= sketch <= outputs:
        raise InvalidInputError(
            f"`sketch`: got {sketch}; expected from {latents}, the dimension of the latents, to {outputs} outputs"
        )
    i = np.arange(latents)
    low, high = (sketch - i) / 2, (outputs - i) / 2
    mean = 0.5 * float(np.sum(psi(low) - psi(high)))
    return SketchBias(mean, 0.5 * math.sqrt(max(0.0, float(np.sum(polygamma(1, low) - polygamma(1, high))))))


def measured_bias(generator: Any, latents: Any, sketch: int | None = None, seed: int = 0) -> SketchBias:
    """The bias of a sketch in closed form, and as it is found on a sample of latents.

    Args:
        generator: As in `log_volume`.
        latents: [n, *latent_shape] latents.
        sketch: Dimensions of the sketch.
        seed: Of its projection.

    Returns:
        The bias with what was measured. Cost: that of `log_volume` with "svd" and with "sketch".

    Raises:
        InvalidInputError: As `log_volume`.

    Example:
        >>> found = measured_bias(torch.nn.Linear(2, 50), np.zeros((3, 2)), sketch=20)
        >>> abs(found.measured - found.mean) < 5 * found.deviation
        True
    """
    map_ = latent_map(generator, latents, "sketch", None)
    bias = sketch_bias(map_.outputs, _sketch_size(sketch, map_), map_.dimension)
    full = log_volume(generator, latents, "svd")
    seen = np.isfinite(full)
    projected = log_volume(generator, latents, "sketch", sketch=sketch, seed=seed) + bias.mean
    return SketchBias(bias.mean, bias.deviation, float(np.mean((projected - full)[seen])))


def _all_logs(map_: DifferentiableMap, top: int | None, gram: bool, settle: bool = True) -> np.ndarray:
    """Log volumes at all points of a map; where these are doubtful and need not be settled, -inf or NaN."""
    if map_.chain is not None and gram and top is None and map_.outputs >= map_.dimension:
        return _chain_logs(map_, settle)
    return np.concatenate([np.empty(0), *(_logs(J, top, gram) for J in map_.jacobians())])


def _chain_logs(map_: DifferentiableMap, settle: bool) -> np.ndarray:
    """Log volumes of a chain by Gram matrices; what these don't tell by singular values, all if they tell little."""
    assert map_.chain is not None
    logs = np.full(len(map_.points), np.nan)
    start = 0
    for gram in map_.chain.grams(map_.points):
        found, doubtful = _factored(gram.matrices, gram.sizes.double())
        stop = start + len(found)
        logs[start:stop] = np.where(doubtful.cpu().numpy(), np.nan, found.cpu().numpy())
        start = stop
        if np.isnan(logs[:stop]).mean() > _HOPELESS:
            break
    rest = np.flatnonzero(np.isnan(logs))
    if settle and len(rest):
        points = map_.points[torch.from_numpy(rest)]
        logs[rest] = np.concatenate([_by_values(J, None) for J in map_.chain.jacobians(points)])
    return logs


def _logs(J: torch.Tensor, top: int | None, gram: bool) -> np.ndarray:
    """Log volumes from Jacobians."""
    n, outputs, d = J.shape
    if top is None and outputs < d:
        return np.full(n, -np.inf)
    if top is not None or not gram:
        return _by_values(J, top)
    scale = J.abs().amax(dim=(1, 2)).double()
    scale = torch.where((scale > 0) & scale.isfinite(), scale, 1.0)
    J = J / scale.to(J.dtype)[:, None, None]
    matrices = torch.bmm(J.mT, J)
    logs, doubtful = _factored(matrices, matrices.diagonal(dim1=1, dim2=2).amax(dim=1).double())
    found = (logs + d * scale.log()).cpu().numpy()
    if bool(doubtful.any()):
        rows = doubtful.cpu().numpy()
        found[rows] = _by_values(J[doubtful], None) + d * np.log(scale.cpu().numpy()[rows])
    return found


def _factored(matrices: torch.Tensor, sizes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Half the logarithms of determinants of Gram matrices, and which of them rounding makes doubtful."""
    d, eps = matrices.shape[1], torch.finfo(matrices.dtype).eps
    sizes = torch.where((sizes > 0) & sizes.isfinite(), sizes, 1.0)
    factor, failed = torch.linalg.cholesky_ex(matrices / sizes.to(matrices.dtype)[:, None, None])
    diagonal = factor.diagonal(dim1=1, dim2=2).double()
    # pivots of the Gram matrix carry errors of its largest entry's rounding: small ones are not known
    # and those behind another small one even less, by which what they are made of was divided
    squares = diagonal**2
    largest = squares.amax(dim=1, keepdim=True).clamp_min(1.0)
    before = torch.cat([largest, squares[:, :-1]], dim=1).cummin(dim=1).values
    known = (squares > d * eps * largest * (_AMPLIFIED * largest / before).clamp_min(1e4)).all(dim=1)
    doubtful = (failed != 0) | ~known
    return diagonal.log().sum(dim=1) + 0.5 * d * sizes.log(), doubtful


def _by_values(J: torch.Tensor, top: int | None) -> np.ndarray:
    """Log volumes from singular values; NaN where a Jacobian is not finite."""
    finite = J.isfinite().all(dim=2).all(dim=1)
    J = torch.where(finite[:, None, None], J, 0.0)
    upper = torch.linalg.qr(J, mode="r")[1] if J.shape[1] > 2 * J.shape[2] else J
    values = torch.linalg.svdvals(upper)
    wanted = J.shape[2] if top is None else top
    kept = values[:, :wanted]
    if kept.shape[1] < wanted:  # all others are 0
        logs = torch.full((len(J),), -torch.inf, dtype=torch.float64, device=J.device)
    else:
        known = kept[:, -1] > _RESOLUTION.get(J.dtype, _RESOLUTION[torch.float32]) * values[:, 0]
        logs = torch.where(known, kept.double().log().sum(dim=1), -torch.inf)
    return torch.where(finite, logs, torch.nan).cpu().numpy()


def _is_single(generator: Any, map_: DifferentiableMap) -> bool:
    """Whether a generator is a module of float32."""
    if not isinstance(generator, torch.nn.Module) or map_.points.dtype != torch.float32:
        return False
    return any(parameter.dtype == torch.float32 for parameter in generator.parameters())


def _sketch_size(sketch: int | None, map_: DifferentiableMap) -> int:
    wanted = max(SKETCH, 2 * map_.dimension) if sketch is None else sketch
    return min(wanted, map_.outputs) if sketch is None else wanted


def _sketched(map_: DifferentiableMap, size: int, top: int | None, seed: int) -> np.ndarray:
    """Log volumes from projected Jacobians, without the known bias."""
    bias = sketch_bias(map_.outputs, size, map_.dimension if top is None else top)
    z = map_.points
    random = torch.from_numpy(np.random.default_rng(seed).standard_normal((map_.outputs, size)))
    project = torch.linalg.qr(random)[0].T.to(dtype=z.dtype, device=z.device)
    return np.concatenate([np.empty(0), *(_by_values(J, top) - bias.mean for J in map_.jacobians(project))])
