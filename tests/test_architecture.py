"""The house: what is public, what is imported when, and how large things are."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import splinescope
from splinescope.tessellation.planar.complex import PlanarComplex

SOURCE = Path(splinescope.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))

PUBLIC = [
    "Box",
    "Network",
    "PolyhedralComplex",
    "Segment",
    "Slice",
    "SplinescopeError",
    "Tolerance",
    "__version__",
    "complexity",
    "datasets",
    "decision_boundary",
    "errors",
    "from_onnx",
    "from_torch",
    "initialization",
    "level_set",
    "load",
    "models",
    "observers",
    "paths",
    "plotting",
    "region_graph",
    "tessellate",
    "tessellate_segments",
]
ERRORS = {
    "CertificateError": "SplinescopeError",
    "CertificateWarning": "UserWarning",
    "DegenerateArrangementError": "SplinescopeError",
    "InvalidInputError": "SplinescopeError",
    "MissingDependencyError": "SplinescopeError",
    "SplinescopeError": "Exception",
    "StoreError": "SplinescopeError",
    "UnsupportedOpError": "SplinescopeError",
}
COMPLEX = {
    "vertices", "cell_vertices", "cell_offsets", "edges", "edge_cells", "edge_op", "edge_unit", "vertex_outputs",
    "patterns", "packed_patterns", "pattern_nodes", "interior_points", "measures", "adjacency", "affine_maps", "locate",
    "certificate", "tolerance", "truncated", "domain", "network", "dimension",
}  # fmt: skip


def in_fresh_process(code: str) -> dict[str, object]:
    """What a program prints as JSON, in a process that has imported nothing."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_public_names() -> None:
    assert sorted(splinescope.__all__) == PUBLIC
    assert set(PUBLIC) <= set(dir(splinescope))
    for name in PUBLIC:
        assert getattr(splinescope, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'tesselate'; it has .*tessellate"):
        _ = splinescope.tesselate


def test_exception_tree() -> None:
    classes = {name: kind for name, kind in vars(splinescope.errors).items() if isinstance(kind, type)}
    tree = {name: kind.__bases__[0].__name__ for name, kind in classes.items() if issubclass(kind, Exception)}
    assert tree == ERRORS
    assert issubclass(splinescope.errors.InvalidInputError, ValueError)


def test_certificate_error_has_its_cells() -> None:
    assert splinescope.errors.CertificateError("wrong", cells=[3, 1]).cells == (1, 3)
    assert splinescope.errors.CertificateError("wrong").cells == ()


def test_complex_has_the_names_of_the_contract() -> None:
    fields = set(PlanarComplex.__dataclass_fields__)
    assert set() == COMPLEX - fields - set(dir(PlanarComplex))


def test_import_loads_nothing_heavy() -> None:
    heavy = ["torch", "numba", "matplotlib", "sklearn", "onnx", "onnxruntime", "pandas", "shapely", "typer", "rich"]
    code = f"import json, sys, splinescope; print(json.dumps([name for name in {heavy} if name in sys.modules]))"
    assert in_fresh_process(code) == []


def test_core_loads_no_optional_package() -> None:
    optional = ["matplotlib", "sklearn", "onnx", "onnxruntime", "pandas", "shapely", "typer", "rich"]
    code = (
        "import json, sys, splinescope; splinescope.tessellate, splinescope.load, splinescope.decision_boundary; "
        f"print(json.dumps([name for name in {optional} if name in sys.modules]))"
    )
    assert in_fresh_process(code) == []


def test_import_is_quick() -> None:
    """In units of what torch takes, so that a busy machine changes nothing."""
    code = """
import json, time
start = time.process_time()
import torch
torchs = time.process_time() - start
start = time.process_time()
import splinescope
alone = time.process_time() - start
splinescope.tessellate, splinescope.load
print(json.dumps([alone / torchs, (time.process_time() - start) / torchs]))
"""
    alone, with_core = in_fresh_process(code)
    assert alone < 0.1
    assert with_core < 1.5


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_modules_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 450, "split it, or say beside it why not"
    for node in ast.walk(ast.parse(text)):
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), "bare except"
        assert not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"), "print"
    assert "utils" not in path.name
