"""Run an experiment and leave its folder: figures, numbers, tables, claims."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from splinescope.errors import InvalidInputError
from splinescope.experiments.base import Claim, Findings
from splinescope.experiments.registry import entry

FIGURE_FORMATS = (".png", ".pdf")


@dataclass(frozen=True)
class Report:
    """What a run came to.

    Attributes:
        name: The experiment.
        preset: The preset.
        config: Its configuration, as plain values.
        claims: The source's claims with their verdicts.
        numbers: Everything measured.
        files: Files in the folder, by what they are.
        seconds: Wall-clock time of the run.
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
    from splinescope import __version__
    from splinescope.experiments.parts import Parts

    started = time.perf_counter()
    config = entry(name).settings(preset, seed)
    if data is not None:
        config = config.with_data(Path(data))
    if settings:
        config = config.with_settings(settings)
    folder = Path(out)
    values = {"experiment": name, "version": __version__, **asdict(config)}
    parts = Parts(folder / "parts", values, progress)
    if not os.access(folder, os.W_OK):
        raise InvalidInputError(f"`out`: {folder} cannot be written to")
    findings = config.run(parts)
    files = _leave(findings, folder)
    report = Report(
        name,
        preset,
        asdict(config),
        findings.claims,
        findings.numbers,
        files,
        round(time.perf_counter() - started, 2),
        parts.reused,
        parts.computed,
    )
    _write_summary(report, folder)
    return report


def _leave(findings: Findings, folder: Path) -> dict[str, Any]:
    """Write numbers, tables and figures."""
    from splinescope.experiments.files import write_table
    from splinescope.storage import write_json

    write_json(folder / "numbers.json", findings.numbers)
    for name, table in findings.tables.items():
        write_table(folder / f"{name}.csv", table)
    _draw(findings, folder)
    for name, write in findings.others.items():
        write(folder / name)
    return {
        "summary": "summary.json",
        "numbers": "numbers.json",
        "tables": [f"{name}.csv" for name in findings.tables],
        "figures": [f"{name}{ending}" for name in findings.figures for ending in FIGURE_FORMATS],
        "others": list(findings.others),
    }


def _draw(findings: Findings, folder: Path) -> None:
    """Draw the figures; they are no figures of pyplot's, so that no screen and no backend is involved."""
    from splinescope.plotting import save_figure

    for name, draw in findings.figures.items():
        figure = draw()
        for ending in FIGURE_FORMATS:
            save_figure(figure, folder / f"{name}{ending}")


def _write_summary(report: Report, folder: Path) -> None:
    from splinescope.storage import write_json

    write_json(folder / "summary.json", report.summary())
