"""The house: what is public, what is imported when, and how large things are."""

from __future__ import annotations

import ast
import functools
import graphlib
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import splinescope
from splinescope.experiments import EXPERIMENTS
from splinescope.tessellation.planar.complex import PlanarComplex
from tests.seeds import long_cases

SOURCE = Path(splinescope.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
PACKAGES = sorted(path.parent.name for path in SOURCE.glob("*/__init__.py"))

ERRORS = {
    "CertificateError": "SplinescopeError",
    "CertificateWarning": "UserWarning",
    "DegenerateArrangementError": "SplinescopeError",
    "InvalidInputError": "SplinescopeError",
    "MissingDependencyError": "SplinescopeError",
    "SplinescopeError": "Exception",
    "StoreError": "SplinescopeError",
    "StoreWarning": "UserWarning",
    "UnsupportedOpError": "SplinescopeError",
    "WorkerError": "SplinescopeError",
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


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """What a file says; many tests ask for it."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path, *, for_type_checkers: bool = False) -> dict[str, str]:
    """Names that a file imports at its top, or in its branch for type checkers, and the module of each."""
    tree = tree_of(path)
    branch = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    body = [line for node in branch for line in node.body] if for_type_checkers else tree.body
    return {
        alias.asname or alias.name: node.module or ""
        for node in body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_public_names() -> None:
    assert list(splinescope.PUBLIC) == sorted(splinescope.PUBLIC)
    assert splinescope.__all__ == ["__version__", *splinescope.PUBLIC]
    assert dir(splinescope) == sorted(splinescope.__all__)
    for name, home in splinescope.PUBLIC.items():
        value = getattr(splinescope, name)
        assert value is getattr(importlib.import_module(home), name)
        assert value is sys.modules[f"{home}.{name}"] if home == "splinescope" else hasattr(value, "__module__")


def test_type_checkers_see_the_public_names() -> None:
    assert imports_of(SOURCE / "__init__.py", for_type_checkers=True) == splinescope.PUBLIC


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_export_what_they_import(package: str) -> None:
    """Where a package is not lazy, the names that it takes from its own modules are its public ones."""
    module = importlib.import_module(f"splinescope.{package}")
    imports = imports_of(SOURCE / package / "__init__.py")
    taken = sorted(name for name, home in imports.items() if home.startswith("splinescope."))
    assert sorted(getattr(module, "__all__", [])) == taken


def test_pictures_are_exported() -> None:
    """Whatever draws a picture of its own is public: `plot_*` and nothing else is."""
    drawn = {
        node.name
        for path in (SOURCE / "plotting").glob("*.py")
        for node in tree_of(path).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("plot_")
    }
    assert drawn == {name for name in splinescope.plotting.__all__ if name.startswith("plot_")}


def properties() -> list[tuple[str, str]]:
    """Each property of the library, and the first line of what it says of itself."""
    found = []
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.FunctionDef):
                continue
            if any("property" in ast.unparse(decorator) for decorator in node.decorator_list):
                text = (ast.get_docstring(node) or "").splitlines()
                found.append((f"{path.relative_to(SOURCE)}: {node.name}", text[0] if text else ""))
    return found


def test_properties_say_what_they_are() -> None:
    """Sphinx takes what stands before a colon in the first line of a property's docstring for its type."""
    found = properties()
    assert [where for where, line in found if ":" in line] == []
    assert len(found) > 200


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


def test_one_module_draws_bars() -> None:
    found = [str(path.relative_to(SOURCE)) for path in MODULES if "tqdm" in path.read_text(encoding="utf-8")]
    assert found == ["progress.py"]


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


OPS = {name for name in splinescope.network.ops.__all__ if name not in ("Reads", "Tables", "Walls")}
ASKED = {
    "complexity/theory/architectures.py: _is_dense": "a theorem is about dense layers, whose units may be scaled",
    "initialization/least_squares.py: __init__": "a convolution's units are its channels",
    "landscape/exact_polynomials.py: decisive": "breakpoints, or members of a group that are there",
    "landscape/factors.py: factors_of": "derivatives by the weights of each kind of layer",
    "landscape/parameters.py: _add": "scales take steps of their own, since batch-norm computes them",
    "landscape/parameters.py: _scale_step": "scales take steps of their own, since batch-norm computes them",
    "landscape/propagation.py: _events": "events of breakpoints, or of changes of the leader",
    "landscape/propagation.py: _folded": "polynomials are cut at breakpoints, or where groups change their leader",
    "paths/proof/crossings.py: crossings": "curves break at breakpoints, and where groups change their leader",
    "tessellation/certificate/digits.py: _applied": "multi-digit arithmetic of breakpoints and of comparisons",
    "tessellation/certificate/facts.py: undecided": "one kernel looks at breakpoints, one at members of groups",
    "tessellation/certificate/forms.py: _": "exact forms of its own for each affine op; all others go by their rows",
    "tessellation/certificate/forward.py: bound_of": "how an error grows behind a breakpoint, and behind a comparison",
    "tessellation/certificate/groups.py: activation": "rows of a shared pass are sums at breakpoints ...",
    "tessellation/certificate/groups.py: maximum": "... and differences of members",
    "tessellation/certificate/patterns.py: check_patterns": "only winners can be no members",
    "tessellation/enclosure/gaps.py: __init__": "tables of activations; of other folds there are no gaps",
    "tessellation/enclosure/relaxations.py: relaxation": "lines around the graph of one unit, and around a maximum",
    "tessellation/planar/piece.py: _following_folds": "signs are packed on the way if an activation follows",
    "tessellation/region_graph/bound.py: _folds": "breakpoints within a range, and members that may lead",
    "tessellation/segments/steps.py: advance": "segments cut at breakpoints, or follow the lead of groups",
    "tessellation/segments/steps.py: of": "a convolution makes kinks by its stencil",
    "tessellation/sweep.py: advance": "planes and spaces cut at breakpoints, or hold a tournament",
    "tessellation/zeros.py: mark_unproved": "a fold is looked at on its piece, an affine op as a whole",
    "trajectory/symmetry/layouts.py: _of": "which axes of an op belong to units",
    "trajectory/symmetry/weights.py: weights_of": "which tensors of an op are weights",
    "trajectory/symmetry/weights.py: with_weights": "which tensors of an op are weights",
}
"""Places outside `network` that look at the class of an op, and why; all others ask the op."""


def looks_at_ops(tree: ast.AST, names: set[str]) -> dict[str, int]:
    """How often each function tells things apart by some classes: `isinstance`, `match`, `type` or `register`."""
    found: dict[str, int] = {}

    def mentions(node: ast.AST | None) -> bool:
        return node is not None and any(isinstance(part, ast.Name) and part.id in names for part in ast.walk(node))

    def looks(node: ast.AST) -> bool:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return node.func.id in ("isinstance", "issubclass") and mentions(node.args[1])
        if isinstance(node, ast.Compare):
            return ast.unparse(node.left).startswith("type(") and any(map(mentions, node.comparators))
        return isinstance(node, ast.MatchClass) and mentions(node.cls)

    def visit(node: ast.AST, inside: str) -> None:
        if isinstance(node, ast.FunctionDef):
            inside = node.name
            registered = any("register" in ast.unparse(decorator) for decorator in node.decorator_list)
            found[inside] = found.get(inside, 0) + (registered and mentions(node.args))
        found[inside] = found.get(inside, 0) + looks(node)
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(tree, "")
    return {inside: count for inside, count in found.items() if count}


def test_the_search_for_ops_sees_all_ways_to_look() -> None:
    code = """
def one(op): return isinstance(op, Fold | Sum)
def two(op): return type(op) is Sum
def three(op):
    match op:
        case Sum(): pass
@one.register
def four(op: Sum): pass
def none(op: Sum): return isinstance(op, int), Sum(1)
"""
    names = {"Fold", "Sum"}
    assert looks_at_ops(ast.parse(code), names) == {"one": 1, "two": 1, "three": 1, "four": 1}


def test_ops_answer_for_themselves() -> None:
    """Engines handle affine ops and folds: a new op is one class, and no switch on classes has to learn of it."""
    places = set()
    for path in MODULES:
        name = path.relative_to(SOURCE).as_posix()
        if name.startswith("network/"):
            continue
        tree = tree_of(path)
        imported = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("splinescope.network.ops")
            for alias in node.names
        }
        found = looks_at_ops(tree, imported & OPS)
        places |= {f"{name}: {inside}" for inside in found}
    assert places == set(ASKED)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_modules_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400, "split it, or say beside it why not"
    for node in ast.walk(tree_of(path)):
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), "bare except"
        assert not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"), "print"
    assert "utils" not in path.name


