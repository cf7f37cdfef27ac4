"""The graph of a network: its nodes in layers, and who reads whom."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from splinescope.errors import InvalidInputError
from splinescope.network import ModelLike, as_network

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.network import Network

MOST_NODES = 600
"""More nodes than that make a picture that nobody reads."""

_FOLDS, _AFFINE = "#f2c9a1", "#c9dcec"


def plot_network_graph(network: ModelLike, ax: Axes | None = None) -> Axes:
    """Draw the graph of a network, from the input at the top to the output; nodes that fold stand out.

    Args:
        network: The network; or a module that tells its input shape, or the path of a file.
        ax: Where to draw; new axes of a fitting size by default.

    Returns:
        The axes.

    Raises:
        InvalidInputError: If it has more than `MOST_NODES` nodes.

    Cost: a fraction of a second for each hundred nodes.

    Example:
        >>> import torch
        >>> ax = plot_network_graph(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU()))
        >>> sum("ReLU" in text.get_text() for text in ax.texts)
        1
    """
    network = as_network(network)
    if len(network.nodes) > MOST_NODES:
        raise InvalidInputError(
            f"`network`: it has {len(network.nodes)} nodes; expected at most {MOST_NODES} for a picture of its graph"
        )
    places = _places(network)
    if ax is None:
        from matplotlib import pyplot

        width = 2.6 * (1 + max(x for x, _ in places) - min(x for x, _ in places))
        height = 0.6 * (2 - min(y for _, y in places))
        _, ax = pyplot.subplots(figsize=(max(3.0, width), height), layout="constrained")
    for index, node in enumerate(network.nodes):
        for source in node.inputs:
            # What leads past other nodes bends, so as not to be hidden by them.
            rows = places[source][1] - places[index][1]
            bend = 0.0 if rows < 2 else 0.3 if places[source][0] != places[index][0] else min(0.9, 3.0 / rows)
            arrow = {
                "arrowstyle": "-|>",
                "color": "0.5",
                "shrinkB": 11 + 9 * bend,
                "connectionstyle": f"arc3,rad={bend}",
            }
            ax.annotate("", places[index], places[source], arrowprops=arrow)
    for place, row in zip(places, network.describe(), strict=True):
        size = " x ".join(map(str, row.shape)) or "1"
        label = f"{row.name}\n{row.op}, {size}"
        color = _FOLDS if row.units else _AFFINE
        box = {"boxstyle": "round,pad=0.3", "facecolor": color, "edgecolor": "none"}
        ax.text(*place, label, ha="center", va="center", fontsize=6, bbox=box, parse_math=False)
    ax.margins(0.2)
    ax.update_datalim(places)
    ax.autoscale_view(scaley=False)
    ax.set_ylim(min(y for _, y in places) - 0.6, 0.6)
    ax.set_axis_off()
    return ax


def _places(network: Network) -> list[tuple[float, float]]:
    """Positions of nodes: one row for each length of the longest way from the input."""
    depth: list[int] = []
    rows: dict[int, list[int]] = defaultdict(list)
    for index, node in enumerate(network.nodes):
        depth.append(1 + max((depth[source] for source in node.inputs), default=-1))
        rows[depth[-1]].append(index)
    return [(rows[d].index(i) - (len(rows[d]) - 1) / 2, -float(d)) for i, d in enumerate(depth)]
