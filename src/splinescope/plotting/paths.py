"""Paths inside a class: what lies on them, what the network says of it, and the loss along them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from splinescope.errors import InvalidInputError
from splinescope.plotting.colors import OKABE_ITO
from splinescope.plotting.figures import ACCENT, INK, label_name, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.paths.profiles import PathProfile

_LINES = (OKABE_ITO[4], OKABE_ITO[5], OKABE_ITO[2], OKABE_ITO[6])
_MARKERS = ("o", "s", "^", "D")
_GREY = "#9a9aa0"
_BARS = 0.42
"""Height of the bars relative to an image."""
_LEAST_LOSS = 1e-8
"""Losses below this are drawn at the lower edge: float32 calls them zero."""
_FINE = 1001
"""Positions at which it is decided where a line is thick."""
_LOGARITHMIC = 20.0
"""Ratio of the largest and the least loss beyond which the axis is logarithmic."""


def plot_path_strip(
    images: Any,
    probabilities: Any,
    target: int,
    names: Sequence[str] | None = None,
    positions: Any = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw images along a path in a row, each above a bar for the probability of each class.

    The target's bar is red and named, as is that of another class that leads.
    Images on which another class leads are framed in red, with that class above them.

    Args:
        images: [k, height, width], [k, 1, height, width] or [k, 3, height, width] images, values from 0 to 1.
        probabilities: [k, classes] softmax at each.
        target: The class that the path should stay in.
        names: What the classes are called; their numbers if None.
        positions: [k] positions along the path, written below; nothing is written if None.
        ax: Axes that the picture fills; new ones if None. Its parts are in axes of their own, the children of these.
        title: Title, at the left.

    Returns:
        The axes.

    Raises:
        InvalidInputError: If the shapes don't fit.

    Cost: linear in the number of images and of their pixels.

    Example:
        >>> import numpy as np
        >>> ax = plot_path_strip(np.zeros((3, 8, 8)), np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]]), target=0)
        >>> len(ax.child_axes)
        6
    """
    pictures, shares = _pictures(images), np.asarray(probabilities, np.float64)
    if shares.ndim != 2 or len(shares) != len(pictures) or not 0 <= target < shares.shape[1]:
        raise InvalidInputError(
            f"`probabilities`: got shape {shares.shape} for {len(pictures)} images and class {target}; expected "
            "[images, classes]"
        )
    count = len(pictures)
    ax = new_axes(0.75 * count, 1.3) if ax is None else ax
    ax.set_axis_off()
    for number, (picture, bars) in enumerate(zip(pictures, shares, strict=True)):
        left, width = number / count, 0.92 / count
        wrong = int(bars.argmax()) != target
        frame = ax.inset_axes((left, _BARS / (1 + _BARS) + 0.02, width, 0.96 / (1 + _BARS)))
        frame.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        frame.set(xticks=[], yticks=[], anchor="S")
        frame.spines[:].set(visible=True, color=ACCENT if wrong else INK, linewidth=2.0 if wrong else 0.5)
        below = ax.inset_axes((left, 0.0, width, 0.92 * _BARS / (1 + _BARS)))
        _draw_bars(below, bars, target, names)
        if number == 0:
            below.set_ylabel("softmax", fontsize="x-small", labelpad=1.0)
        if wrong:
            leader = int(bars.argmax())
            label = label_name(names, leader)
            frame.set_title(label, color=ACCENT, fontsize="small", pad=2.0)
        if positions is not None:
            below.set_xlabel(f"{float(np.asarray(positions)[number]):.2f}", fontsize="x-small", labelpad=1.0)
    if title:
        ax.set_title(title, loc="left")
    return ax


def _pictures(images: Any) -> list[np.ndarray]:
    """Images as matplotlib wants them: [height, width] or [height, width, 3]."""
    given = np.clip(np.asarray(images, np.float64), 0.0, 1.0)
    if given.ndim == 4 and given.shape[1] == 3:
        return list(np.moveaxis(given, 1, -1))
    if given.ndim == 4 and given.shape[1] == 1:
        return list(given[:, 0])
    if given.ndim == 3:
        return list(given)
    raise InvalidInputError(
        f"`images`: got shape {given.shape}; expected [k, height, width], or [k, C, height, width] with C 1 or 3"
    )


