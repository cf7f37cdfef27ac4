"""Figures of `class-connectivity`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from splinescope.experiments.class_connectivity.claims import TABLE
from splinescope.experiments.class_connectivity.joins import STRAIGHT, UNDECIDED
from splinescope.experiments.shared.experiment import Numbers
from splinescope.experiments.shared.parts import Kept
from splinescope.paths.components import Proportion, proportion
from splinescope.paths.profiles import PathProfile
from splinescope.plotting.page import MARKERS, MUTED, PAGE, SERIES, new_figure, on_page, put_title
from splinescope.plotting.paths import plot_loss_profile, plot_path_strip

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STRONG = {"straight": "#5ba4cf", "bent": "#f2c14e", "none": "#4a4a4f", "undecided": "#c9c9cc"}
_ABREAST = 3
"""Most panels in a row whose legends don't meet."""
_KINDS = {"correct": "both ends classified rightly", "misclassified": "one end of another class, taken for this one"}
_THEIRS = "the source's, ResNet50 on CIFAR10"
_LABELS = {"straight": "straight", "bent": "bent", "none": "not joined", "undecided": "undecided"}


def figures(numbers: Numbers, kept: Kept) -> dict[str, Callable[[], Figure]]:
    """How pairs are joined, and for one pair at each layer what lies on its paths, and the loss along them."""
    return {
        "connectivity": partial(draw_connectivity, numbers),
        "paths": partial(draw_strips, numbers, kept),
        "losses": partial(draw_losses, numbers, kept),
    }


@on_page
def draw_connectivity(numbers: Numbers) -> Figure:
    """How pairs are joined, beside the source's table; what samples miss; components."""
    figure = new_figure(PAGE, 2.9)
    widths = (1.35, 1.0, 0.85) if numbers["components"] else (1.35, 1.0)
    left, middle, *rest = figure.subplots(1, len(widths), width_ratios=widths)
    _draw_joins(left, numbers["kinds"])
    put_title(left, "a", "pairs of one class")
    _draw_sampling(middle, numbers["sampled"])
    put_title(middle, "b", "what samples miss")
    for right in rest:
        _draw_components(right, numbers["components"])
        put_title(right, "c", "components")
    return figure


def _draw_joins(ax: Axes, kinds: Mapping[str, Any]) -> None:
    """One bar per layer: straight, bent, none, with Wilson's interval of the straight ones; the source's below."""
    groups = {_KINDS[kind]: {name: entry["counts"].values() for name, entry in kinds[kind].items()} for kind in kinds}
    groups[_THEIRS] = dict(TABLE)
    ticks, place = {}, 0.0
    for title, bars in groups.items():
        if not bars:
            continue
        ax.text(0.0, place, title, va="center", ha="left", fontsize=6.5, fontstyle="italic")
        for name, counts in bars.items():
            place += 0.95
            ticks[place] = name
            _draw_bar(ax, list(counts), place)
        place += 1.15
    undecided = any(entry["counts"]["undecided"] for layers in kinds.values() for entry in layers.values())
    for how, color in _STRONG.items():
        if how != "undecided" or undecided:
            ax.barh([0], [0], color=color, label=_LABELS[how])
    ax.set_yticks(list(ticks), list(ticks.values()))
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(place - 0.55, -0.5)
    ax.set_xlim(0, 1)
    ax.set_xlabel("share of pairs (interval: straight, 95 %)")
    ax.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.45, -0.17), columnspacing=1.0, handlelength=1.0)


def _draw_bar(ax: Axes, counts: Sequence[int], y: float) -> None:
    total, start = max(1, sum(counts)), 0.0
    for count, color in zip(counts, _STRONG.values(), strict=False):
        ax.barh(y, count / total, left=start, height=0.7, color=color, zorder=2)
        first, end = start == 0.0, start + count / total
        if count / total > 0.09:  # away from the interval's ends, which are about the first part's
            x, side = (0.012, "left") if first else (end - 0.012, "right")
            ax.text(x, y, f"{count:,}", va="center", ha=side, fontsize=6, zorder=4)
        start = end
    share = proportion(counts[0], sum(counts))
    ax.plot([share.low, share.high], [y, y], color="black", lw=0.9, zorder=3)
    ax.plot([share.low, share.high], [y, y], "|", color="black", ms=5, mew=0.9, zorder=3)


