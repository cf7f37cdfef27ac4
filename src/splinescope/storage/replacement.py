"""Files and folders that appear whole or not at all, by way of folders that no killed run leaves for good."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from splinescope.errors import InvalidInputError, StoreError

_LOCKS = find_spec("fcntl") is not None
"""Whether folders can be locked; on Windows nobody can tell whose folder one is, and nothing is removed."""

_PREFIX = ".splinescope-"
_BEFORE = "before"


@contextmanager
def own_folder(parent: Path) -> Iterator[Path]:
    """A folder inside another one for as long as the block lasts; those that killed runs left there are removed.

    A folder in use is locked, and the system unlocks it when its process ends, however it does.

    Args:
        parent: The folder around it.

    Yields:
        The folder, empty.

    Raises:
        OSError: If there can be none.

    Cost: a look at the names in the folder around it.

    Example:
        >>> with tempfile.TemporaryDirectory() as parent, own_folder(Path(parent)) as folder:
        ...     len(list(Path(parent).iterdir()))
        1
    """
    _remove_leftovers(parent)
    folder, lock = _locked(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


@contextmanager
def claimed(folder: Path, argument: str = "path") -> Iterator[None]:
    """A folder that no other process claims for as long as the block lasts, where folders can be locked.

    Args:
        folder: The folder.
        argument: What the caller calls it, for errors.

    Yields:
        Nothing.

    Raises:
        StoreError: If another process has claimed it.

    Cost: two calls of the system.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder, claimed(Path(folder)):
        ...     len(os.listdir(folder))
        0
    """
    lock = None
    if _LOCKS:
        try:
            lock = _lock(folder)
        except BlockingIOError as error:
            raise StoreError(f"`{argument}`: another process is writing to {str(folder)!r}; wait for it") from error
        except OSError:  # a file system without locks
            lock = None
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _locked(parent: Path) -> tuple[Path, int | None]:
    """A new folder and its lock; until it is locked, another process may take it for a leftover and remove it."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=_PREFIX))
        if not _LOCKS:
            return folder, None
        try:
            lock = _lock(folder)
        except (BlockingIOError, FileNotFoundError):
            continue
        except OSError:  # a file system without locks, where nobody can remove it either
            return folder, None
        if folder.is_dir():
            return folder, lock
        os.close(lock)


def _lock(folder: Path) -> int:
    """The lock of a folder, as a descriptor to close; raises `OSError` if another process has it."""
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove_leftovers(parent: Path) -> None:
    if not _LOCKS:
        return
    with os.scandir(parent) as entries:
        found = [Path(entry) for entry in entries if entry.name.startswith(_PREFIX)]
    for folder in found:
        with suppress(OSError):  # in use, or not ours
            lock = _lock(folder)
            # In the instant in which one folder takes another's place, the old one is nowhere else.
            if not (folder / _BEFORE).exists():
                shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


@contextmanager
def replacing(path: str | os.PathLike[str], argument: str = "path") -> Iterator[Path]:
    """Give a temporary path beside `path`; the file or folder made there takes its place if the block ends well.

    Args:
        path: File or folder to write. What is there stays until the block has ended; of a folder that takes another's
            place, there is none for an instant.
        argument: What the caller calls `path`, for errors.

    Yields:
        The temporary path, with the name of `path`; nothing is there yet.

    Raises:
        InvalidInputError: If the folder around it does not exist or cannot be written to.

    Cost: one folder and two renamings, within one file system; nothing is copied.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with replacing(Path(folder) / "note.txt") as temporary:
        ...         _ = temporary.write_text("whole")
        ...     os.listdir(folder)
        ['note.txt']
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise InvalidInputError(f"`{argument}`: there is no folder {str(target.parent)!r}; make it first")
    place = ExitStack()
    try:
        folder = place.enter_context(own_folder(target.parent))
    except OSError as error:
        raise InvalidInputError(f"`{argument}`: cannot write to {str(target.parent)!r}: {error.strerror}") from error
    with place:
        # A file in a new folder, not one of `mkstemp`, so that it gets the permissions that any new file gets.
        temporary = folder / target.name
        yield temporary
        before = folder / _BEFORE
        if temporary.is_dir() and target.is_dir():
            os.replace(target, before)
        try:
            os.replace(temporary, target)
        except OSError:
            if before.exists():
                os.replace(before, target)
            raise
