"""The command `sample`: what a generator makes, by a law that knows the volume it gives to its latents."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import typer

from splinescope.cli import options as of
from splinescope.cli.latent_inputs import ends_given, latent_shape
from splinescope.cli.run import Facts, Files, Run, drawing, nothing_left, title_of
from splinescope.cli.values import shape_of
from splinescope.errors import InvalidInputError
from splinescope.storage import write_arrays

if TYPE_CHECKING:
    import torch
    from torch import nn

    from splinescope.generative import Drawn, ManifoldSamples, Prior, VolumeSampler
    from splinescope.generative.samples import LatentSamples
    from splinescope.network import Network
    from splinescope.tessellation.domains import Domain

Rho = Annotated[
    float,
    of.ask(
        metavar="R",
        help="Latents are drawn by volume to this power: 0 is the generator's own law, 1 is uniform on the manifold "
        "(for a uniform prior, or with `--base uniform`), negative numbers prefer modes.",
    ),
]
Number = Annotated[int, of.ask(metavar="N", min=1, help="How many to draw.")]
PriorName = Annotated[
    Literal["gaussian", "box", "ball"],
    of.ask(help="Law of the latents: Gaussian, or uniform in a box or in a ball around 0."),
]
Scale = Annotated[
    float, of.ask(metavar="S", help="Standard deviation of a Gaussian prior, half side of the box, radius of the ball.")
]
Cut = Annotated[float | None, of.ask(metavar="R", help="Length beyond which a Gaussian prior has no latents.")]
Base = Annotated[
    Literal["prior", "uniform"],
    of.ask(help="`uniform`: divide weights by the prior's density, so that rho 1 is uniform whatever the prior."),
]
Way = Annotated[
    Literal["pool", "rejection", "metropolis", "exact"],
    of.how(
        help="Draw from a pool of weighed latents; or fresh latents by rejection or a Metropolis-Hastings chain; or "
        "exactly, cell by cell, for one to three latents in a box."
    ),
]
PoolSize = Annotated[
    int,
    of.how("--pool", metavar="N", min=1, help="Latents whose volume is computed; the source's programs take 250000."),
]
Replacement = Annotated[
    bool, of.how("--replacement/--no-replacement", help="Whether a latent of the pool may be drawn twice.")
]
Method = Annotated[
    Literal["auto", "gram", "svd", "affine", "sketch"],
    of.how(help="How volumes are computed, see the page on generators."),
]
Top = Annotated[int | None, of.how(metavar="K", min=1, help="Take the K largest singular values only: a heuristic.")]
Label = Annotated[
    int | None,
    of.ask(
        "--label", metavar="K", min=0, help="Class that a module is given after the latents, one whole number for each."
    ),
]
Layer = Annotated[
    str | None,
    of.ask("--layer", metavar="NAME", help="Node at which the generator ends, where more follows; `info` lists them."),
]
Condition = Annotated[
    list[str] | None,
    of.ask(
        metavar="PLACE=NUMBER",
        help="A number of the input that is a condition, such as a class, and no latent: 0=0.5; once for each.",
    ),
]
OutputShape = Annotated[
    str | None, of.draw(metavar="N,N,...", help="Shape of one output as it is drawn, such as 3,32,32 or 64,2.")
]
Seed = Annotated[int, of.how(min=0, help="Seed of everything random.")]


def sample(
    generator: Annotated[
        str, typer.Argument(metavar="GENERATOR", help=of.MODEL_HELP, show_default=False, callback=of.present_model)
    ],
    rho: Rho = 1.0,
    number: Number = 64,
    prior: PriorName = "gaussian",
    scale: Scale = 1.0,
    cut: Cut = None,
    condition: Condition = None,
    label: Label = None,
    layer: Layer = None,
    base: Base = "prior",
    way: Way = "pool",
    pool: PoolSize = 10_000,
    replacement: Replacement = True,
    method: Method = "auto",
    top: Top = None,
    seed: Seed = 0,
    picture: of.Picture = True,
    output_shape: OutputShape = None,
    out: of.Out = Path("sample"),
    weights: of.Weights = None,
    trust: of.Trust = False,
    input_shape: of.InputShape = None,
    output: of.OutputNameOnly = None,
    fixed: of.Fixed = None,
    force: of.Force = False,
    as_json: of.Json = False,
) -> None:
    """Draw from GENERATOR by the volume that it gives to its latents: uniform on its manifold, modes or anti-modes.

    Any differentiable module will do; what is exact needs a continuous piecewise affine one.

    **Classes and other conditions.** A module that takes a class after the latents is given it by `--label`, one for
    each call; an input of its own is given by `--fixed`, numbers of the one input by `--condition`.

    **What it leaves.** In the folder of `--out`: `samples.npz` (`outputs`, `latents`, `log_volumes`), `picture.png`
    where outputs are images, outlines or points of the plane, `summary.json` with the effective sample size, and
    `pool`, the weighed latents. They are written as they come: what Ctrl-C interrupts goes on when the command is
    given again, and another `--rho` with `--force` uses the same pool.

    **Examples.**

    `splinescope sample gan.py:Generator --weights gan.pt --rho 1 --number 64 --prior gaussian --out uniform`

    `splinescope sample net.npz --rho -1 --prior box --way exact`

    `splinescope sample cgan.onnx --condition 0=0.5 --layer ConvTranspose_13 --out near`

    `splinescope sample gan.py:Conditional --weights gan.pt --input-shape 100 --label 3 --out threes`
    """
    from splinescope.cli.models import read_generator
    from splinescope.network import Network

    run = Run(out, generator, as_json, force)
    model = read_generator(generator, weights, input_shape, trust=trust, output=output, fixed=fixed)
    model, shape = ends_given(model, latent_shape(model, input_shape), layer, condition)
    if way == "pool" and not replacement and number > pool:
        raise InvalidInputError(f"`--number`: got {number}; expected at most {pool}, the pool, without replacement")
    if way == "exact":
        _nothing_of_a_pool(method, top, replacement)
    asked = Asked(rho, number, base, way, pool, replacement, method, top, seed, _label(label, model, way))
    law = _law(prior, scale, cut, math.prod(shape))
    drawn_as = shape_of("--output-shape", output_shape)
    _look(model, shape, asked, drawn_as)
    drawn: LatentSamples
    with run.computing() as progress, nothing_left(out):
        if way == "exact":
            if prior != "box" or cut is not None:
                raise InvalidInputError(f"`--way exact`: got `--prior {prior}`; expected `--prior box`, without a cut")
            drawn, facts, certificate = _exact(model, shape, scale, asked, progress)
        else:
            _same_pool(out / "pool", force, partial(_sampler, model, law, shape, asked, out / "pool", progress))
            drawn, facts = _pooled(_sampler(model, law, shape, asked, out / "pool", progress), asked)
            certificate = None
    law_facts = {
        "prior": {"kind": prior, "scale": scale, "cut": cut},
        "condition": condition,
        "label": label,
        "fixed": fixed,
    }
    facts = {**law_facts, **facts, **_facts(drawn, asked, shape)}
    files = _files(drawn, picture, drawn_as, f"{title_of(generator)}: $\\rho$ = {rho:g}")
    run.leave(model if isinstance(model, Network) else None, certificate, facts, files, _lines)


@dataclass(frozen=True)
class Asked:
    """The options of the draw."""

    rho: float
    number: int
    base: str
    way: str
    pool: int
    replacement: bool
    method: str
    top: int | None
    seed: int
    label: int | None


def _label(label: int | None, model: nn.Module | Network, way: str) -> int | None:
    """The class, where it can be given."""
    from splinescope.network import Network

    if label is not None and (isinstance(model, Network) or way == "exact"):
        raise InvalidInputError("`--label`: only modules of Python code take one, and no exact way; see `--fixed`")
    return label


def _look(model: nn.Module | Network, shape: tuple[int, ...], asked: Asked, drawn_as: tuple[int, ...] | None) -> None:
    """See that the generator runs, and that its outputs are of a shape, before anything is computed."""
    from splinescope.network.differentials import DifferentiableMap

    if asked.top is not None and asked.top > math.prod(shape):
        raise InvalidInputError(f"`--top`: got {asked.top}; expected from 1 to {math.prod(shape)}, the latents")
    labels = None if asked.label is None else _labels(asked.label, 1, np.random.default_rng(0))
    zero = np.zeros((1, *shape))
    found = DifferentiableMap.of(model, zero, affine=False, condition=labels, names=("GENERATOR", "latents"))
    if drawn_as is not None and math.prod(drawn_as) != found.outputs:
        raise InvalidInputError(f"`--output-shape`: got {drawn_as}; one output has {found.outputs} numbers")


def _labels(label: int, number: int, _rng: np.random.Generator) -> torch.Tensor:
    import torch

    return torch.full((number,), label)


def _law(kind: str, scale: float, cut: float | None, dimension: int) -> Prior:
    from splinescope.generative import Gaussian, UniformBall, UniformBox

    if not 0 < scale < math.inf:
        raise InvalidInputError(f"`--scale`: got {scale}; expected a positive number")
    if cut is not None and not 0 < cut < math.inf:
        raise InvalidInputError(f"`--cut`: got {cut}; expected a positive number")
    if cut is not None and kind != "gaussian":
        raise InvalidInputError(f"`--cut`: only a Gaussian prior is cut off; got `--prior {kind}`")
    if kind == "gaussian":
        return Gaussian(dimension, scale, cut)
    return UniformBall(dimension, scale) if kind == "ball" else UniformBox((-scale,) * dimension, (scale,) * dimension)


def _nothing_of_a_pool(method: str, top: int | None, replacement: bool) -> None:
    """Refuse options that exact draws have no use for."""
    given = {"--method": method != "auto", "--top": top is not None, "--no-replacement": not replacement}
    for name in (name for name, there in given.items() if there):
        raise InvalidInputError(f"`{name}`: exact draws take no such option; expected `--way pool`")


def _same_pool(folder: Path, force: bool, sampler: Callable[[], VolumeSampler]) -> None:
    """Remove the pool of another question where results may be overwritten, else refuse it."""
    from splinescope.errors import StoreError

    try:
        sampler().check_store()
    except StoreError as error:
        if not force:
            raise InvalidInputError(
                f"`--out`: {folder} is the pool of another generator, prior or seed; give another folder, or `--force`"
            ) from error
        shutil.rmtree(folder)


def _sampler(
    model: nn.Module | Network, law: Prior, shape: tuple[int, ...], asked: Asked, store: Path, progress: bool
) -> VolumeSampler:
    from splinescope.generative import VolumeSampler

    return VolumeSampler(
        model,
        law,
        asked.rho,
        base=asked.base,
        pool=asked.pool,
        latent_shape=shape,
        method=asked.method,
        top=asked.top,
        condition=None if asked.label is None else partial(_labels, asked.label),
        seed=asked.seed,
        store=store,
        progress=progress,
    )


def _pooled(sampler: VolumeSampler, asked: Asked) -> tuple[Drawn, Facts]:
    if asked.way == "rejection":
        drawn = sampler.rejection(asked.number)
    elif asked.way == "metropolis":
        drawn = sampler.metropolis(asked.number)
    else:
        drawn = sampler.sample(asked.number, replacement=asked.replacement)
    logs = sampler.log_weights
    weights, used = np.exp(logs), np.isfinite(sampler.log_volumes)
    facts = {
        "pool": asked.pool,
        "rank_deficient": int((~used).sum()),
        "effective_sample_size": drawn.effective_sample_size,
        "accepted": drawn.accepted,
        "expected_log_volume": float(weights[weights > 0] @ sampler.log_volumes[weights > 0]),
        "pool_log_volume": _spread(sampler.log_volumes[used]),
    }
    return drawn, facts


def _exact(
    model: nn.Module | Network, shape: tuple[int, ...], half: float, asked: Asked, progress: bool
) -> tuple[ManifoldSamples, Facts, Any]:
    from splinescope.generative import entropy, expected_log_volume, volume
    from splinescope.generative import sample as exact_sample
    from splinescope.network import as_network
    from splinescope.tessellation import Box, Segment, Slice, tessellate

    network = as_network(model, shape, "generator")
    low, high = np.full(shape, -half), np.full(shape, half)
    dimension = math.prod(shape)
    if dimension > 3:
        raise InvalidInputError(f"`--way exact`: the generator has {dimension} latents; expected one to three")
    domain: Domain = (
        Segment(low, high) if dimension == 1 else Slice.box(low, high) if dimension == 2 else Box(low, high)
    )
    cells = tessellate(network, domain, progress=progress)
    drawn = exact_sample(cells, asked.number, asked.rho, asked.seed)
    facts = {
        "cells": len(cells),
        "volume": volume(cells),
        "entropy": entropy(cells),
        "expected_log_volume": expected_log_volume(cells, asked.rho),
        "effective_sample_size": float(asked.number),
    }
    return drawn, facts, cells.certificate


def _facts(drawn: Drawn | ManifoldSamples, asked: Asked, shape: tuple[int, ...]) -> Facts:
    logs = drawn.log_volumes[np.isfinite(drawn.log_volumes)]
    return {
        "rho": asked.rho,
        "base": asked.base,
        "way": asked.way,
        "number": len(drawn),
        "replacement": asked.replacement if asked.way == "pool" else True,
        "latent_shape": list(shape),
        "output_shape": list(drawn.outputs.shape[1:]),
        "distinct": len(np.unique(drawn.latents, axis=0)),
        "log_volume": _spread(logs),
        "method": asked.method,
        "top": asked.top,
        "seed": asked.seed,
    }


def _spread(values: np.ndarray) -> dict[str, float | None]:
    if not len(values):
        return {"mean": None, "deviation": None}
    return {"mean": float(values.mean()), "deviation": float(values.std())}


def _files(drawn: Drawn | ManifoldSamples, picture: bool, shape: tuple[int, ...] | None, title: str) -> Files:
    from splinescope.plotting.samples import plot_samples, sample_kind

    arrays = {name: getattr(drawn, name) for name in ("outputs", "latents", "log_volumes")}
    files: Files = {"samples": ("samples.npz", lambda path: write_arrays(path, arrays, compress=True))}
    shape = drawn.outputs.shape[1:] if shape is None else shape
    if picture and sample_kind(shape) is not None:
        images = drawn.outputs.reshape(len(drawn), *shape)
        files["picture"] = ("picture.png", drawing(lambda: plot_samples(images, title=title)))
    return files


def _lines(facts: Facts) -> dict[str, str]:
    """The main facts, for people."""
    size = "all of them: exact, independent draws"
    if facts["way"] != "exact":
        whole = {"pool": f"a pool of {facts['pool']:,}", "rejection": f"{facts['number']:,}, drawn afresh"}
        of_what = whole.get(facts["way"], f"{facts['number']:,} states of a chain")
        size = f"{facts['effective_sample_size']:,.1f} of {of_what}"
    lines = {
        "drawn": f"{facts['number']:,} by rho = {facts['rho']:g} in {facts['seconds']:.2f} s, "
        f"{facts['distinct']:,} of them different",
        "effective sample size": size,
    }
    logs = facts["log_volume"]
    if logs["mean"] is not None:
        lines["log volume"] = f"mean {logs['mean']:.4g}, deviation {logs['deviation']:.3g}"
    if facts.get("rank_deficient"):
        lines["rank-deficient"] = f"{facts['rank_deficient']:,} latents of the pool have volume 0; see `--top`"
    if "volume" in facts:
        lines["manifold"] = (
            f"volume {facts['volume']:.9g} on {facts['cells']:,} cells, entropy {facts['entropy']:.6g} nats"
        )
    return lines
