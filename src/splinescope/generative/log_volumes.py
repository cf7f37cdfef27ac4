r"""Volume that a generator gives to each latent, $\log\sqrt{\det J^T J}$ with $J$ its Jacobian there.

Everything is in the logarithm, so that nothing overflows or has to be clipped.

Source: Humayun, Balestriero, Baraniuk, "MaGNET" (ICLR 2022), equation 10. The released program forms the Jacobian of a
projected output and clips the product of its leading singular values to [1e-200, 1e200]; see `sketch_bias` and `top`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from splinescope.errors import InvalidInputError
from splinescope.generative.jacobians import latent_map
from splinescope.generative.sketches import RandomProjection, SketchBias, sketch_bias
from splinescope.network.differentials import DifferentiableMap
from splinescope.network.importers.module_copy import working_copy
from splinescope.numerics import check_number
from splinescope.progress import Report, reporting
from splinescope.tessellation.metric import check_choice

METHODS = ("auto", "gram", "svd", "affine", "sketch")
SKETCH = 128
"""Dimensions of a sketch, as in the source's program, where latents don't ask for more."""

_RESOLUTION = {torch.float64: 2.0**-44, torch.float32: 2.0**-17}
"""A Jacobian whose least singular value is at most this share of its largest counts as rank-deficient."""


_AMPLIFIED = 0.0064
"""Roundings that a pivot has of those before it, over the least of these."""

_TOLERATED = {torch.float64: 2.0**-20, torch.float32: 2.0**-8}
"""Bound of the error of a log volume beyond which a Gram matrix does not tell it; errors are a tenth of it or less."""

_SQUARED = 2.0**30
"""Numbers up to this, and down to its inverse, can be squared and summed in any type."""

_ROUNDINGS = 2.0
"""Roundings of the largest number that a pivot of a Gram matrix has."""

_HOPELESS = 0.9
"""Share of latents from which no more Gram matrices are tried."""


def log_volume(
    generator: Any,
    latents: Any,
    method: str = "auto",
    top: int | None = None,
    *,
    sketch: int | None = None,
    seed: int = 0,
    condition: Any = None,
    progress: bool | Report = False,
) -> Float[np.ndarray, " n"]:
    r"""Logarithm of the volume that a generator gives to each latent: $\frac12\log\det J^TJ$.

    Args:
        generator: A module, any differentiable function of a batch of latents, a network or the path of one. Modules
            are evaluated in eval mode, in their own type and on their own device, and are left as they are.
        latents: [n, *latent_shape] latents, off the folds.
        method: "svd" takes singular values of Jacobians. "gram" factors $J^TJ$, which is quicker and loses half of the
            digits: where rounding may change a log volume by more than 2^-20 (2^-8 in float32) it is taken anew by
            "svd". "affine" imports the generator and takes the affine map of each latent's cell, before the head, in
            float64. "sketch" projects outputs to `sketch` dimensions first and takes the known bias off (see
            `sketch_bias`; with `top`, that of as many latents). "auto" is "affine" for networks without a head, and
            "gram", through the head, for all else; modules of float32 are asked again in float64 where they seem
            rank-deficient.
        top: Sum the logarithms of the leading singular values only: a heuristic of the source for latents of high
            dimension.
        sketch: Dimensions of a sketch; by default 128, or twice the latents' if that is more.
        seed: Of the sketch's projection.
        condition: Given to the generator after the latents, such as a class for each; None for none.
        progress: Whether to show a bar, or a function of the share and the number of latents.

    Returns:
        One number each; -inf where the Jacobian is rank-deficient (least singular value at most 2^-44 of the largest
        in float64, 2^-17 in float32), which it is everywhere if there are fewer outputs than latents. Cost: one
        forward pass for each latent and dimension, in the memory of some Jacobians; a twelfth of that for modules and
        networks that are plainly chains of dense layers, convolutions and elementwise functions, on the processor.

    Raises:
        InvalidInputError: If an argument is none of what is expected, the generator cannot be differentiated, or
            outputs or slopes are NaN or infinite.
        UnsupportedOpError: By the method "affine", if the generator is not piecewise affine up to its head.

    Example:
        >>> log_volume(torch.nn.Linear(2, 3).double(), np.zeros((5, 2))).shape
        (5,)
    """
    check_choice("method", method, METHODS)
    map_ = latent_map(generator, latents, method, condition)
    seed = check_number("seed", seed)
    top = None if top is None else check_number("top", top, 1, map_.dimension)
    with reporting(progress, "latents") as report:
        tell = _teller(report, len(map_.points))
        if method == "sketch":
            logs = _sketched(map_, _sketch_size(sketch, map_), top, seed, tell)
        else:
            logs = _full(generator, map_, method, top, condition, tell)
    if np.isnan(logs).any():
        raise _not_finite("Jacobian", int(np.flatnonzero(np.isnan(logs))[0]), "slopes")
    _check_outputs(map_)
    return logs


def _full(
    generator: Any, map_: DifferentiableMap, method: str, top: int | None, condition: Any, tell: Callable[[int], None]
) -> np.ndarray:
    """Log volumes of all outputs; NaN where Jacobians are not finite."""
    again = method == "auto" and _is_single(generator, map_)
    logs = _all_logs(map_, top, method != "svd", tell, settle=not again)
    doubtful = np.flatnonzero(~(logs > -np.inf))
    if again and len(doubtful):
        few = None if condition is None else condition[torch.from_numpy(doubtful)]
        twice = latent_map(working_copy(generator).double(), map_.shaped(doubtful).double(), "svd", few)
        logs[doubtful] = _all_logs(twice, top, twice.chain is not None, tell)
    return logs


def _teller(report: Report, total: int) -> Callable[[int], None]:
    """A function of how many more latents are settled."""
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        report(done / max(1, total), done)

    return tell


def _not_finite(what: str, first: int, expected: str) -> InvalidInputError:
    return InvalidInputError(f"`generator`: its {what} is not finite at latent {first}; expected finite {expected}")


def _check_outputs(map_: DifferentiableMap) -> None:
    """See that outputs are numbers: slopes alone don't tell, since an offset may be none."""
    first = map_.first_not_finite()
    if first is not None:
        raise _not_finite("output", first, "outputs")


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
    count = map_.dimension if top is None else check_number("top", top, 1, map_.dimension)
    count = min(count, map_.outputs)
    found, start = np.zeros((len(map_.points), count)), 0
    for J in map_.jacobians():  # of fewer rows where a layer is narrower; the other singular values are 0 then
        finite = J.isfinite().flatten(1).all(dim=1)
        if not bool(finite.all()):
            raise _not_finite("Jacobian", start + int((~finite).nonzero()[0]), "slopes")
        values = torch.linalg.svdvals(J).double().cpu().numpy()[:, :count]
        found[start : start + len(values), : values.shape[1]] = values
        start += len(values)
    _check_outputs(map_)
    return found


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