SHARED_CLASSES = {
    "Settings": "what an experiment may be run with",
}


def test_class_names_are_unique() -> None:
    homes: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(str(path.relative_to(SOURCE)))
    assert {name: where for name, where in homes.items() if len(where) > 1 and name not in SHARED_CLASSES} == {}


ROLES = {
    "cells": "which cells there are, with what is asked of each",
    "certificate": "what was verified, by means that share nothing with the engine",
    "search": "how what is not known yet is looked for, within budgets",
    "modules": "what is looked for in torch modules",
    "claims": "what an experiment's source says, held against its numbers",
    "figures": "pictures of an experiment from its numbers",
    "panels": "parts of an experiment's pictures",
    "run": "what is done, step by step",
    "samples": "points that were drawn, and what is done with them",
    "settings": "what an experiment may be run with",
    "base": "what all of one kind share",
    "complex": "the cells of one kind of domain",
    "crossings": "where folds cross what is there",
    "engine": "the one function that cuts one kind of domain",
    "judge": "who decides what float64 does not tell",
    "results": "the records that questions are answered with, and the folder that a command leaves",
    "rounding": "how well float64 knows values",
    "steps": "what one node of the network does to what is cut so far; those of paths are lengths",
    "topology": "checks of cells that need no network",
}
"""File names that may occur three times or more, and what they mean wherever they occur."""


