"""Writes a network of the assets that is a module and a state dict as `.pt2`, which the command line reads.

python -m benchmarks.exported resnet20_cifar10 resnet20.pt2
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from tests.network.asset_modules import build

from benchmarks.common import ASSETS


def main() -> None:
    """Build the module, and export it for batches of any size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="name of the asset")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    folder = ASSETS / "models" / options.name
    module, shape = build(
        options.name, next(path for path in folder.iterdir() if path.suffix in (".pth", ".pt", ".th"))
    )
    example = torch.zeros(2, *shape)
    batch = torch.export.Dim("batch")
    torch.export.save(torch.export.export(module.eval(), (example,), dynamic_shapes=({0: batch},)), options.out)


if __name__ == "__main__":
    main()
