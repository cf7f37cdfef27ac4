"""Whatever is wrong with a file of arrays, the one reader says so by the one exception, before it takes memory."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from splinescope.errors import InvalidInputError, StoreError
from splinescope.storage import load_archive, load_array, own_folder, read_arrays, replacing


def packed(array: np.ndarray) -> bytes:
    """An array as the bytes of a `.npy` file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def header(text: str, rest: bytes = b"", version: int = 1) -> bytes:
    """The bytes of a `.npy` file with a header of one's own."""
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode("latin1") + rest


def archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    """An archive of members."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


ARRAYS = {
    "1-d": np.arange(5.0),
    "0-d": np.array(3),
    "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "text": np.array("text"),
    "empty": np.zeros((0, 4)),
    "complex": np.array([1j]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_reads_what_numpy_writes(name: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=ARRAYS[name])
    np.savez_compressed(tmp_path / "b.npz", x=ARRAYS[name])
    np.save(tmp_path / "c.npy", ARRAYS[name])
    found = [
        load_archive(tmp_path / "a.npz")["x"],
        load_archive(tmp_path / "b.npz")["x"],
        load_array(tmp_path / "c.npy"),
    ]
    for array in found:
        np.testing.assert_array_equal(array, ARRAYS[name])
        assert (array.dtype, array.flags.f_contiguous) == (ARRAYS[name].dtype, ARRAYS[name].flags.f_contiguous)
        assert array.flags.writeable


SHAPED = "{'descr': '<f8', 'fortran_order': False, 'shape': %s, }"
DAMAGED = {
    "nothing": b"",
    "no magic": b"PK\x03\x04 and more",
    "objects": packed(np.array([{}], object)),
    "structure": packed(np.zeros(2, [("a", "f8")])),
    "too short": packed(np.arange(9.0))[:-3],
    "too long": packed(np.arange(9.0)) + b"\0",
    "huge": header(SHAPED % "(1000000000000000,)", b"\0" * 8),
    "negative": header(SHAPED % "(-1,)", b""),
    "overflow": header(SHAPED % "(4294967296, 4294967296, 4)", b""),
    "code": header("__import__('os').abort()"),
    "nested": header("(" * 9000),
    "nested lists": header(SHAPED % ("[" * 900 + "]" * 900)),
    "unfinished": header("{'descr': '"),
    "another version": header(SHAPED % "()", version=3),
    "no size": header("{'descr': '<U0', 'fortran_order': False, 'shape': (99999999999,), }"),
    "backslash": header("{'descr': '\\d', 'fortran_order': False, 'shape': (), }"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_arrays(name: str, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(DAMAGED[name])
    with pytest.raises(StoreError):
        load_array(tmp_path / "x.npy")
    with pytest.raises(StoreError):
        load_archive(archive(tmp_path / "x.npz", {"x.npy": DAMAGED[name]}))
    with pytest.raises(StoreError, match=r"`log`: .* is not a complete log"):
        read_arrays(tmp_path / "x.npz", "log", argument="log")


def test_damaged_archives(tmp_path: Path) -> None:
    array = packed(np.arange(100.0))
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with pytest.raises(StoreError, match=r"its compression, method 1\d, is not known"):
            load_archive(archive(tmp_path / "x.npz", {"x.npy": array}, method))
    path = archive(tmp_path / "x.npz", {"x.npy": array})
    whole = path.read_bytes()
    path.write_bytes(
        whole.replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01").replace(
            b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
        )
    )
    with pytest.raises(StoreError, match="encrypted"):
        load_archive(path)
    path.write_bytes(whole[:200] + b"\xff" + whole[201:])
    with pytest.raises(StoreError, match="CRC"):
        load_archive(path)
    with pytest.raises(StoreError, match="several arrays have the same name"):
        load_archive(archive(tmp_path / "x.npz", {"x.npy": array, "x": array}))
    np.savez(path, record=np.array("[" * 100_000))
    with pytest.raises(StoreError, match="is not a complete file of arrays"):
        read_arrays(path)


def test_bombs_are_refused_by_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros(1 << 18))
    monkeypatch.setenv("SPLINESCOPE_CONTENT_LIMIT", "1000000")
    with pytest.raises(InvalidInputError, match=r"the content of '.*x\.npz' would take .* SPLINESCOPE_CONTENT_LIMIT"):
        load_archive(tmp_path / "x.npz")
    monkeypatch.setenv("SPLINESCOPE_CONTENT_LIMIT", "3000000")
    assert len(load_archive(tmp_path / "x.npz")["x"]) == 1 << 18
    monkeypatch.setenv("SPLINESCOPE_CONTENT_LIMIT", "3 GB")
    with pytest.raises(InvalidInputError, match="`SPLINESCOPE_CONTENT_LIMIT`: got '3 GB'; expected a number of bytes"):
        load_archive(tmp_path / "x.npz")


WAITS = """
import sys, time
from pathlib import Path
from splinescope.storage import replacing
with replacing(Path(sys.argv[1]) / "file") as temporary:
    temporary.write_text("half")
    print("there", flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no locks of folders")
def test_folders_of_killed_runs_are_removed_by_the_next(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", WAITS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "there\n"
        with replacing(tmp_path / "other") as temporary:
            temporary.write_text("whole")
        left = list(tmp_path.glob(".splinescope-*"))
        assert len(left) == 1, "that of a run under way stays"
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    with own_folder(tmp_path) as mine:
        assert list(tmp_path.glob(".splinescope-*")) == [mine]
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_the_only_copy_of_a_folder_is_not_removed(tmp_path: Path) -> None:
    kept = tmp_path / ".splinescope-killed" / "before"
    kept.mkdir(parents=True)
    with own_folder(tmp_path):
        assert kept.is_dir()
