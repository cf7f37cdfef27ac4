"""Latents with their log volumes, computed in chunks that a folder keeps."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from splinescope.errors import InvalidInputError, StoreError
from splinescope.generative.log_volumes import log_volume
from splinescope.generative.priors import Prior
from splinescope.network import Network, as_network
from splinescope.network.differentials import as_parameters, behind_head
from splinescope.network.importers.module_copy import first_line, working_copy
from splinescope.progress import Report, reporting
from splinescope.storage import from_json, json_text, read_arrays, write_arrays
from splinescope.workers import finished, result_of

CHUNK = 1_000
"""Latents that are taken at once, and kept as one part of a store."""

NUMBERS = 1 << 31
"""Numbers of Jacobians of these latents; of generators with larger ones fewer latents are taken at once."""


@dataclass(eq=False)
class Pool:
    """A generator, a law of latents, and the log volumes of some of them.

    Attributes:
        generator: A module, a function, a network or the path of one; then a network.
        prior: Law of the latents.
        size: Number of latents.
        shape: Shape of one latent as the generator takes it; None for that of a network's input, else flat.
        options: For `log_volume`.
        condition: From a number and a generator of random numbers to what the generator is given after the latents.
        seed: Of everything random.
        store: Folder of finished chunks, or None.
        executor: Where chunks are computed; None for here.
        progress: Whether to show a bar, or a function of the share and the number of latents.
    """

    generator: Any
    prior: Prior
    size: int
    shape: tuple[int, ...] | None
    options: dict[str, Any]
    condition: Callable[[int, np.random.Generator], Any] | None
    seed: int
    store: str | os.PathLike[str] | None
    executor: Executor | None
    progress: bool | Report

    def __post_init__(self) -> None:
        """Load the generator, and see that it takes such latents."""
        if not (callable(self.generator) or isinstance(self.generator, str | os.PathLike)):
            raise InvalidInputError(
                f"`generator`: got {type(self.generator).__name__}; expected a module, network or function"
            )
        read = self.options["method"] == "affine" and isinstance(self.generator, nn.Module)
        if read or isinstance(self.generator, str | os.PathLike):
            self.generator = as_network(self.generator, self.shape or (self.prior.dimension,), "generator")
        own = self.generator.input_shape if isinstance(self.generator, Network) else (self.prior.dimension,)
        self.shape = self._latent = tuple(own if self.shape is None else self.shape)
        if math.prod(self._latent) != self.prior.dimension:
            raise InvalidInputError(
                f"`prior`: got latents of {self.prior.dimension} numbers; expected {math.prod(self._latent)}"
            )

    @cached_property
    def rows(self) -> int:
        """Latents that are taken at once."""
        rng = np.random.default_rng([self.seed, 4])
        condition = None if self.condition is None else self.condition(1, rng)
        latents = self.prior.draw(1, rng)
        try:
            outputs = self._called(latents, condition).size
        except InvalidInputError:
            raise
        except Exception as error:  # whatever a function of the user's raises
            raise InvalidInputError(
                f"`generator`: it fails for latents of shape {latents.shape}: {first_line(error)}"
            ) from error
        return max(1, min(CHUNK, NUMBERS // max(1, outputs * self.prior.dimension)))

    def propose(
        self, rng: np.random.Generator, number: int, progress: bool | Report = False
    ) -> tuple[np.ndarray, Any, np.ndarray]:
        """Latents from the prior, their conditions and their log volumes."""
        latents = self.prior.draw(number, rng)
        condition = None if self.condition is None else self.condition(number, rng)
        shaped = latents.reshape(number, *self._latent)
        volumes = log_volume(self.generator, shaped, condition=condition, progress=progress, **self.options)
        return latents, condition, volumes

    def _chunk(self, index: int, progress: bool | Report = False) -> tuple[np.ndarray, np.ndarray]:
        """Latents of a part of the pool and their volumes; the same whenever it is computed."""
        rng = np.random.default_rng([self.seed, 0, index])
        latents, _, volumes = self.propose(rng, self._number(index), progress)
        return latents, volumes

    def _number(self, index: int) -> int:
        """Latents of a part of the pool."""
        return min(self.rows, self.size - index * self.rows)

    @cached_property
    def weighed(self) -> tuple[np.ndarray, np.ndarray]:
        """Latents of the pool and their log volumes, computed or read when first needed."""
        count = -(-self.size // self.rows)
        with reporting(self.progress, "latents") as report:
            parts: list[tuple[np.ndarray, np.ndarray] | None] = [self._kept(index) for index in range(count)]
            missing = [index for index in range(count) if parts[index] is None]
            settled = (count - len(missing)) * self.rows

            def tell(share: float, more: int) -> None:
                report(min(1.0, (settled + more) / self.size), min(self.size, settled + more))

            for index, part in self._computed(missing, tell):
                self._keep(index, part)
                parts[index] = part
                settled += len(part[0])
                tell(1.0, 0)
        whole = [part for part in parts if part is not None]
        return np.concatenate([a for a, _ in whole]), np.concatenate([b for _, b in whole])

    def _computed(self, missing: list[int], tell: Report) -> Iterator[tuple[int, tuple[np.ndarray, np.ndarray]]]:
        if self.executor is None:
            yield from ((index, self._chunk(index, tell)) for index in missing)
            return
        packed = replace(self, store=None, executor=None, progress=False)
        tasks = ((index, (index,)) for index in missing)
        for ended in finished(self.executor, packed._chunk, tasks):
            yield from ((index, result_of(future)) for index, future in ended)

    def _part(self, index: int) -> Path | None:
        return None if self.store is None else Path(self.store) / f"latents-{index:05d}.npz"

    def _record(self) -> dict[str, Any]:
        """What a part of a store depends on, as far as it can be told."""
        prior = {name: getattr(self.prior, name, None) for name in getattr(self.prior, "__dataclass_fields__", {})}
        plain = {name: value for name, value in prior.items() if not callable(value)}
        return {"prior": type(self.prior).__name__, **plain, "seed": self.seed, **self.options, "model": self._told()}

    def _told(self) -> list[float]:
        """Outputs at a few latents, by which a generator is known again."""
        rng = np.random.default_rng([self.seed, 4])
        condition = None if self.condition is None else self.condition(2, rng)
        return self.run(self.prior.draw(2, rng), condition).ravel()[:8].astype(np.float64).tolist()

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
        return found if len(found[0]) == self._number(index) else None

    def check(self) -> None:
        """Refuse a store whose first part is of another pool."""
        self._kept(0)

    def _keep(self, index: int, part: tuple[np.ndarray, np.ndarray]) -> None:
        path = self._part(index)
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InvalidInputError(f"`store`: {path.parent} cannot be made a folder: {error.strerror}") from error
            write_arrays(path, {"latents": part[0], "log_volumes": part[1]}, self._record(), argument="store")

    def conditions(self, chosen: np.ndarray) -> Any:
        """The conditions of some latents of the pool, made anew with their chunks; None if there are none."""
        if self.condition is None:
            return None
        rows = []
        for index in range(-(-self.size // self.rows)):
            rng = np.random.default_rng([self.seed, 0, index])
            number = self._number(index)
            self.prior.draw(number, rng)
            rows.append(torch.as_tensor(self.condition(number, rng)))
        return torch.cat(rows)[torch.from_numpy(chosen)]

    def run(self, latents: np.ndarray, condition: Any) -> np.ndarray:
        """Outputs of the generator, in chunks."""
        outputs = [
            self._called(
                latents[start : start + self.rows], condition if condition is None else condition[start:][: self.rows]
            )
            for start in range(0, len(latents), self.rows)
        ]
        return np.concatenate(outputs) if outputs else np.empty((0,))

    def _called(self, latents: np.ndarray, condition: Any) -> np.ndarray:
        """Outputs of the generator, all at once."""
        call: Any = self.generator
        if isinstance(call, Network):
            call = partial(behind_head, call)
        elif isinstance(call, nn.Module):
            call = working_copy(call)
        with torch.no_grad():
            z = torch.from_numpy(latents.copy()).reshape(-1, *self._latent)
            z = as_parameters(z, call) if isinstance(call, nn.Module) else z
            values = call(z, *(() if condition is None else (condition,)))
        if not isinstance(values, Tensor):
            raise InvalidInputError(f"`generator`: it returned {type(values).__name__}; expected one tensor of outputs")
        found: np.ndarray = values.cpu().numpy()
        return found


def comparable(logs: np.ndarray, among: str = "of the pool", more: str = "a larger `pool`") -> np.ndarray:
    """Logarithms of weights that can be compared: where some are infinite, these have all, the limit of small volumes.

    Args:
        logs: Logarithms; infinite for latents without volume and negative exponents.
        among: Whose they are, for the error.
        more: What gives more of them.

    Returns:
        The same, none of them infinite but minus infinity.

    Raises:
        InvalidInputError: If none is larger than that.
    """
    if np.isposinf(logs).any():
        logs = np.where(np.isposinf(logs), 0.0, -np.inf)
    if np.isnan(logs).any():
        raise InvalidInputError("`prior`: its density is NaN at some latents; expected the logarithm of a density")
    if not np.isfinite(logs).any():
        raise InvalidInputError(
            f"`rho`: no latent {among} has volume, so that there is nothing to draw; expected {more}, rho <= 0, or "
            "leading singular values only (`top`)"
        )
    return logs