def _all_logs(
    map_: DifferentiableMap, top: int | None, gram: bool, tell: Callable[[int], None], settle: bool = True
) -> np.ndarray:
    """Log volumes at all points of a map; where these are doubtful and need not be settled, -inf or NaN."""
    if map_.chain is not None and gram and top is None and map_.outputs >= map_.dimension:
        return _chain_logs(map_, tell, settle)
    found = [np.empty(0)]
    for J in map_.jacobians():
        found.append(_logs(J, top, gram))
        tell(len(J) if settle else int((found[-1] > -np.inf).sum()))
    return np.concatenate(found)


def _chain_logs(map_: DifferentiableMap, tell: Callable[[int], None], settle: bool) -> np.ndarray:
    """Log volumes of a chain by Gram matrices; what these don't tell by singular values, all if they tell little."""
    assert map_.chain is not None
    logs = np.full(len(map_.points), np.nan)
    start = 0
    for gram in map_.chain.grams(map_.points):
        found, doubtful = _factored(gram.matrices, gram.sizes.double())
        stop = start + len(found)
        logs[start:stop] = np.where(doubtful.cpu().numpy(), np.nan, found.cpu().numpy())
        tell(int((~doubtful).sum()))
        start = stop
        if np.isnan(logs[:stop]).mean() > _HOPELESS:
            break
    rest = np.flatnonzero(np.isnan(logs))
    if settle and len(rest):
        start = 0
        for J in map_.chain.jacobians(map_.points[torch.from_numpy(rest)]):
            logs[rest[start : start + len(J)]] = _by_values(J, None)
            start += len(J)
            tell(len(J))
    return logs


def _logs(J: torch.Tensor, top: int | None, gram: bool) -> np.ndarray:
    """Log volumes from Jacobians."""
    n, outputs, d = J.shape
    if top is None and outputs < d:
        return np.full(n, -np.inf)
    if top is not None or not gram:
        return _by_values(J, top)
    scale = torch.maximum(J.amax(dim=(1, 2)), -J.amin(dim=(1, 2))).double()
    fits = (scale == 0) | ~scale.isfinite() | ((scale > 1 / _SQUARED) & (scale < _SQUARED))
    if bool(fits.all()):
        scale = torch.ones_like(scale)
    else:
        scale = torch.where(fits, 1.0, scale)
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
    errors = _ROUNDINGS * eps * largest / squares * (_AMPLIFIED * largest / before).clamp_min(1.0)
    doubtful = (failed != 0) | ~(errors.sum(dim=1) < _TOLERATED[matrices.dtype])
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
    wanted = max(SKETCH, 2 * map_.dimension) if sketch is None else check_number("sketch", sketch, 1)
    return min(wanted, map_.outputs) if sketch is None else wanted


def _sketched(
    map_: DifferentiableMap, size: int, top: int | None, seed: int, tell: Callable[[int], None]
) -> np.ndarray:
    """Log volumes from projected Jacobians, without the known bias."""
    bias = sketch_bias(map_.outputs, size, map_.dimension if top is None else top)
    projection = RandomProjection(map_.outputs, size, seed, map_.points[:0])
    found = [np.empty(0)]
    for J in map_.sketches(projection):
        found.append(_by_values(J, top) - bias.mean)
        tell(len(J))
    return np.concatenate(found)
