r"""Sampling from a generator of any dimension, with a law of latents that knows the volume which it gives them.

One convention: latents are drawn with density proportional to $v(z)^\rho\,b(z)$, where $v=\sqrt{\det J^TJ}$ and $b$ is
the prior's density or 1. So $\rho=0$ is the generator's own law, $\rho=1$ with $b=1$ is uniform on the manifold
(MaGNET), $\rho<0$ prefers modes and $\rho>1$ what is rarely made. This is the
convention of the source's program; its text writes
$\det(J^TJ)^{\rho'}$, which is $\rho=2\rho'$: see `from_determinant_power`.

Sources: Humayun, Balestriero, Baraniuk, "MaGNET" (ICLR 2022) and "Polarity sampling" (CVPR 2022).
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import logsumexp
from torch import Tensor, nn

from splinescope.errors import InvalidInputError, StoreError
from splinescope.generative.log_volumes import log_volume
from splinescope.generative.priors import Prior
from splinescope.network import Network, as_network
from splinescope.network.importers.module_copy import duplicate
from splinescope.progress import Report, reporting
from splinescope.storage import from_json, json_text, read_arrays, write_arrays
from splinescope.tessellation.metric import check_choice

POOL = 250_000
"""Latents of a pool, as in the source."""
CHUNK = 1_000
"""Latents that are taken at once, and kept as one part of a store."""
FEW = 0.01
"""Share of a pool that an effective sample size should reach; below it there is a warning."""


def from_determinant_power(power: float) -> float:
    r"""The exponent rho that means $\det(J^TJ)^{power}$, as the source's text writes weights: twice the power.

    Args:
        power: Exponent of the determinant.

    Returns:
        Exponent of the volume.

    Example:
        >>> from_determinant_power(0.5)
        1.0
    """
    return 2.0 * power


@dataclass(frozen=True, eq=False)
class Drawn:
    """Latents that a sampler drew.

    Attributes:
        latents: The latents; `numpy.asarray` gives them.
        outputs: Outputs of the generator, behind its head if it has one.
        log_volumes: Log volume at each.
        effective_sample_size: How many independent draws the weights are worth, of the pool or chain behind them.
        replacement: Whether one latent can occur twice.
        accepted: Share of proposals that were taken, of rejection and Metropolis-Hastings; None of a pool.
    """

    latents: Float[np.ndarray, "n d"]
    outputs: Float[np.ndarray, "n ..."]
    log_volumes: Float[np.ndarray, " n"]
    effective_sample_size: float
    replacement: bool
    accepted: float | None = None

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.latents)

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """The latents."""
        return np.array(self.latents, dtype=dtype) if copy else np.asarray(self.latents, dtype=dtype)


class VolumeSampler:
    r"""Draws latents with density proportional to $v^\rho$ times that of the prior, or $v^\rho$ alone.

    Log volumes of a pool of latents from the prior are computed once, when first needed: in chunks, with a bar, kept
    in a folder if one is given, from which an interrupted run goes on. All exponents share the pool.

    With `base="prior"` weights are $v^\rho$, so that $\rho=0$ gives the prior. With `base="uniform"` weights are
    $v^\rho/p$, divided by the prior's density $p$: then $\rho=1$ is uniform on the manifold whatever the prior. The
    released program never divides; for a uniform prior the two are the same. With a Gaussian prior, far latents have
    huge weights: look at `effective_sample_size`, and cut the prior off (`Gaussian(d, radius=...)`).

    Example:
        >>> from splinescope.generative.priors import UniformBox
        >>> sampler = VolumeSampler(torch.nn.ReLU(), UniformBox((-1.0, -1.0), (1.0, 1.0)), rho=1.0, pool=100)
        >>> bool((sampler.sample(5).latents > 0).all())  # only positive latents are not flattened
        True
    """

    def __init__(
        self,
        generator: Any,
        prior: Prior,
        rho: float = 1.0,
        *,
        base: str = "prior",
        pool: int = POOL,
        latent_shape: tuple[int, ...] | None = None,
        method: str = "auto",
        top: int | None = None,
        condition: Callable[[int, np.random.Generator], Any] | None = None,
        seed: int = 0,
        store: str | os.PathLike[str] | None = None,
        executor: Executor | None = None,
        progress: bool | Report = False,
    ) -> None:
        r"""Say what to sample; nothing is computed yet.

        Args:
            generator: A module, a function of a batch of latents, a network or the path of one.
            prior: Law of the latents, from `splinescope.generative.priors` or anything with its three names.
            rho: Exponent of the volume.
            base: "prior" or "uniform", see above.
            pool: Latents whose volume is computed.
            latent_shape: Shape of one latent as the generator takes it, such as (100, 1, 1); by default that of a
                network's input, else flat.
            method: How, see `log_volume`.
            top: Leading singular values only, see `log_volume`.
            condition: For conditional generators: from a number and a generator of random numbers to what is given to
                the generator after the latents, one row for each, as a tensor.
            seed: Of everything random.
            store: Folder in which the pool is kept, made if missing.
            executor: Where chunks are computed (anything with `submit`; generators must be picklable for processes);
                None for here.
            progress: Whether to show a bar, or a function of the share and the number of latents.

        Raises:
            InvalidInputError: If an argument is none of what is expected.
        """
        check_choice("base", base, ("prior", "uniform"))
        if not isinstance(prior, Prior):
            raise InvalidInputError(
                f"`prior`: got {type(prior).__name__}; expected one of `splinescope.generative.priors`, or anything "
                "with `dimension`, `draw` and `log_density`"
            )
        if not math.isfinite(rho):
            raise InvalidInputError(f"`rho`: got {rho}; expected a finite number")
        if pool < 1:
            raise InvalidInputError(f"`pool`: got {pool}; expected how many latents to weigh, at least 1")
        if not (callable(generator) or isinstance(generator, str | os.PathLike)):
            raise InvalidInputError(
                f"`generator`: got {type(generator).__name__}; expected a module, network or function"
            )
        self.prior, self.rho, self.base = prior, float(rho), base
        self.generator = (
            as_network(generator, (prior.dimension,), "generator")
            if isinstance(generator, str | os.PathLike)
            else generator
        )
        shape = self.generator.input_shape if isinstance(self.generator, Network) else (prior.dimension,)
        self._shape = tuple(shape if latent_shape is None else latent_shape)
        if math.prod(self._shape) != prior.dimension:
            raise InvalidInputError(
                f"`prior`: got latents of {prior.dimension} numbers; expected {math.prod(self._shape)}"
            )
        self._options = {"method": method, "top": top}
        self._condition, self._seed, self._size = condition, seed, pool
        self._store = None if store is None else Path(store)
        self._executor, self._progress = executor, progress
        self._found: tuple[np.ndarray, np.ndarray] | None = None

    def with_rho(self, rho: float, base: str | None = None) -> VolumeSampler:
        """The same sampler with another exponent, which shares the pool.

        Args:
            rho: Exponent.
            base: Another base, if not the same.

        Returns:
            The sampler.
        """
        self._pool()
        twin = self._twin(rho, base or self.base)
        twin._found = self._found
        return twin

    @property
    def latents(self) -> Float[np.ndarray, "pool d"]:
        """The pool."""
        return self._pool()[0]

    @property
    def log_volumes(self) -> Float[np.ndarray, " pool"]:
        """Log volume at each latent of the pool."""
        return self._pool()[1]

    @property
    def log_weights(self) -> Float[np.ndarray, " pool"]:
        """Logarithm of each latent's probability to be drawn, normalised.

        Raises:
            InvalidInputError: If no latent of the pool has volume and `rho` is positive.
        """
        latents, volumes = self._pool()
        return self._normalised(self._tilt(latents, volumes))

    @property
    def effective_sample_size(self) -> float:
        r"""How many equally likely latents the weights are worth, $1/\sum_i w_i^2$."""
        return float(np.exp(-logsumexp(2 * self.log_weights)))

    def sample(self, number: int, *, replacement: bool = True, seed: int | None = None) -> Drawn:
        """Draw from the pool.

        Args:
            number: How many.
            replacement: Whether a latent may be drawn twice. Without, draws are not from the law any more unless
                `number` is small beside the effective sample size; the source's program draws so.
            seed: Of the draw; the sampler's if None.

        Returns:
            Latents and outputs. Cost: the pool once, then one forward pass each.

        Raises:
            InvalidInputError: If there are fewer latents with weight than asked for without replacement.
        """
        logs = self.log_weights
        self._warn()
        rng = np.random.default_rng([self._seed if seed is None else seed, 1])
        if replacement:
            chosen = rng.choice(len(logs), number, p=np.exp(logs))
        else:
            if number > (possible := int(np.isfinite(logs).sum())):
                raise InvalidInputError(f"`number`: got {number}; expected at most {possible} without replacement")
            # the largest of independent Gumbel numbers plus log weights: draws one after the other, without replacement
            chosen = np.argsort(-(logs + rng.gumbel(size=len(logs))))[:number]
        return self._drawn(chosen, self.effective_sample_size, replacement)

    def rejection(self, number: int, *, seed: int | None = None, limit: int = 10_000) -> Drawn:
        """Draw fresh latents from the prior, each taken with its weight's share of the largest weight of the pool.

        Not bound to the pool. A weight above that of the pool's largest is taken as that, which is an error that
        shrinks with the pool.

        Args:
            number: How many.
            seed: Of the draw.
            limit: Rounds of 1,000 proposals after which it is given up.

        Returns:
            Latents and outputs.

        Raises:
            InvalidInputError: If too few proposals are taken.
        """
        bound = float(self._tilt(*self._pool()).max())
        rng = np.random.default_rng([self._seed if seed is None else seed, 2])
        kept: list[tuple[np.ndarray, np.ndarray, Any]] = []
        count = tried = 0
        for _ in range(limit):
            if count >= number:
                break
            latents, condition, volumes = self._propose(rng, CHUNK)
            taken = np.log(rng.random(CHUNK)) < self._tilt(latents, volumes) - bound
            kept.append(
                (latents[taken], volumes[taken], None if condition is None else condition[torch.from_numpy(taken)])
            )
            count, tried = count + int(taken.sum()), tried + CHUNK
        if count < number:
            raise InvalidInputError(
                f"`number`: {count} of {tried} proposals were taken; expected {number}: take a smaller rho"
            )
        return self._given(kept, np.arange(number), float(number), count / max(1, tried), True)

    def metropolis(self, number: int, *, seed: int | None = None, burn: int = 100) -> Drawn:
        """An independence Metropolis-Hastings chain with proposals from the prior: right in the limit, for any weights.

        Args:
            number: States of the chain to return.
            seed: Of the chain.
            burn: States to leave out at the start.

        Returns:
            States, of which neighbours are often equal; `effective_sample_size` is that of the chain (by the mean
            length of its stays).
        """
        rng = np.random.default_rng([self._seed if seed is None else seed, 3])
        total = number + burn + 1
        parts = [self._propose(rng, min(CHUNK, total - start)) for start in range(0, total, CHUNK)]
        tilt = np.concatenate([self._tilt(latents, volumes) for latents, _, volumes in parts])
        marks = np.log(rng.random(total))
        states = np.zeros(total, np.int64)
        here = int(np.argmax(np.isfinite(tilt)))
        for at in range(total):
            if tilt[at] - tilt[here] > marks[at]:
                here = at
            states[at] = here
        chosen = states[burn + 1 :]
        moves = int((np.diff(states) != 0).sum())
        stays = np.unique(chosen, return_counts=True)[1].astype(np.float64)
        size = float(number**2 / np.sum(stays**2)) if number else 0.0
        return self._given([(a, v, c) for a, c, v in parts], chosen, size, moves / max(1, total - 1), True)

    def batches(self, size: int, *, seed: int | None = None) -> Iterator[Tensor]:
        """Outputs in batches, without end.

        Args:
            size: Outputs of one batch.
            seed: Of the draws.

        Yields:
            [size, *shape] tensors.
        """
        at = 0
        while True:
            yield torch.from_numpy(
                self.sample(size, seed=((self._seed if seed is None else seed) + at) % 2**32).outputs
            )
            at += 1

    def dataset(self, size: int, *, seed: int | None = None) -> Iterable[Tensor]:
        """The same as a data set for `torch.utils.data.DataLoader(..., batch_size=None)`; workers draw apart.

        Args:
            size: Outputs of one batch.
            seed: Of the draws.

        Returns:
            The data set, without end.
        """
        self._pool()
        return _Dataset(self, size, self._seed if seed is None else seed)

    def _twin(self, rho: float, base: str) -> VolumeSampler:
        """The same sampler without its pool and its store."""
        shared = {"pool": self._size, "latent_shape": self._shape, "condition": self._condition, "seed": self._seed}
        return VolumeSampler(self.generator, self.prior, rho, base=base, **shared, **self._options)  # type: ignore[arg-type]

    def _tilt(self, latents: np.ndarray, volumes: np.ndarray) -> np.ndarray:
        """Logarithms of weights of latents from the prior, not normalised."""
        logs = self.rho * volumes if self.rho else np.zeros(len(volumes))
        return logs if self.base == "prior" else logs - self.prior.log_density(latents)

    def _normalised(self, logs: np.ndarray) -> np.ndarray:
        if np.isposinf(logs).any():  # rank-deficient latents, for negative exponents: the limit of small volumes
            logs = np.where(np.isposinf(logs), 0.0, -np.inf)
        if not np.isfinite(logs).any():
            raise InvalidInputError(
                "`rho`: no latent of the pool has volume, so that there is nothing to draw; expected rho <= 0"
            )
        return logs - logsumexp(logs)

    def _warn(self) -> None:
        size = self.effective_sample_size
        if size < FEW * self._size:
            warnings.warn(
                f"effective sample size {size:.1f} of a pool of {self._size:,}: few latents carry the weight; take a "
                "larger pool, a smaller rho or a prior that is cut off",
                UserWarning,
                stacklevel=3,
            )

    def _propose(self, rng: np.random.Generator, number: int) -> tuple[np.ndarray, Any, np.ndarray]:
        latents = self.prior.draw(number, rng)
        condition = None if self._condition is None else self._condition(number, rng)
        shaped = latents.reshape(number, *self._shape)
        volumes = log_volume(self.generator, shaped, condition=condition, **self._options)  # type: ignore[arg-type]
        return latents, condition, volumes

    def _chunk(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Latents of a part of the pool and their volumes; the same whenever it is computed."""
        number = min(CHUNK, self._size - index * CHUNK)
        latents, _, volumes = self._propose(np.random.default_rng([self._seed, 0, index]), number)
        return latents, volumes

    def _pool(self) -> tuple[np.ndarray, np.ndarray]:
        if self._found is None:
            count = -(-self._size // CHUNK)
            with reporting(self._progress) as report:
                parts: list[tuple[np.ndarray, np.ndarray] | None] = [self._kept(index) for index in range(count)]
                missing = [index for index in range(count) if parts[index] is None]
                for done, (index, part) in enumerate(self._computed(missing)):
                    self._keep(index, part)
                    parts[index] = part
                    report((count - len(missing) + done + 1) / count, min(self._size, (done + 1) * CHUNK))
            whole = [part for part in parts if part is not None]
            self._found = np.concatenate([a for a, _ in whole]), np.concatenate([b for _, b in whole])
        return self._found

    def _computed(self, missing: list[int]) -> Iterator[tuple[int, tuple[np.ndarray, np.ndarray]]]:
        if self._executor is None:
            yield from ((index, self._chunk(index)) for index in missing)
            return
        packed = self._twin(self.rho, self.base)
        futures = [(index, self._executor.submit(packed._chunk, index)) for index in missing]
        yield from ((index, future.result()) for index, future in futures)

    def _part(self, index: int) -> Path | None:
        return None if self._store is None else self._store / f"latents-{index:05d}.npz"

    def _record(self) -> dict[str, Any]:
        """What a part of a store depends on, as far as it can be told."""
        prior = {name: getattr(self.prior, name, None) for name in getattr(self.prior, "__dataclass_fields__", {})}
        plain = {name: value for name, value in prior.items() if not callable(value)}
        return {"prior": type(self.prior).__name__, **plain, "seed": self._seed, **self._options, "model": self._told()}

    def _told(self) -> list[float]:
        """Outputs at a few latents, by which a generator is known again."""
        rng = np.random.default_rng([self._seed, 4])
        condition = None if self._condition is None else self._condition(2, rng)
        return self._run(self.prior.draw(2, rng), condition).ravel()[:8].astype(np.float64).tolist()

    def _kept(self, index: int) -> tuple[np.ndarray, np.ndarray] | None:
        path = self._part(index)
        if path is None or not path.exists():
            return None
        stored = read_arrays(path, "part of a pool", argument="store")
        if stored.record != from_json(json_text(self._record())):
            raise StoreError(
                f"`store`: {str(path)!r} is of another generator, prior or seed; expected the same, or a new folder"
            )
        found = stored.arrays["latents"], stored.arrays["log_volumes"]
        return found if len(found[0]) == min(CHUNK, self._size - index * CHUNK) else None

    def _keep(self, index: int, part: tuple[np.ndarray, np.ndarray]) -> None:
        path = self._part(index)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_arrays(path, {"latents": part[0], "log_volumes": part[1]}, self._record(), argument="store")

    def _drawn(self, chosen: np.ndarray, size: float, replacement: bool) -> Drawn:
        latents, volumes = self._pool()
        condition = None
        if self._condition is not None:  # the condition of each latent is made anew with its chunk
            rows = [self._conditions(index) for index in range(-(-self._size // CHUNK))]
            condition = torch.cat([torch.as_tensor(row) for row in rows])[torch.from_numpy(chosen)]
        return Drawn(latents[chosen], self._run(latents[chosen], condition), volumes[chosen], size, replacement)

    def _conditions(self, index: int) -> Any:
        rng = np.random.default_rng([self._seed, 0, index])
        number = min(CHUNK, self._size - index * CHUNK)
        self.prior.draw(number, rng)
        assert self._condition is not None
        return self._condition(number, rng)

    def _given(
        self,
        parts: list[tuple[np.ndarray, np.ndarray, Any]],
        chosen: Int[np.ndarray, " n"],
        size: float,
        accepted: float,
        replacement: bool,
    ) -> Drawn:
        latents = np.concatenate([part[0] for part in parts])[chosen]
        volumes = np.concatenate([part[1] for part in parts])[chosen]
        condition = None
        if self._condition is not None:
            condition = torch.cat([torch.as_tensor(part[2]) for part in parts])[torch.from_numpy(chosen)]
        return Drawn(latents, self._run(latents, condition), volumes, size, replacement, accepted)

    def _run(self, latents: np.ndarray, condition: Any) -> np.ndarray:
        """Outputs of the generator, in chunks."""
        call: Any = self.generator
        like = torch.empty(0, dtype=torch.float64)
        if isinstance(call, Network):
            network = call
            call = lambda z: network(z) if network.head is None else network.head(network(z))  # noqa: E731
        elif isinstance(call, nn.Module):
            call = duplicate(call)
            like = next((p for p in (*call.parameters(), *call.buffers()) if p.is_floating_point()), like)
        outputs = []
        with torch.no_grad():
            for start in range(0, len(latents), CHUNK):
                z = torch.from_numpy(latents[start : start + CHUNK]).to(like).reshape(-1, *self._shape)
                rest = () if condition is None else (condition[start : start + CHUNK],)
                outputs.append(call(z, *rest).cpu().numpy())
        return np.concatenate(outputs) if outputs else np.empty((0,))


class _Dataset(torch.utils.data.IterableDataset):
    """Batches of a sampler, other ones for each worker."""

    def __init__(self, sampler: VolumeSampler, size: int, seed: int) -> None:
        self.sampler, self.size, self.seed = sampler, size, seed

    def __iter__(self) -> Iterator[Tensor]:
        worker = torch.utils.data.get_worker_info()
        return self.sampler.batches(self.size, seed=self.seed + (0 if worker is None else 1_000_003 * worker.id))
