"""Writes the documentation's tables of models: `python -m tests.network.model_tables`.

Networks of natural size are measured by `python -m benchmarks.natural`; the small ones of the tests are imported here.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import onnx

from splinescope.network import Network, from_onnx, from_sklearn, from_torch
from tests.network import test_from_sklearn as sklearn_models
from tests.network import test_people_onnx as onnx_models
from tests.network import test_people_torch as torch_models
from tests.network.natural_models import MODELS

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "models.md"
MEASURED = REPOSITORY / "benchmarks" / "results" / "natural.json"

HEAD = """# Models that people have

Every model here is defined in the tests, imported, and compared with its original, module or onnxruntime.
`python -m tests.network.model_tables` writes this page (with `natural`, the first table alone), and
`tests/network/test_model_tables.py` holds it to them. [Networks of public benchmarks](acceptance.md) and
[all ops](ops.md) have pages of their own.

## Of natural size

Inputs of 3 x 224 x 224, weights at random, batch-norm with statistics of its inputs; one thread, and seconds of a
processor. The sizes are peaks of the process: with the module alone in float32, after its import in float64 and the
comparison, and after a slice through three random inputs, cut into as many cells as are stated, with its certificate
of the level that is stated and at most 2 GiB for the values at vertices. Measured on {machine} by
`python -m benchmarks.natural`.

"""
SMALL = """
## As people write them

Each one is compared at three scales, its cells on a slice are proved, and the patterns of a grid are found among them
(`tests/network/test_people_torch.py`, `test_people_onnx.py`, `test_from_sklearn.py`).

"""


def main() -> None:
    """Write the page; with the word `natural`, its first table alone."""
    if sys.argv[1:] == ["natural"]:
        rest = SMALL + PAGE.read_text(encoding="utf-8").partition(SMALL)[2]
    else:
        small = [row(kind, name) for kind, names in small_models().items() for name in names]
        rest = SMALL + table(("Model", "From", "Becomes", "Units", "Head"), small)
    PAGE.write_text(natural() + rest, encoding="utf-8")


def natural() -> str:
    """The page up to the small models."""
    found = json.loads(MEASURED.read_text(encoding="utf-8"))
    machine, rows = found["machine"], found["results"]
    where = f"{machine['machine']} with torch {machine['torch'].partition('+')[0]}"
    head = (
        "Network", "Parameters", "Units", "Deviation", "Module, GB", "Import, GB", "Import, s", "Cells", "Slice, GB",
        "Slice, s", "Certificate",
    )  # fmt: skip
    return HEAD.format(machine=where) + table(
        head, [_measured(name, rows[name]) for name in MODELS if "units" in rows.get(name, {})]
    )


def _measured(name: str, row: dict[str, Any]) -> tuple[str, ...]:
    sizes = [f"{row[key]:,}" for key in ("parameters", "units")]
    module, imported, cut = (_number(row, key, 1e-9, 1) for key in ("module_bytes", "import_bytes", "slice_bytes"))
    seconds, cells, cutting = (_number(row, key) for key in ("import_seconds", "cells", "slice_seconds"))
    taken = (module, imported, seconds, cells, cut, cutting)
    return name, *sizes, f"{row['deviation']:.0e}", *taken, row.get("certificate", "-")


def _number(row: dict[str, Any], key: str, factor: float = 1.0, digits: int = 0) -> str:
    """A number in words; a dash where it was not measured."""
    return f"{row[key] * factor:.{digits}f}" if key in row else "-"


def small_models() -> dict[str, list[str]]:
    """Names of the small models of the tests, by where they come from."""
    return {
        "torch": list(torch_models.MODULES),
        "ONNX": list(onnx_models.MODELS),
        "scikit-learn": list(sklearn_models.MODELS),
    }


def row(kind: str, name: str) -> tuple[str, ...]:
    """One line: what a small model becomes.

    Args:
        kind: Where it comes from.
        name: Its name in the tests.
    """
    network = _imported(kind, name)
    counts = Counter(row.op.split(" (")[0] for row in network.describe()[1:])
    ops = ", ".join(f"{count} {op}" for op, count in counts.items()) or "the input itself"
    return f"`{name}`", kind, ops, f"{network.num_units:,}", "" if network.head is None else network.head.name


def _imported(kind: str, name: str) -> Network:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "torch":
            return from_torch(torch_models.made(name), (4,))
        if kind == "scikit-learn":
            return from_sklearn(sklearn_models.fitted(*sklearn_models.MODELS[name]))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            onnx.save(onnx_models.MODELS[name](), path)
            return from_onnx(path)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
