"""What an experiment is: a configuration, a run that measures, and what is then made of the numbers alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.config import Config
from splinescope.experiments.shared.parts import Kept, Parts
from splinescope.experiments.shared.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

S = TypeVar("S", bound=Config)

Numbers = Mapping[str, Any]
"""Everything measured, as it reads from `numbers.json`: plain values, with null for what is not finite.

Beside what `run` measured there are `config`, all settings by name, and `experiment`, `preset` and `version`.
"""


def _nothing(*_: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Experiment(Generic[S]):
    """An experiment, as the folder of its name puts it together.

    Only `run` measures. All else is a pure function of what it left, so that a finished run can be judged and drawn
    again: the numbers, and for pictures the arrays and cells that its parts keep beside them.

    Attributes:
        settings: Its configuration.
        run: Measures, and gives plain values; arrays and cells that figures need are left as parts.
        claims: The source's claims, held against the numbers.
        figures: For each figure's name a function that draws it.
        tables: Tables by name.
        animations: For each file's name a function that writes it.
    """

    settings: type[S]
    run: Callable[[S, Parts], Numbers]
    claims: Callable[[Numbers], tuple[Claim, ...]]
    figures: Callable[[Numbers, Kept], Mapping[str, Callable[[], Figure]]]
    tables: Callable[[Numbers], Mapping[str, Table]] = _nothing
    animations: Callable[[Numbers, Kept], Mapping[str, Callable[[Path], object]]] = _nothing
