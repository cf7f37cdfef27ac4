"""Writes the documentation's table of all networks among the assets: `python -m tests.network.acceptance_table`."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np

from splinescope.errors import UnsupportedOpError
from splinescope.network import Network
from tests.network.assets import ABSENT, REPOSITORY, Asset, assets, imported, original

PAGE = REPOSITORY / "docs" / "acceptance.md"
HEAD = """# Networks that are imported or refused

Every import is compared with its original on 100 random inputs, uniform in $[-1, 1]$: with onnxruntime for ONNX files,
with the module itself for PyTorch checkpoints (both in float32), with plain NumPy for bare layers (in float64). The
deviation is the largest difference of an output divided by the largest output; of several files it is the largest. A
unit is an element that can fold: of a ReLU or another activation, or of a max-pool. The networks come from the
verification competitions (VNN-COMP), from Marabou, ERAN and other published collections, and are not part of
splinescope. `tests/network/test_acceptance.py` checks all of it; `python -m tests.network.acceptance_table` writes this
page.

"""


def main() -> int:
    """Write the page; 1 if there are no assets."""
    found = assets()
    if not found:
        sys.stderr.write(f"{ABSENT}\n")
        return 1
    rows = [_row(asset) for asset in found]
    done = [row for row in rows if len(row) == 5]
    refused = [row for row in rows if len(row) == 2]
    text = HEAD + f"## Imported: {len(done)}\n\n" + _table(("Network", "Ops", "Units", "Head", "Deviation"), done)
    text += f"\n## Refused: {len(refused)}\n\n" + _table(("Network", "Reason"), refused)
    PAGE.write_text(text, encoding="utf-8")
    return 0


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _row(asset: Asset) -> tuple[str, ...]:
    """One line: what the network has, or why it is refused."""
    title = asset.name if len(asset.paths) == 1 else f"{asset.name} ({len(asset.paths)} files)"
    try:
        networks = [imported(asset, path) for path in asset.paths]
    except UnsupportedOpError as error:
        return title, str(error)
    units = sorted({network.num_units for network in networks})
    deviations = [_deviation(asset, path, n) for path, n in zip(asset.paths, networks, strict=True)]
    head = networks[0].head
    return (
        title,
        _ops(networks[0]),
        f"{units[0]:,}" if len(units) == 1 else f"{units[0]:,} to {units[-1]:,}",
        "" if head is None else head.name,
        f"{max(deviations):.1e}",
    )


def _ops(network: Network) -> str:
    counts = Counter(row.op.split(" (")[0] for row in network.describe()[1:])
    return ", ".join(f"{count} {op}" for op, count in counts.items())


def _deviation(asset: Asset, path: Path, network: Network) -> float:
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (100, *network.input_shape)).astype(np.float32)
    outputs = network(x)
    if network.head is not None:
        import torch

        outputs = network.head(torch.from_numpy(outputs)).numpy()
    expected = original(asset, path)(x).reshape(outputs.shape)
    return float(np.abs(outputs - expected).max() / np.abs(expected).max())


if __name__ == "__main__":
    sys.exit(main())
