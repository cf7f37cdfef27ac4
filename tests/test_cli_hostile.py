"""Points and names of files that are damaged, ambiguous or no text, on the command line."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from splinescope.cli import app, main
from splinescope.cli.points import read_array
from splinescope.errors import InvalidInputError

TEXTS = {
    "1,,2": "line 1: field 2 is empty",
    "1,2\n3,4,": "line 2: field 3 is empty",
    "0,5;1,5": "line 1: '0,5;1,5' has commas beside semicolons; write decimal points",
    "1,2\n3": "row 2 has 1 numbers, and the first one has 2",
    "1,2\n\nx,4": "line 3: could not convert string to float: 'x'",
    "\n \n": "is empty",
}


@pytest.mark.parametrize("text", TEXTS)
def test_texts_that_are_no_points(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInputError, match=f"`--point`: .*x.csv: {TEXTS[text]}"):
        read_array("--point", tmp_path / "x.csv")


def test_texts_that_are_points(tmp_path: Path) -> None:
    for text in ("\ufeff1,2\n3,4\n", "1; 2\n3; 4", "1.0,2.0\r\n\r\n3,4"):
        (tmp_path / "x.csv").write_bytes(text.encode("utf-8"))
        np.testing.assert_array_equal(read_array("--point", tmp_path / "x.csv"), [[1, 2], [3, 4]])


@pytest.mark.parametrize("array", [np.array([1j]), np.array(["2024-01-01"], "datetime64[D]"), np.zeros(0)], ids=str)
def test_arrays_that_are_no_points(array: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(InvalidInputError, match=r"`--point`: .*x.npy holds .*; expected numbers"):
        read_array("--point", tmp_path / "x.npy")


def test_large_images_are_not_unpacked(tmp_path: Path) -> None:
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (60_000).to_bytes(4, "big") * 2
    (tmp_path / "x.png").write_bytes(head + bytes(100))
    with pytest.raises(InvalidInputError, match=r"an image of 60000 x 60000 pixels would take 107\.3 GiB"):
        read_array("--point", tmp_path / "x.png")


def test_one_number_is_a_point(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array(3))
    assert read_array("--point", tmp_path / "x.npy").shape == (1,)


@pytest.mark.parametrize("name", [b"a $x^{ b$.npz", b"caf\xe9 $.npz", b"line\nbreak.npz"])
def test_names_of_files(name: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dollars would be formulas for matplotlib, other bytes no text at all; the terminal knows ASCII only."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    model = tmp_path / os.fsdecode(name)
    with model.open("wb") as file:
        np.savez(file, W0=np.eye(2), W1=np.ones((1, 2)))
    assert main(["slice", str(model), "--out", str(tmp_path / "out")]) == 0
    assert main(["info", str(model)]) == 0
    stream.flush()
    assert b"cells" in stream.buffer.getvalue()  # type: ignore[attr-defined]


def test_advice_on_memory_fits_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(*arguments: object, **named: object) -> None:
        raise MemoryError

    monkeypatch.setattr(app, "app", full)
    monkeypatch.setattr(app, "_sizes", lambda words: {})

    def full_of_tensors(*arguments: object, **named: object) -> None:
        torch.empty(1 << 60, dtype=torch.uint8)

    monkeypatch.setattr(app, "app", full_of_tensors)
    assert main(["info", "model.onnx"]) == 2
    assert "out of memory" in capsys.readouterr().err
    monkeypatch.setattr(app, "app", full)
    for command, advice in (("slice", "--store"), ("regions", "--time-limit"), ("info", "a machine with more")):
        assert main([command, "model.onnx"]) == 2
        told = capsys.readouterr().err
        assert "out of memory" in told
        assert advice in told
