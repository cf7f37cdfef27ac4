"""A file of data never runs code; `.pt2`, which may by torch's design, is not opened unless the user trusts it."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from splinescope.cli import main
from splinescope.errors import InvalidInputError
from splinescope.network import load

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, (f"open({str(self.marker)!r}, 'w').close()",))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small program as torch saves it."""
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    path = tmp_path_factory.mktemp("programs") / "model.pt2"
    shapes = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(module, (torch.zeros(2, 3),), dynamic_shapes=shapes), path)
    return path


def changed(program: Path, target: Path, name: str, change: Callable[[bytes], bytes], more: dict[str, bytes]) -> Path:
    """A program with one part changed and others added."""
    with zipfile.ZipFile(program) as old, zipfile.ZipFile(target, "w") as new:
        top = old.namelist()[0].partition("/")[0]
        for part in old.namelist():
            new.writestr(part, change(old.read(part)) if part.endswith(name) else old.read(part))
        for part, content in more.items():
            new.writestr(f"{top}/{part}", content)
    return target


def test_is_opened_when_trusted_only(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        InvalidInputError,
        match=r"model\.pt2 is a program of torch.export, and not opened: .* may run "
        r"code that it holds; if you trust it, say `trust=True` or `--trust`\n",
    ) as caught:
        load(program)
    assert "that nothing was found proves little" in caught.value.__notes__[0]
    assert load(program, trust=True).num_units == 4
    assert main(["info", str(program)]) == 2
    assert "--trust" in capsys.readouterr().err
    assert main(["info", str(program), "--trust"]) == 0


def pickled(value: object) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def evil_expression(content: bytes, marker: Path) -> bytes:
    code = f"open({str(marker)!r}, 'w').close()"
    text = content.decode()
    assert '"expr_str": "Symbol' in text
    start = text.index('"expr_str": "') + len('"expr_str": "')
    return (text[:start] + json.dumps(code)[1:-1] + text[text.index('"', start) :]).encode()


def test_says_what_it_found_and_runs_nothing(program: Path, tmp_path: Path) -> None:
    marker, evil = tmp_path / "marker", tmp_path / "evil.pt2"
    cases: dict[str, tuple[str, Callable[[bytes], bytes], dict[str, bytes]]] = {
        r"a pickle that may run code \(data/sample_inputs/model.pt\)": (
            "sample_inputs/model.pt", lambda _: pickled(Evil(marker)), {}),
        r"pickled tensors \(data/weights/model_weights_config.json\)": (
            "model_weights_config.json", lambda c: c.replace(b'"use_pickle": false', b'"use_pickle": true', 1), {}),
        r"an object of Python \(data/constants/opaque_obj_0\)": (
            "nothing", bytes, {"data/constants/opaque_obj_0": pickle.dumps(Evil(marker))}),
        r"an expression that is no plain size \(models/model.json\)": (
            "models/model.json", lambda c: evil_expression(c, marker), {}),
    }  # fmt: skip
    for found, (name, change, more) in cases.items():
        with pytest.raises(InvalidInputError, match=f"not opened: .*; it holds {found}\n"):
            load(changed(program, evil, name, change, more))
        assert not marker.exists()
