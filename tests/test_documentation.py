"""The code in the README, on the first pages and in docstrings runs as it stands, and what is public is explained."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

import splinescope

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    pytest.param(code, id=f"{page.name}-{number}")
    for page in PAGES
    for number, code in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S))
]
SOURCE = Path(splinescope.__file__).parent


def docstrings(path: Path) -> Iterator[tuple[str, str, str]]:
    """Module, name and docstring of all that a file defines."""
    module = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield module, getattr(node, "name", ""), ast.get_docstring(node) or ""


def prose(text: str) -> str:
    """A text without code, formulas, names of arguments, and what is quoted."""
    for cut in (
        r"(?s)```.*?```",
        r"(?m)^ *(>>>|\.\.\.) .*$",
        r"(?s)`[^`]*`|\$[^$]*\$",
        r"\]\([^)]*\)",
        r"(?m)^ +\*{0,2}\w+: ",
    ):
        text = re.sub(cut, " ", text)
    return re.sub(r"\"[^\"]*\"|<[^>]*>|\s+", " ", text)


def texts() -> Iterator[tuple[str, str]]:
    """What people read: pages, docstrings, comments, and texts in pictures and messages."""
    for page in [*PAGES, *sorted((ROOT / "docs" / "design").glob("*.md"))]:
        if page.name != "glossary.md":
            yield page.name, page.read_text(encoding="utf-8")
    for path in sorted(
        set(SOURCE.rglob("*.py")) - {SOURCE / "network" / "importers" / "torch_ops.py"}
    ):  # torch's names
        where, source = str(path.relative_to(SOURCE)), path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
                yield f"{where}:{node.lineno}", node.value
        for number, line in enumerate(source.splitlines(), 1):
            if "# " in line:  # strings that have one are looked at twice, which is quicker than to take lines apart
                yield f"{where}:{number}", line[line.index("# ") :]


def replaced_words() -> dict[str, str]:
    """Words that the glossary replaces, with the term to write instead."""
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    entries = re.findall(r"^(\S.*)\n((?:  .*\n)+)", glossary, re.M)
    lists = [(term, re.search(r"\*Not:\* ([^.]+)\.", " ".join(text.split()))) for term, text in entries]
    return {word.strip(): term for term, found in lists if found for word in found[1].split(",")}


EXAMPLES = [
    pytest.param(module, text, id=f"{module}-{name}")
    for path in sorted(SOURCE.rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
    for module, name, text in docstrings(path)
    if ">>>" in text
]


def reference() -> dict[str, Any]:
    """What the pages of the reference show, by its full name; where a package has an `__all__`, all that is in it."""
    shown = {}
    for page in sorted((ROOT / "docs" / "reference").glob("*.md")):
        directive = r"^\.\. auto(module|function|class):: (\S+)\n((?:   :.*\n)*)"
        for kind, name, options in re.findall(directive, page.read_text(encoding="utf-8"), re.M):
            home, _, last = (name, "", "") if kind == "module" else name.rpartition(".")
            module = importlib.import_module(home)
            own = [key for key, value in vars(module).items() if getattr(value, "__module__", "") == home]
            named = re.search(r":members: (.+)", options)
            public = [key for key in getattr(module, "__all__", own) if not key.startswith("_")]
            names = [last] if last else named[1].split(", ") if named else public
            shown |= {f"{home}.{key}": getattr(module, key) for key in names}
    return shown


FUNCTIONS = {name: value for name, value in reference().items() if inspect.isfunction(inspect.unwrap(value))}
CLASSES = {name: value for name, value in reference().items() if inspect.isclass(value)}


def lacks(function: Any) -> list[str]:
    """What a docstring of a function does not say of its arguments and its result."""
    text, signature = inspect.getdoc(function) or "", inspect.signature(inspect.unwrap(function))
    arguments = set(signature.parameters) - {"self", "cls"}
    needs = {
        "Args:": bool(arguments),
        "Returns:": signature.return_annotation not in ("None", "NoReturn") and "Yields:" not in text,
    }
    named = set(re.findall(r"^ +\**(\w+): ", text, re.M))
    return [part for part, needed in needs.items() if needed and part not in text] + sorted(arguments - named)


@pytest.mark.parametrize("code", BLOCKS)
def test_code_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "<documentation>", "exec"), {"__name__": "__main__"})
    assert (tmp_path / "cells.png").is_file() or "savefig" not in code


def test_readme_example_is_short() -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    assert len([line for line in code.splitlines() if line.strip()]) <= 8


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert target.startswith("http") or (ROOT / target).exists(), f"{page.name}: {target}"


def test_reference_lists_the_public_names() -> None:
    spec = importlib.util.spec_from_file_location("_documentation_conf", ROOT / "docs" / "conf.py")
    assert spec is not None
    assert spec.loader is not None
    conf = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conf)
    source = [(ROOT / "docs" / "reference" / "front-door.md").read_text(encoding="utf-8")]
    conf._with_front_door(None, "reference/front-door", source)
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| \[.*\]\((.+)\) \|$", source[0], re.M)
    assert [name for name, _, _ in rows] == list(splinescope.PUBLIC)
    for _, line, page in rows:
        assert line.endswith(".")
        assert (ROOT / "docs" / "reference" / page).is_file()


@pytest.mark.parametrize(("module", "text"), EXAMPLES)
def test_examples_run(module: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = dict(vars(importlib.import_module(module)))
    failures: list[str] = []
    doctest.DocTestRunner().run(doctest.DocTestParser().get_doctest(text, names, module, None, 0), out=failures.append)
    plt.close("all")
    assert failures == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_functions_are_explained(name: str) -> None:
    """Arguments, result, what the cost grows with, and an example."""
    text = inspect.getdoc(FUNCTIONS[name]) or ""
    assert lacks(FUNCTIONS[name]) == []
    assert re.search(r"\bCost: \S", text), "what does the time that it takes grow with?"
    assert ">>> " in text


def test_reference_shows_what_is_public() -> None:
    functions = {name for name in splinescope.PUBLIC if inspect.isfunction(getattr(splinescope, name))}
    assert functions <= {name.rpartition(".")[2] for name in FUNCTIONS}
    assert len(FUNCTIONS) > 150
    assert len(CLASSES) > 100


@pytest.mark.parametrize("name", CLASSES)
def test_methods_of_public_classes_are_explained(name: str) -> None:
    """If they take arguments; and once: what overrides a method that is explained need not do it again."""
    for key, value in vars(CLASSES[name]).items():
        method = inspect.unwrap(getattr(value, "__func__", value))
        if key.startswith("_") or not inspect.isfunction(method) or len(inspect.signature(method).parameters) < 2:
            continue
        inherited = [getattr(vars(base)[key], "__func__", vars(base)[key]) for base in explained(CLASSES[name], key)]
        assert [] in map(lacks, inherited), key


def explained(kind: type, key: str) -> list[type]:
    """The class and its bases with a method of a name; where a docstring begins with them, also what it points to."""
    likened = re.match(r"See `(\w+)", inspect.getdoc(vars(kind)[key]) or "")
    others = [other for name, other in CLASSES.items() if likened and name.endswith(f".{likened[1]}")]
    return [base for base in (*kind.__mro__, *others) if key in vars(base)]


def test_one_word_for_one_thing() -> None:
    """The glossary's words, and none of those that it replaces."""
    words = replaced_words()
    assert {"tile", "activation region", "neuron"} <= set(words)
    either = re.compile(rf"\b({'|'.join(map(re.escape, words))})s?\b", re.IGNORECASE)
    plain = [word.lower() for word in words]  # much quicker to look for than the expression
    near = ((where, text) for where, text in texts() if any(word in text.lower() for word in plain))
    suspects = [(where, text) for where, text in near if either.search(text)]
    found = {where: match[0] for where, text in suspects for match in either.finditer(prose(text))}
    assert found == {}, f"write instead: {words}"