def _draw_bars(ax: Axes, shares: Float[np.ndarray, " classes"], target: int, names: Sequence[str] | None) -> None:
    """One bar per class, the target's in red, with the names of the target and of the class that leads."""
    colors = [_GREY] * len(shares)
    colors[target] = ACCENT
    ax.bar(np.arange(len(shares)), shares, width=0.86, color=colors)
    ax.set(xlim=(-0.7, len(shares) - 0.3), ylim=(0, 1), yticks=[])
    named = sorted({target, int(shares.argmax())})
    near = len(named) == 2 and named[1] - named[0] < 0.2 * len(shares)
    named = [target] if near else named
    ax.set_xticks(named, [label_name(names, label) for label in named], fontsize="x-small")
    ax.tick_params(length=0, pad=1)
    ax.spines[["top", "left", "right"]].set_visible(False)
    ax.spines["bottom"].set_linewidth(0.5)


def plot_loss_profile(
    profiles: Sequence[PathProfile],
    labels: Sequence[str],
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the cross-entropy along paths, exact at every breakpoint, with the largest value of each.

    The largest value is exact, as the loss is convex between breakpoints; of sampled profiles it is a lower bound. The
    dashed line is the loss at which two classes can tie, the logarithm of 2: above it another class may lead. Where
    another class does lead, the line is thick.

    Args:
        profiles: What `paths.path_profile` gives, one per path.
        labels: What the paths are called.
        ax: Axes; new ones if None.
        title: Title; none if None.

    Returns:
        The axes.

    Raises:
        InvalidInputError: If there are not as many labels as profiles.

    Cost: linear in the number of breakpoints.

    Example:
        >>> import splinescope, torch
        >>> from splinescope.paths import path_profile
        >>> identity = splinescope.from_torch(torch.nn.Identity(), input_shape=(2,))
        >>> profile = path_profile(identity, [[2.0, 0.0], [0.0, 1.0]], 0)
        >>> plot_loss_profile([profile], ["straight"]).get_ylabel()
        'cross-entropy (nats)'
    """
    if len(profiles) != len(labels) or not profiles:
        raise InvalidInputError(f"`labels`: got {len(labels)} for {len(profiles)} profiles; expected as many")
    ax = new_axes(4.7, 3.0) if ax is None else ax
    ax.axhline(np.log(2), color=_GREY, lw=0.8, ls=(0, (4, 2)), zorder=1)
    strayed = False
    for number, (profile, label) in enumerate(zip(profiles, labels, strict=True)):
        color, marker = _LINES[number % len(_LINES)], _MARKERS[number % len(_MARKERS)]
        loss = np.maximum(profile.loss, _LEAST_LOSS)
        ax.plot(profile.position, loss, color=color, lw=1.2, zorder=3)
        fine = np.union1d(profile.position, np.linspace(0.0, 1.0, _FINE))
        wrong = np.interp(fine, profile.position, profile.margin) <= 0
        strayed |= bool(wrong.any())
        thick = np.where(wrong, np.interp(fine, profile.position, loss), np.nan)
        ax.plot(fine, thick, color=color, lw=3.2, alpha=0.55, solid_capstyle="butt", zorder=2)
        at, value = profile.highest
        least = "" if profile.exact else "at least "
        note = f"{label}: max. {least}{value:.3g}"
        ax.plot(at, max(value, _LEAST_LOSS), marker, color=color, ms=5, mec="white", mew=0.8, zorder=4, label=note)
    if strayed:
        ax.plot([], [], color=_GREY, lw=3.2, label="another class leads")
    ax.plot([], [], color=_GREY, lw=0.8, ls=(0, (4, 2)), label="log 2: below, the class leads")
    lowest, most = (float(end([end(profile.loss) for profile in profiles])) for end in (np.min, np.max))
    if most > _LOGARITHMIC * lowest:
        ax.set_yscale("log")
        ax.set_ylim(bottom=max(_LEAST_LOSS, 0.5 * lowest))
    else:
        ax.set_ylim(0.0, 1.1 * most)
    ax.set_xlim(0.0, 1.0)
    ax.set_xlabel("position along the path (share of its length)")
    ax.set_ylabel("cross-entropy (nats)")
    ax.legend(loc="best")
    if title:
        ax.set_title(title)
    return ax
