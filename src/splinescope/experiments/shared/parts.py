"""Finished parts of an experiment, kept on disk: a run that was stopped goes on, and pictures are drawn from them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from splinescope.errors import InvalidInputError, StoreError
from splinescope.progress import each
from splinescope.storage import from_json, json_text, load_archive, read_arrays, replacing, write_arrays, write_json
from splinescope.tessellation.complex import PolyhedralComplex
from splinescope.tessellation.files import load_complex, stored_form

C = TypeVar("C", bound=PolyhedralComplex)
T = TypeVar("T")

_CONFIG = "__config__"
"""Name of the configuration among the arrays of a part."""

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Kept:
    """Finished parts as they lie in a folder, of one configuration, each under the name that the run gave it.

    What figures need and no JSON holds (arrays, images, cells) is read from here and from nowhere else. A part that is
    missing, damaged or of another configuration raises `StoreError`.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        """Look at a folder, which need not be there.

        Args:
            folder: The folder.
            config: What the parts depend on, as plain values.
        """
        self._folder = folder
        self._config = from_json(json_text(config))

    def values(self, key: str) -> Any:
        """Plain values.

        Args:
            key: The part's name.

        Returns:
            The values, as they read from JSON.

        Raises:
            StoreError: If there are none.
        """
        return self._json(self.path(key, ".json"))

    def arrays(self, key: str) -> dict[str, np.ndarray]:
        """Arrays.

        Args:
            key: The part's name.

        Returns:
            The arrays by name.

        Raises:
            StoreError: If there are none.
        """
        path = self._checked(key)
        return {name: array for name, array in read_arrays(path, "part").arrays.items() if name != _CONFIG}

    def cells(self, key: str, kind: type[C]) -> C:
        """Cells, equal in every array to those that were kept.

        Args:
            key: The part's name.
            kind: What they should be, such as `PlanarComplex`.

        Returns:
            The cells.

        Raises:
            StoreError: If there are none, or they are of another kind.
        """
        path = self._checked(key)
        cells = load_complex(path)
        if not isinstance(cells, kind):
            raise self._lost(path)
        return cells

    def folder(self, key: str) -> Path:
        """The folder of a part that keeps files of its own.

        Args:
            key: The part's name.

        Returns:
            The folder.

        Raises:
            StoreError: If there is none.
        """
        path = self.path(key, "")
        self._json(path / "config.json")
        return path

    def path(self, key: str, ending: str) -> Path:
        """Where a part lies, whether it is there or not.

        Args:
            key: The part's name.
            ending: That of its file, such as ".npz"; "" for a folder.

        Returns:
            The path.

        Raises:
            InvalidInputError: If the name could lead out of the folder.
        """
        if not _SAFE.fullmatch(key):
            raise InvalidInputError(f"`tasks`: got the name {key!r}; expected letters, digits, `.`, `_` and `-`")
        return self._folder / f"{key}{ending}"

    def _json(self, path: Path) -> Any:
        try:
            part = from_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise self._lost(path) from error
        if not isinstance(part, dict) or part.get("config") != self._config or "result" not in part:
            raise self._lost(path)
        return part["result"]

    def _checked(self, key: str) -> Path:
        """The file of a part made of arrays, of which only the configuration is read here."""
        path = self.path(key, ".npz")
        try:
            config = from_json(str(load_archive(path, {_CONFIG})[_CONFIG]))
        except (OSError, ValueError, KeyError, StoreError) as error:
            raise self._lost(path) from error
        if config != self._config:
            raise self._lost(path)
        return path

    def _lost(self, path: Path) -> StoreError:
        return StoreError(
            f"`parts`: {str(path)!r} is missing, damaged or of other settings; run the experiment into its folder "
            "again, which computes what is not finished"
        )


class Parts:
    """A folder of finished parts that a run fills; each is computed once, and given as it reads.

    A part of another configuration, or one that is damaged, counts as missing and is replaced. Files appear whole or
    not at all.

    Attributes:
        kept: The parts that are there.
        progress: Whether long work shows a bar.
        reused: Number of parts that an earlier run had left and this one used.
        computed: Number of parts that were computed.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], progress: bool = False) -> None:
        """Open the folder, made if missing.

        Args:
            folder: The folder.
            config: What the parts depend on, as plain values.
            progress: Whether to show a bar on long work.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInputError(f"`out`: {folder} cannot be made a folder: {error.strerror}") from error
        self.kept = Kept(folder, config)
        self.progress = progress
        self.reused = 0
        self.computed = 0
        self._config = from_json(json_text(config))
        self._seen: set[str] = set()

    def each(self, tasks: Mapping[str, Callable[[], Mapping[str, Any]]], what: str = "part") -> dict[str, Any]:
        """Results of some parts, each computed unless it is there.

        Args:
            tasks: For each part's name (letters, digits, `.`, `_`, `-`) a function that gives plain values.
            what: What one part is, for the bar.

        Returns:
            The results by name, as they read from JSON, whether computed now or before.
        """
        bar = each(tasks.items(), what, self.progress)
        return {
            key: self._once(f"{key}.json", partial(self.kept.values, key), partial(self._write, key, task))
            for key, task in bar
        }

    def arrays(self, key: str, compute: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """One part made of arrays, such as trained weights, computed unless it is there.

        Args:
            key: The part's name.
            compute: Gives the arrays by name.

        Returns:
            The arrays.
        """

        def write() -> None:
            self._write_arrays(key, {name: np.asarray(array) for name, array in compute().items()})

        return self._once(f"{key}.npz", partial(self.kept.arrays, key), write)

    def cells(self, key: str, kind: type[C], compute: Callable[[], C], *, limited: bool = False) -> C:
        """One part made of cells, computed unless it is there; a file that `splinescope.open` reads.

        Args:
            key: The part's name.
            kind: What the cells are, such as `PlanarComplex`.
            compute: Gives the cells.
            limited: Whether a budget may leave some out.

        Returns:
            The cells.

        Raises:
            KeyboardInterrupt: If somebody pressed Ctrl-C while they were cut, which leaves some out: no part of a run.
        """

        def write() -> None:
            cells = compute()
            if getattr(cells, "truncated", False) and not limited:
                raise KeyboardInterrupt
            self._write_arrays(key, *stored_form(cells))

        return self._once(f"{key}.npz", partial(self.kept.cells, key, kind), write)

    def folder(self, key: str) -> Path:
        """A folder for a part that keeps files of its own while it is computed, such as checkpoints.

        Args:
            key: The part's name.

        Returns:
            The folder, which is there; it is emptied if it belongs to another configuration.
        """
        try:
            return self.kept.folder(key)
        except StoreError:
            with replacing(self.kept.path(key, "")) as temporary:
                temporary.mkdir()
                write_json(temporary / "config.json", {"config": self._config, "result": key}, indent=1)
        return self.kept.folder(key)

    def _once(self, name: str, read: Callable[[], T], write: Callable[[], object]) -> T:
        """What is there; else it is computed, written, and read, so that it is the same in every run."""
        try:
            found = read()
        except StoreError:
            write()
            self.computed += 1
            found = read()
        else:
            self.reused += name not in self._seen
        self._seen.add(name)
        return found

    def _write(self, key: str, compute: Callable[[], Mapping[str, Any]]) -> None:
        write_json(self.kept.path(key, ".json"), {"config": self._config, "result": compute()}, indent=1)

    def _write_arrays(self, key: str, arrays: Mapping[str, np.ndarray], record: Any = None) -> None:
        config = {_CONFIG: np.array(json_text(self._config, indent=1))}
        write_arrays(self.kept.path(key, ".npz"), {**config, **arrays}, record)