def test_glossary_is_in_order() -> None:
    terms = re.findall(r"^(\w.*)\n  ", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), re.M)
    assert len(terms) > 40
    assert terms == sorted(set(terms), key=str.lower)


def of_docs(name: str) -> Any:
    """A module beside the pages."""
    spec = importlib.util.spec_from_file_location(f"_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT / "docs"))
    return module


def test_questions_are_answered_by_what_the_reference_shows() -> None:
    """Each function of the page of questions is in the reference, and says in one sentence what it does."""
    module = of_docs("question_table")
    shown = set(reference()) | {f"splinescope.{name}" for name in splinescope.PUBLIC}
    for rows in module.QUESTIONS.values():
        for _, name, command in rows:
            assert name in shown
            assert module.answer(name).endswith(".")
            assert (ROOT / "docs" / module.page_of(name)).is_file()
            assert (
                not command or f"`splinescope {command.split()[0]} " in (ROOT / "docs" / "command-line.md").read_text()
            )


def numbers_in(found: Any) -> Iterator[float]:
    """All numbers of a JSON value."""
    if isinstance(found, dict | list):
        for value in found.values() if isinstance(found, dict) else found:
            yield from numbers_in(value)
    elif isinstance(found, int | float):
        yield float(found)


def test_measured_figures_are_those_of_the_benchmarks() -> None:
    """Marks of pages are all filled, and each number of a table is one that a benchmark left, to the digits shown."""
    module = of_docs("measured_tables")
    marks = [mark for page in PAGES for mark in module.MARK.findall(page.read_text(encoding="utf-8"))]
    assert sorted(marks) == sorted(module.TABLES)  # each once
    stored = np.array(
        [number for name in ("landscape", "trajectory", "viewer") for number in numbers_in(module.results(name))]
    )
    stored = np.concatenate([stored, 100 * stored, 1000 * stored])  # percent, milliseconds
    for name in ("eigenvalues", "planes", "grids", "copies", "digits aligned", "cifar aligned"):
        rows = module.TABLES[name]().splitlines()[2:]
        cells = [cell for row in rows for cell in row.split("|")[2:-1]]
        shown = [text for cell in cells for text in re.findall(r"\d[\d,]*(?:\.\d+)?(?:e-\d+)?", cell)]
        assert len(shown) > 5
        for text in shown:
            value, digits = float(text.replace(",", "")), len(re.sub(r"e.*|\D", "", text).lstrip("0"))
            apart = np.abs(stored - value).min()
            assert apart <= 0.51 * abs(value) * 10.0 ** (1 - max(1, digits)), f"{name}: {text}"


def test_pages_of_measured_figures_have_none_by_hand() -> None:
    """Tables of the pages about landscapes and trajectories are marks, or have no numbers."""
    benchmarks = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    section = re.search(r"(?ms)^## Landscape of the loss.*?^(?=## )", benchmarks)
    assert section is not None
    pages = [(ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("landscape", "trajectory")]
    for text in (section[0], *pages):
        assert not re.search(r"(?m)^\|.*\d", text)
        assert "<!-- measured: " in text


def test_figures_have_the_digits_that_count() -> None:
    module = of_docs("measured_tables")
    shown = {0.0965: "0.097", 0.0996: "0.10", 8.34: "8.3", 10.92: "11", 231936.0: "230,000", 0.99999: "1.0", 0.0: "0"}
    assert {value: module.figure(value) for value in shown} == shown
    assert module.figure(0.00385, 3) == "0.00385"
    assert (module.tiny(4.2e-15), module.tiny(0.00206), module.tiny(0.0)) == ("4e-15", "2e-3", "0")
    assert module.filled("a <!-- measured: planes --> b").startswith("a | samples | 5 |")
    with pytest.raises(KeyError, match="nothing"):
        module.filled("<!-- measured: nothing -->")
