"""The command `demo`: a digits network, trained on the spot, and the plane through three digits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from splinescope.cli import options as of
from splinescope.cli.plane_result import Picture, leave_cells
from splinescope.cli.run import Run
from splinescope.storage import write_arrays

if TYPE_CHECKING:
    from torch import nn

WIDTHS = (64, 64, 64, 10)
DIGITS = (3, 7, 8)
"""The plane goes through the first image of each of these digits."""


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the results; made if missing.")] = Path("demo"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the network's weights and of the training.")] = 0,
    force: of.Force = False,
    as_json: of.Json = False,
) -> None:
    """Train a small network on handwritten digits, and cut its tessellation in the plane through three of them.

    Takes some seconds and needs nothing: the digits come with splinescope. Leaves the picture, the arrays, the
    summary, and the network itself, so that `splinescope slice` can go on from there.
    """
    import torch

    from splinescope import datasets, models
    from splinescope.network import load
    from splinescope.tessellation.domains import Slice
    from splinescope.tessellation.planar.engine import tessellate_slice

    run = Run(out, "network.npz", as_json, force)
    generator = torch.Generator().manual_seed(seed)
    data = datasets.digits()
    module = models.mlp(WIDTHS, generator=generator)
    result = models.train_classifier(module, data.inputs, data.labels, generator=generator, epochs=40, batch_size=128)
    network = load(module, input_shape=(1, 8, 8))
    first = [int(torch.nonzero(data.labels == digit)[0]) for digit in DIGITS]
    plane = Slice.through(*data.take(first).numpy())
    with run.computing() as progress:
        cells = tessellate_slice(network, plane, verify="proof", progress=progress)
    picture = Picture("digits network, plane through three digits", color="class", view=True)
    leave_cells(
        run,
        cells,
        picture,
        {"accuracy": result.accuracy},
        {"model": ("network.npz", lambda path: _save(module, path))},
    )
    if not as_json:
        Console().print(_go_on(out), highlight=False, soft_wrap=True)


def _save(module: nn.Sequential, path: Path) -> None:
    """Leave the network as arrays W0, b0, W1, b1, ... of its layers."""
    from torch import nn

    layers = [layer for layer in module if isinstance(layer, nn.Linear)]
    arrays: dict[str, Any] = {f"W{number}": layer.weight.detach().numpy() for number, layer in enumerate(layers)}
    arrays |= {f"b{number}": layer.bias.detach().numpy() for number, layer in enumerate(layers)}
    write_arrays(path, arrays)


def _go_on(out: Path) -> str:
    """What to try next."""
    return (
        f"\nOpen {out / 'picture.png'}, or {out / 'view.html'} to look around in it.\n"
        "The same network in another plane:\n"
        f"  splinescope slice {out / 'network.npz'} --data digits --indices 0,1,2 --out {out / 'another'}"
    )
