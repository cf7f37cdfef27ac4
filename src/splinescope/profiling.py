"""Where the time of a computation goes: seconds by phase, and within a phase by node of the network."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass
class TimeProfile:
    """Seconds that were spent, each of them counted once.

    Attributes:
        seconds: Of each pair of a phase and what it worked at (the name of a node, or nothing), seconds by the clock.
        began: Phases under way: seconds that others within them have taken.
    """

    seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    began: list[float] = field(default_factory=list)

    @property
    def total(self) -> float:
        """Seconds of all phases."""
        return sum(self.seconds.values())

    @property
    def phases(self) -> dict[str, float]:
        """Seconds of each phase, in the order in which they ended first."""
        out: dict[str, float] = {}
        for (phase, _), seconds in self.seconds.items():
            out[phase] = out.get(phase, 0.0) + seconds
        return out

    def of_phase(self, phase: str) -> dict[str, float]:
        """Seconds of one phase by what it worked at.

        Args:
            phase: The phase.

        Returns:
            Seconds by name.
        """
        return {what: seconds for (name, what), seconds in self.seconds.items() if name == phase}


_current: ContextVar[TimeProfile | None] = ContextVar("profile", default=None)


@contextmanager
def profiling() -> Iterator[TimeProfile]:
    """Take the time of what engines and certificates do within, by phase.

    Yields:
        The profile, which is complete when the block ends. What the calling thread does is seen; it waits for those
        that it starts.

    Cost: some microseconds for each node of the network and each part of the domain.

    Example:
        >>> import splinescope, torch
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> with profiling() as profile:
        ...     cells = splinescope.tessellate(relu, splinescope.Slice.box([-1, -1], [1, 1]))
        >>> sorted(profile.phases)
        ['assembling', 'checking', 'cutting', 'placing', 'planning']
    """
    profile = TimeProfile()
    token = _current.set(profile)
    try:
        yield profile
    finally:
        _current.reset(token)


@contextmanager
def spent(phase: str, what: str = "") -> Iterator[None]:
    """Count the time of what is done within for a phase; that of phases inside of it counts for these alone.

    Args:
        phase: The phase, as a verb: "cutting".
        what: What it works at: the name of a node.

    Yields:
        Nothing; the time of the block counts.

    Cost: a microsecond where nobody takes the time.

    Example:
        >>> with profiling() as profile, spent("loading"):
        ...     pass
        >>> list(profile.phases)
        ['loading']
    """
    profile = _current.get()
    if profile is None:
        yield
        return
    start = time.perf_counter()
    profile.began.append(0.0)
    try:
        yield
    finally:
        passed = time.perf_counter() - start
        inside = profile.began.pop()
        key = (phase, what)
        profile.seconds[key] = profile.seconds.get(key, 0.0) + passed - inside
        if profile.began:
            profile.began[-1] += passed
