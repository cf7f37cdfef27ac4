"""Writes the documentation's tables of ops: `python -m tests.network.op_tables`."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import onnx
import onnx.defs

from splinescope.network.importers import onnx_ops, torch_ops
from splinescope.network.importers.refusals import REASONS, UNKNOWN, reason_for

PAGE = Path(__file__).resolve().parents[2] / "docs" / "ops.md"
NEWEST = 24
"""The newest operator set that the table tells of, so that it does not change with the version of `onnx`."""

HEAD = """# Ops that are imported or refused

What the importers do with an op whose argument depends on the network's input; on constants any op may work. Each
import is compared with its original, whatever the op. `python -m tests.network.op_tables` writes this page from the
tables of the importers, and `tests/network/test_op_tables.py` holds it to them.

An op that torch itself writes in simpler ones (`lerp`, `tensordot`, `rnn_relu`, ...) is read through these. An op that
is in no table is refused by name. Products, choices and masks by comparisons are imported where the pieces meet, and
are refused where they jump, with the place.

"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The page's text."""
    torch_rows = _grouped({name: line for name, line in torch_ops.described().items() if not name.startswith("_")})
    read = {*torch_ops.described(), *(name.lower() for name in onnx_ops.described())}
    refused = _grouped({name: reason for name, reason in REASONS.items() if name not in read})
    text = HEAD + "## torch\n\n" + _table(("Ops", "Imported as"), torch_rows)
    text += "\n## ONNX\n\n" + _table(("Op", "Changed in operator sets", "Imported as"), _onnx_rows())
    return text + "\n## Refused by name\n\n" + _table(("Ops, in torch or ONNX", "Because"), refused)


def _grouped(lines: dict[str, str]) -> list[tuple[str, ...]]:
    """One row for each line, with all ops that have it."""
    ops: dict[str, list[str]] = defaultdict(list)
    for name, line in lines.items():
        ops[line].append(f"`{name}`")
    return [(", ".join(names), line) for line, names in ops.items()]


def _onnx_rows() -> list[tuple[str, ...]]:
    read = onnx_ops.described()
    versions: dict[str, set[int]] = defaultdict(set)
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.since_version <= NEWEST:
            versions[schema.name].add(schema.since_version)
    rows = []
    for name in sorted(versions):
        reason = reason_for(name.removesuffix("Like"))
        words = read.get(name) or ("refused: " + ("not known" if reason == UNKNOWN else reason))
        rows.append((f"`{name}`", ", ".join(map(str, sorted(versions[name]))), words))
    return rows


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