def _draw_sampling(ax: Axes, layers: Mapping[str, Any]) -> None:
    """Share of paths that leave their class and are not seen to, by number of points."""
    drawn, most = 0, 0.0
    for number, (name, found) in enumerate(layers.items()):
        rates = {int(points): rate for points, rate in found.items()}
        if not next(iter(rates.values()))["of_refuted"]:
            continue
        shares = [proportion(rate["wrong"], rate["of_refuted"]) for rate in rates.values()]
        _draw_rates(ax, list(rates), shares, number, name)
        drawn, most = drawn + 1, max(most, *(share.high for share in shares))
    if not drawn:
        ax.text(0.5, 0.5, "no straight path\nleaves its class", transform=ax.transAxes, ha="center", va="center")
        ax.set_xticks([])
        ax.set_yticks([])
    else:
        ax.set_xticks(list(rates))
        ax.set_ylim(0, 1.45 * most)  # room for the legend
        ax.legend(loc="upper right")
    ax.set_xlabel("points sampled on a path")
    ax.set_ylabel("paths falsely called in class\n(of those that leave it)")


def _draw_rates(ax: Axes, points: Sequence[int], shares: Sequence[Proportion], number: int, name: str) -> None:
    middle = np.array([share.share for share in shares])
    ends = np.array([[share.low, share.high] for share in shares]).T
    color, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
    x = np.asarray(points) + 0.9 * number  # apart, so that intervals can be told
    ax.errorbar(x, middle, np.abs(ends - middle), fmt=marker + "-", color=color, capsize=2, lw=1.1, label=name)


def _draw_components(ax: Axes, layers: Mapping[str, Any]) -> None:
    """Components of each class at each layer, by straight paths and with bent ones."""
    from matplotlib.ticker import MaxNLocator

    names = list(layers)
    rng = np.linspace(-0.16, 0.16, max(len(classes) for classes in layers.values()))
    for number, how in enumerate(("straight", "bent")):
        label = "straight paths" if how == "straight" else "and bent ones"
        for place, name in enumerate(names):
            counts = [len(entry[how]) for entry in layers[name].values()]
            x = place + (number - 0.5) * 0.42 + rng[: len(counts)]
            ax.plot(
                x, counts, MARKERS[number], color=SERIES[number], ms=2.6, label=label if place == 0 else None, zorder=3
            )
    ax.axhline(1, color=MUTED, lw=0.7, ls=(0, (4, 2)), zorder=1)
    ax.set_xticks(range(len(names)), names)
    ax.set_ylim(0, 1.4 * ax.dataLim.y1 + 0.4)
    ax.set_ylabel("components of each class")
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.legend(loc="upper right")


@on_page
def draw_strips(numbers: Numbers, kept: Kept) -> Figure:
    """Images along the straight and the bent path of one pair at each layer."""
    strips = numbers["strips"]
    figure = new_figure(PAGE, 0.98 * len(strips) + 0.05)
    rows = figure.subplots(len(strips), 2, squeeze=False)
    letters = iter("abcdefghijklmnop")
    for panels, (name, strip) in zip(rows, strips.items(), strict=True):
        found = kept.arrays(f"strip-{name}")
        size = "$\\times$".join(map(str, strip["shape"]))
        for ax, kind in zip(panels, ("straight", "bent"), strict=True):
            if f"{kind}.images" in found:
                images, shares = found[f"{kind}.images"], found[f"{kind}.shares"]
                plot_path_strip(images, shares, strip["target"], numbers["network"]["classes"], ax=ax)
                put_title(ax, next(letters), f"{name} ({size}), {kind}")
            else:
                ax.set_axis_off()
                why = _why_not_bent(strip["joined"])
                ax.text(0.5, 0.5, why, transform=ax.transAxes, ha="center", va="center", color=MUTED)
    return figure


def _why_not_bent(joined: str) -> str:
    if joined == STRAIGHT:
        return "this straight path stays in its class:\nnothing to bend"
    return "no point of another class was seen" if joined == UNDECIDED else "no bent path was found"


@on_page
def draw_losses(numbers: Numbers, kept: Kept) -> Figure:
    """Loss along the same paths."""
    strips = numbers["strips"]
    columns = len(strips) if len(strips) <= _ABREAST else (_ABREAST if len(strips) % 2 else 2)
    lines = -(-len(strips) // columns)
    figure = new_figure(PAGE, 2.5 * lines)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for spare in panels[len(strips) :]:
        spare.set_axis_off()
    for number, (letter, ax, (name, strip)) in enumerate(zip("abcdefgh", panels, strips.items(), strict=False)):
        profiles = _profiles(strip, kept.arrays(f"strip-{name}"))
        plot_loss_profile(list(profiles.values()), list(profiles), ax)
        put_title(ax, letter, name)
        ax.set_xlabel("position along the path")
        if number % columns:
            ax.set_ylabel("")
    return figure


def _profiles(strip: Mapping[str, Any], found: Mapping[str, np.ndarray]) -> dict[str, PathProfile]:
    """Loss and margin along the straight path, and along the bent one if there is one."""
    kinds = [kind for kind in ("straight", "bent") if f"{kind}.position" in found]
    keys = ("position", "loss", "margin", "pivots")
    return {
        kind: PathProfile(**{key: found[f"{kind}.{key}"] for key in keys}, target=strip["target"], exact=strip["exact"])
        for kind in kinds
    }