def test_file_names_mean_one_thing() -> None:
    homes: dict[str, list[str]] = {}
    for path in MODULES:
        homes.setdefault(path.stem, []).append(str(path.parent.relative_to(SOURCE)))
    often = {name: where for name, where in homes.items() if len(where) >= 3 and name != "__init__"}
    assert {name: where for name, where in often.items() if name not in ROLES} == {}
    assert [name for name in ROLES if name not in homes] == []


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


NAMES = {name_of(module) for module in MODULES}


def ours(path: Path) -> set[str]:
    """Modules of ours that a file imports: at its top, within functions, or for type checkers."""
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("splinescope."):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} & NAMES or {node.module}
    return found


def test_modules_don_t_import_in_circles() -> None:
    order = graphlib.TopologicalSorter({name_of(path): ours(path) for path in MODULES})
    order.prepare()  # raises CycleError with the circle


def test_experiments_know_what_is_shared_and_not_one_another() -> None:
    """One folder for each, all of the same modules, with no word of another; what is shared knows none of them."""
    home = SOURCE / "experiments"
    folders = {path.name for path in home.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == {entry.name.replace("-", "_") for entry in EXPERIMENTS} | {"shared"}
    assert {path.name for path in home.glob("*.py")} == {"__init__.py"}
    for folder in folders:
        modules = {path.stem for path in (home / folder).glob("*.py")}
        assert folder == "shared" or modules >= {"settings", "run", "claims", "figures"}
        for path in (home / folder).glob("*.py"):
            known = {name.split(".")[2] for name in ours(path) if name.startswith("splinescope.experiments.")}
            assert known <= {folder, "shared"}, path


@pytest.mark.parametrize("module", ["claims", "figures"])
def test_experiments_are_judged_without_what_runs_them(module: str) -> None:
    """Claims and figures follow from numbers: neither knows `run`, `settings` or the parts that a run fills."""
    for path in (SOURCE / "experiments").glob(f"*/{module}.py"):
        if path.parent.name == "shared":
            continue
        assert not {name.rpartition(".")[2] for name in ours(path)} & {"run", "settings", "reproduce"}, path
        assert not hasattr(importlib.import_module(name_of(path)), "Parts"), path


def test_long_cases_are_cases_of_tests_that_are_there() -> None:
    """What the gate leaves to the thorough run still exists there."""
    tests = Path(__file__).parent
    assert len(set(long_cases())) == len(long_cases())
    for case in long_cases():
        file, name = re.fullmatch(r"tests/(.*\.py)::(?:\w+::)*(\w+)(?:\[.*\])?", case).groups()
        assert f"def {name}(" in (tests / file).read_text(encoding="utf-8"), case
