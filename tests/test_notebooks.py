"""The tutorials as notebooks in a Jupyter kernel, and the viewer's widget with its kernel; see `make notebooks`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.seeds import thorough

nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed; `make notebooks` brings it")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed; `make notebooks` brings it")
pytest.importorskip("ipykernel", reason="ipykernel is not installed; `make notebooks` brings it")
converter = pytest.importorskip(
    "sphinx_gallery.notebook", reason="sphinx-gallery is not installed; `make notebooks` brings it"
)

ROOT = Path(__file__).resolve().parent.parent
TUTORIALS = re.findall(r"gallery/(plot_\w+)>", (ROOT / "docs" / "tutorials.md").read_text(encoding="utf-8"))


def test_there_are_five_tutorials() -> None:
    assert len(set(TUTORIALS)) == 5
    assert all((ROOT / "examples" / f"{name}.py").is_file() for name in TUTORIALS)


@thorough
@pytest.mark.parametrize("name", TUTORIALS)
def test_tutorial_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPLBACKEND")  # the kernel shows pictures
    script = shutil.copy(ROOT / "examples" / f"{name}.py", tmp_path)
    converter.python_to_jupyter_cli([str(script)])
    notebook = nbformat.read(tmp_path / f"{name}.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)


@thorough
def test_cells_chosen_in_a_notebook_reach_its_kernel() -> None:
    pytest.importorskip("anywidget", reason="anywidget is not installed; `pip install 'splinescope[notebook]'`")
    make = """
import torch, splinescope
cells = splinescope.tessellate(torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU()),
                               splinescope.Slice.box([-1, -1], [1, 1]))
viewer = cells.explore().widget()
seen = []
viewer.observe(lambda change: seen.append(change["new"]), "selected_cells")
viewer
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(make)])
    notebook.cells.append(nbformat.v4.new_code_cell("print(viewer.selected_cells, seen)"))
    client = nbclient.NotebookClient(notebook, timeout=300)
    with client.setup_kernel():
        client.execute_cell(notebook.cells[0], 0)
        (shown,) = [output for output in notebook.cells[0].outputs if output.output_type == "execute_result"]
        model = shown["data"]["application/vnd.jupyter.widget-view+json"]["model_id"]
        update = {
            "comm_id": model,
            "data": {"method": "update", "state": {"selected_cells": [3, 1]}, "buffer_paths": []},
        }
        client.kc.shell_channel.send(client.kc.session.msg("comm_msg", update))
        client.execute_cell(notebook.cells[1], 1)
    assert notebook.cells[1].outputs[0]["text"].strip() == "[3, 1] [[3, 1]]"
