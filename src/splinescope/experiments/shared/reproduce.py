"""Run an experiment and leave its folder; judge and draw a finished one again."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from splinescope.errors import InvalidInputError, SplinescopeError, StoreError
from splinescope.experiments.shared.claims import Claim
from splinescope.experiments.shared.registry import entry

if TYPE_CHECKING:
    from splinescope.experiments.shared.experiment import Experiment, Numbers
    from splinescope.experiments.shared.parts import Parts

FIGURE_FORMATS = (".png", ".pdf")
NUMBERS, SUMMARY, PARTS = "numbers.json", "summary.json", "parts"
_RUN = ("experiment", "preset", "version", "config")
"""What the numbers say of the run itself."""


@dataclass(frozen=True)
class Report:
    """What a run came to.

    Attributes:
        name: The experiment.
        preset: The preset.
        config: Its configuration, as plain values.
        claims: The source's claims with their verdicts.
        numbers: Everything measured, with the configuration, as it reads from `numbers.json`.
        files: Files in the folder, by what they are.
        seconds: Wall-clock time of the run, or of judging it again.
        parts_reused: Parts that an earlier run had left.
        parts_computed: Parts that this run computed.
    """

    name: str
    preset: str
    config: Mapping[str, Any]
    claims: tuple[Claim, ...]
    numbers: Mapping[str, Any]
    files: Mapping[str, Any]
    seconds: float
    parts_reused: int
    parts_computed: int

    def summary(self) -> dict[str, Any]:
        """What `summary.json` says: all but the numbers, with versions."""
        import numpy
        import torch

        import splinescope

        facts = {key: value for key, value in asdict(self).items() if key != "numbers"}
        versions = {"splinescope": splinescope.__version__, "torch": torch.__version__, "numpy": numpy.__version__}
        return facts | {"source": entry(self.name).source, "versions": versions}


def reproduce(
    name: str,
    preset: str = "smoke",
    *,
    out: str | os.PathLike[str],
    seed: int = 0,
    data: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Report:
    """Run an experiment and leave its figures, numbers and claims in a folder.

    A run that was stopped goes on where it was: finished parts are kept in `out/parts` and used again as long as the
    configuration, and the version of splinescope, is the same.

    Args:
        name: Name of an experiment (`splinescope.experiments.EXPERIMENTS` lists them).
        preset: "smoke" (seconds) or "paper" (minutes).
        out: Folder for the results, made if missing: `summary.json`, `numbers.json`, figures as PNG and PDF, tables.
        seed: Seed of all randomness.
        data: Data of the user's, for the experiments that take some.
        settings: Sizes that differ from the preset's, by name.
        progress: Whether to show a bar on long work.

    Returns:
        The report.

    Raises:
        InvalidInputError: If there is no such experiment or preset, the data don't fit, or the folder cannot be made.
    """
    started = time.perf_counter()
    parts = measure(name, preset, out=out, seed=seed, data=data, settings=settings, progress=progress)
    file = Path(out) / NUMBERS
    return _judged(_read(file), file, started, parts.reused, parts.computed)


def judge(path: str | os.PathLike[str], name: str | None = None) -> Report:
    """Hold the numbers of a finished run against the claims again, and draw its figures again; nothing is run.

    Tables, figures and `summary.json` are written anew beside the numbers. Figures that show cells or images read them
    from the folder `parts` there.

    Args:
        path: The folder of the run, or its `numbers.json`.
        name: The experiment that it should be of; by default whichever it is of.

    Returns:
        The report.

    Raises:
        StoreError: If there is no finished run, or a part that a figure needs is not there.
        InvalidInputError: If the run is of another experiment.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = reproduce("tessellation-toy", out=folder, settings={"layers": 2})
        ...     judge(folder).claims == report.claims
        True
    """
    started, place = time.perf_counter(), Path(path)
    file = place / NUMBERS if place.is_dir() else place
    numbers = _read(file)
    if name not in (None, numbers["experiment"]):
        raise InvalidInputError(f"`judge`: {str(file)!r} is of {numbers['experiment']!r}; expected a run of {name!r}")
    return _judged(numbers, file, started)


def measure(
    name: str,
    preset: str = "smoke",
    *,
    out: str | os.PathLike[str],
    seed: int = 0,
    data: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Parts:
    """Run an experiment up to its numbers; what is made of them is left to `judge`.

    Args:
        name: See `reproduce`.
        preset: See `reproduce`.
        out: See `reproduce`.
        seed: See `reproduce`.
        data: See `reproduce`.
        settings: See `reproduce`.
        progress: See `reproduce`.

    Returns:
        The parts that the run is made of.

    Raises:
        InvalidInputError: See `reproduce`.
    """
    from splinescope import __version__
    from splinescope.experiments.shared.parts import Parts
    from splinescope.storage import write_json

    experiment = entry(name).load()
    config = entry(name).settings(preset, seed)
    if data is not None:
        config = config.with_data(Path(data))
    if settings:
        config = config.with_settings(settings)
    folder = Path(out)
    new = [place for place in (folder / PARTS, folder, *folder.absolute().parents) if not place.exists()]
    run = {"experiment": name, "preset": preset, "version": __version__, "config": asdict(config)}
    parts = Parts(folder / PARTS, _identity(run), progress)
    if not os.access(folder, os.W_OK):
        raise InvalidInputError(f"`out`: {folder} cannot be written to")
    try:
        numbers = experiment.run(config, parts)
    except SplinescopeError:
        with suppress(OSError):  # parts that are finished stay
            for place in new:
                place.rmdir()
        raise
    assert not set(run) & set(numbers)
    write_json(folder / NUMBERS, {**run, **numbers})
    return parts


def _identity(numbers: Numbers) -> dict[str, Any]:
    """What the parts of a run depend on."""
    return {"experiment": numbers["experiment"], "version": numbers["version"], **numbers["config"]}


def _judged(numbers: Numbers, file: Path, started: float, reused: int = 0, computed: int = 0) -> Report:
    """Make everything of the numbers, beside their file."""
    from splinescope.storage import write_json

    experiment = entry(numbers["experiment"]).load()
    report = Report(
        name=numbers["experiment"],
        preset=numbers["preset"],
        config=numbers["config"],
        claims=experiment.claims(numbers),
        numbers=numbers,
        files={"summary": SUMMARY, "numbers": file.name, **_leave(experiment, numbers, file.parent)},
        seconds=round(time.perf_counter() - started, 2),
        parts_reused=reused,
        parts_computed=computed,
    )
    write_json(file.parent / SUMMARY, report.summary())
    return report


def _leave(experiment: Experiment[Any], numbers: Numbers, folder: Path) -> dict[str, list[str]]:
    """Write tables, figures and animations; the names of the files."""
    from splinescope.experiments.shared.parts import Kept
    from splinescope.experiments.shared.tables import write_table
    from splinescope.plotting import save_figure

    kept = Kept(folder / PARTS, _identity(numbers))
    tables, figures = experiment.tables(numbers), experiment.figures(numbers, kept)
    animations = experiment.animations(numbers, kept)
    for name, table in tables.items():
        write_table(folder / f"{name}.csv", table)
    for name, draw in figures.items():
        figure = draw()  # no figure of pyplot's, so that no screen and no backend is involved
        for ending in FIGURE_FORMATS:
            save_figure(figure, folder / f"{name}{ending}")
    for name, write in animations.items():
        write(folder / name)
    return {
        "tables": [f"{name}.csv" for name in tables],
        "figures": [f"{name}{ending}" for name in figures for ending in FIGURE_FORMATS],
        "others": list(animations),
    }


def _read(path: Path) -> dict[str, Any]:
    """The numbers of a finished run."""
    from splinescope.storage import from_json

    try:
        numbers = from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(
            f"`judge`: {str(path)!r} cannot be read: expected the folder of a finished run, or its {NUMBERS}"
        ) from error
    if not isinstance(numbers, dict) or not set(numbers).issuperset(_RUN):
        raise StoreError(
            f"`judge`: {str(path)!r} doesn't say how it was made; `splinescope reproduce NAME --out {path.parent}`, as "
            "before, adds that and computes no finished part again"
        )
    return numbers
