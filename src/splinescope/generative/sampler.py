r"""Sampling from a generator of any dimension, with a law of latents that knows the volume which it gives them.

One convention: latents are drawn with density proportional to $v(z)^\rho\,b(z)$, where $v=\sqrt{\det J^TJ}$ and $b$ is
the prior's density or 1. So $\rho=0$ is the generator's own law, $\rho=1$ with $b=1$ is uniform on the manifold
(MaGNET), $\rho<0$ prefers modes and $\rho>1$ what is rarely made. This is the
convention of the source's program; its text writes
$\det(J^TJ)^{\rho'}$, which is $\rho=2\rho'$: see `from_determinant_power`.

Sources: Humayun, Balestriero, Baraniuk, "MaGNET" (ICLR 2022) and "Polarity sampling" (CVPR 2022).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from copy import copy
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import logsumexp
from torch import Tensor

from splinescope.errors import InvalidInputError
from splinescope.generative.arguments import MOST, check_shape
from splinescope.generative.batches import SampledBatches
from splinescope.generative.log_volumes import METHODS
from splinescope.generative.pool import Pool, comparable
from splinescope.generative.priors import Prior, check_prior
from splinescope.generative.samples import Drawn
from splinescope.numerics import check_finite, check_number
from splinescope.progress import Report
from splinescope.tessellation.metric import check_choice

POOL = 250_000
"""Latents of a pool, as in the source."""
FEW = 0.01
"""Share of a pool that an effective sample size should reach; below it there is a warning."""


def from_determinant_power(power: float) -> float:
    r"""The exponent rho that means $\det(J^TJ)^{power}$, as the source's text writes weights: twice the power.

    Args:
        power: Exponent of the determinant.

    Returns:
        Exponent of the volume. Cost: none.

    Raises:
        InvalidInputError: If it is no finite number.

    Example:
        >>> from_determinant_power(0.5)
        1.0
    """
    return 2.0 * check_finite("power", power)


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
        check_choice("method", method, METHODS)
        check_prior(prior)
        pool, seed = check_number("pool", pool, 1, MOST), check_number("seed", seed)
        latent_shape = None if latent_shape is None else check_shape("latent_shape", latent_shape)
        if not isinstance(store, str | os.PathLike | None):
            raise InvalidInputError(f"`store`: got {type(store).__name__}; expected the path of a folder, or None")
        if condition is not None and not callable(condition):
            raise InvalidInputError(f"`condition`: got {type(condition).__name__}; expected a function")
        if executor is not None and not hasattr(executor, "submit"):
            raise InvalidInputError(f"`executor`: got {type(executor).__name__}; expected one with `submit`, or None")
        self.prior, self.rho, self.base = prior, check_finite("rho", rho), base
        self._seed = seed
        self._pool = Pool(
            generator,
            prior,
            pool,
            latent_shape,
            {"method": method, "top": top},
            condition,
            seed,
            store,
            executor,
            progress,
        )

    def check_store(self) -> None:
        """See that what is kept in the store is of this generator, prior and seed.

        Raises:
            StoreError: If it is not, or is damaged.
        """
        self._pool.check()

    def with_rho(self, rho: float, base: str | None = None) -> VolumeSampler:
        """The same sampler with another exponent, which shares the pool.

        Args:
            rho: Exponent.
            base: Another base, if not the same.

        Returns:
            The sampler.

        Raises:
            InvalidInputError: If it is no finite number, or there is no such base.
        """
        twin = copy(self)
        twin.rho, twin.base = check_finite("rho", rho), self.base if base is None else base
        check_choice("base", twin.base, ("prior", "uniform"))
        return twin

    @property
    def latents(self) -> Float[np.ndarray, "pool d"]:
        """The pool."""
        return self._pool.weighed[0]

    @property
    def log_volumes(self) -> Float[np.ndarray, " pool"]:
        """Log volume at each latent of the pool."""
        return self._pool.weighed[1]

    @property
    def log_weights(self) -> Float[np.ndarray, " pool"]:
        """Logarithm of each latent's probability to be drawn, normalised.

        Raises:
            InvalidInputError: If no latent of the pool has volume and `rho` is positive.
        """
        latents, volumes = self._pool.weighed
        logs = comparable(self._tilt(latents, volumes))
        return logs - logsumexp(logs)

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
        number = check_number("number", number, 0, MOST)
        logs = self.log_weights
        self._warn()
        rng = self._rng(seed, 1)
        if replacement:
            chosen = rng.choice(len(logs), number, p=np.exp(logs))
        else:
            if number > (possible := int(np.isfinite(logs).sum())):
                raise InvalidInputError(f"`number`: got {number}; expected at most {possible} without replacement")
            # the largest of independent Gumbel numbers plus log weights: draws one after the other, without replacement
            chosen = np.argsort(-(logs + rng.gumbel(size=len(logs))))[:number]
        return self._drawn(chosen, self.effective_sample_size, replacement)

    def pool_outputs(self) -> Iterator[np.ndarray]:
        """Outputs of the latents of the pool, in chunks.

        Yields:
            [rows, *shape] outputs.
        """
        every, rows = np.arange(len(self.latents)), self._pool.rows
        conditions = self._pool.conditions(every)
        for start in range(0, len(every), rows):
            few = None if conditions is None else conditions[start : start + rows]
            yield self._pool.run(self.latents[start : start + rows], few)

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
        number = check_number("number", number, 1, MOST)
        pooled = self._tilt(*self._pool.weighed)
        flat, bound = bool(np.isposinf(pooled).any()), float(comparable(pooled).max())
        limit, rng = check_number("limit", limit), self._rng(seed, 2)
        kept: list[tuple[np.ndarray, np.ndarray, Any]] = []
        count = tried = 0
        for _ in range(limit):
            if count >= number:
                break
            latents, condition, volumes = self._pool.propose(rng, self._pool.rows)
            tilt = self._tilt(latents, volumes)
            taken = np.isposinf(tilt) if flat else np.log(rng.random(len(tilt))) < tilt - bound
            rows = None if condition is None else condition[torch.from_numpy(taken)]
            kept.append((latents[taken], volumes[taken], rows))
            count, tried = count + int(taken.sum()), tried + len(tilt)
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
            length of its stays), and there is a warning where it is small.

        Raises:
            InvalidInputError: If none of the proposals has weight.
        """
        number, burn = check_number("number", number, 0, MOST), check_number("burn", burn, 0, MOST)
        rng = self._rng(seed, 3)
        total, rows = number + burn + 1, self._pool.rows
        parts = [self._pool.propose(rng, min(rows, total - start)) for start in range(0, total, rows)]
        tilt = np.concatenate([self._tilt(latents, volumes) for latents, _, volumes in parts])
        tilt = comparable(tilt, f"among the {total:,} proposals of this chain", "a longer `burn`")
        marks = np.log(rng.random(total))
        states = np.zeros(total, np.int64)
        here = int(np.argmax(np.isfinite(tilt)))
        for at in range(total):
            if tilt[at] > -np.inf and tilt[at] - tilt[here] > marks[at]:
                here = at
            states[at] = here
        chosen = states[burn + 1 :]
        moves = int((np.diff(states) != 0).sum())
        stays = np.unique(chosen, return_counts=True)[1].astype(np.float64)
        size = float(number**2 / np.sum(stays**2)) if number else 0.0
        if size < FEW * number:
            warnings.warn(
                f"effective sample size {size:.1f} of {number:,} states of a chain, which took {moves / total:.2%} of "
                "its proposals; take more states, a smaller rho or a prior that is nearer",
                UserWarning,
                stacklevel=2,
            )
        return self._given([(a, v, c) for a, c, v in parts], chosen, size, moves / max(1, total - 1), True)

    def batches(self, size: int, *, seed: int | None = None) -> Iterator[Tensor]:
        """Outputs in batches, without end.

        Args:
            size: Outputs of one batch.
            seed: Of the draws.

        Yields:
            [size, *shape] tensors.
        """
        at, first = 0, self._seed if seed is None else check_number("seed", seed)
        while True:
            yield torch.from_numpy(self.sample(size, seed=(first + at) % 2**32).outputs)
            at += 1

    def dataset(self, size: int, *, seed: int | None = None) -> Iterable[Tensor]:
        """The same as a data set for `torch.utils.data.DataLoader(..., batch_size=None)`; workers draw apart.

        Args:
            size: Outputs of one batch.
            seed: Of the draws.

        Returns:
            The data set, without end.
        """
        _ = self._pool.weighed
        return SampledBatches(self.batches, size, self._seed if seed is None else check_number("seed", seed))

    def _rng(self, seed: int | None, use: int) -> np.random.Generator:
        """Random numbers of one use of a seed, or of the sampler's."""
        return np.random.default_rng([self._seed if seed is None else check_number("seed", seed), use])

    def _tilt(self, latents: np.ndarray, volumes: np.ndarray) -> np.ndarray:
        """Logarithms of weights of latents from the prior, not normalised."""
        logs = self.rho * volumes if self.rho else np.zeros(len(volumes))
        return logs if self.base == "prior" else logs - self.prior.log_density(latents)

    def _warn(self) -> None:
        size = self.effective_sample_size
        if size < FEW * self._pool.size:
            warnings.warn(
                f"effective sample size {size:.1f} of a pool of {self._pool.size:,}: few latents carry the weight; "
                "take a larger pool, a smaller rho or a prior that is cut off",
                UserWarning,
                stacklevel=3,
            )

    def _drawn(self, chosen: np.ndarray, size: float, replacement: bool) -> Drawn:
        latents, volumes = self._pool.weighed
        condition = self._pool.conditions(chosen)
        return Drawn(
            latents=latents[chosen],
            outputs=self._pool.run(latents[chosen], condition),
            log_volumes=volumes[chosen],
            effective_sample_size=size,
            replacement=replacement,
        )

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
        if self._pool.condition is not None:
            condition = torch.cat([torch.as_tensor(part[2]) for part in parts])[torch.from_numpy(chosen)]
        return Drawn(
            latents=latents,
            outputs=self._pool.run(latents, condition),
            log_volumes=volumes,
            effective_sample_size=size,
            replacement=replacement,
            accepted=accepted,
        )
