"""Sphinx configuration: built with warnings as errors by `make docs`."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")

import splinescope

sys.path.insert(0, str(Path(__file__).resolve().parent))
import measured_tables
import question_table

project = "splinescope"
author = "The splinescope developers"
copyright = "2026, the splinescope developers"
version = release = splinescope.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",
]
exclude_patterns = ["_build", "gallery/*.ipynb", "gallery/*.py", "gallery/*.zip", "**/GALLERY_HEADER.rst"]
default_role = "code"
nitpicky = False

myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1,
    "plot_gallery": True,
    "parallel": os.cpu_count() or 1,
}
suppress_warnings = ["config.cache"]

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
viewcode_line_numbers = True

html_theme = "furo"
html_title = f"splinescope {release}"
html_static_path = ["_static"]
html_show_sourcelink = False


_PAGES = {"errors": "numerics-and-errors", "numerics": "numerics-and-errors", "datasets": "data-and-models"}
_PAGES["models"] = _PAGES["datasets"]
"""Pages of the reference that do not have the name of their package."""


def front_door() -> str:
    """The table of all public names: what each is, and the page that says more."""
    rows = ["| name | what it is | page |", "| --- | --- | --- |"]
    for name, home in splinescope.PUBLIC.items():
        package = name if home == "splinescope" else home.split(".")[1]
        page = _PAGES.get(package, package)
        line = (getattr(splinescope, name).__doc__ or "").strip().splitlines()[0].replace("|", "\\|")
        rows.append(f"| `{name}` | {line} | [{page}]({page}.md) |")
    return "\n".join(rows)


def _with_front_door(app, name, source):
    source[0] = source[0].replace("<!-- the table of public names -->", front_door())


def _with_questions(app, name, source):
    if "<!-- the table of questions -->" in source[0]:
        source[0] = source[0].replace("<!-- the table of questions -->", question_table.table())


def _with_measured(app, name, source):
    source[0] = measured_tables.filled(source[0])


def _house_markup(app, what, name, obj, options, lines):
    """Docstrings write mathematics as $...$ and shapes as [N, *shape]; say both in reStructuredText."""
    text = re.sub(r"\$\$(.+?)\$\$", r"$\1$", "\n".join(lines), flags=re.DOTALL)
    text = re.sub(r"(?<![\\$])\$([^$]+?)\$", lambda match: f":math:`{' '.join(match[1].split())}`", text)
    parts = re.split(r"(`[^`]*`)", text)
    parts[::2] = [re.sub(r"(?<=[\[\s,'])\*(?=\w+[\],'])", r"\*", part) for part in parts[::2]]
    lines[:] = "".join(parts).split("\n")


def _forget_gallery_of_other_sources():
    """An example is run again if it has changed since it was run last, and all are if the library has."""
    docs = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted((docs.parent / "src").rglob("*.py")):
        digest.update(path.read_bytes())
    stamp = docs / "gallery" / ".sources"
    if not stamp.is_file() or stamp.read_text() != digest.hexdigest():
        for path in stamp.parent.glob("*.md5"):
            path.unlink()
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(digest.hexdigest())


def setup(app):
    _forget_gallery_of_other_sources()
    app.connect("autodoc-process-docstring", _house_markup)
    app.connect("source-read", _with_front_door)
    app.connect("source-read", _with_questions)
    app.connect("source-read", _with_measured)
