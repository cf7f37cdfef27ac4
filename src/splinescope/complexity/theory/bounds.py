r"""Bounds on the number of regions of a ReLU network, and on how many neighbours they have.

They count the cells of a tessellation, maximal convex sets of positive volume with one activation pattern, which the
sources call "activation regions". Linear regions can be fewer, and only upper bounds carry over to them.

`dimension` is that of the set on which the network is looked at. For a network with $n_0$ inputs that is $n_0$; on a
slice or segment of dimension $d$ it is $d$, since the restriction is a network with $d$ inputs whose first layer is
$W_1 B^T$. Where nothing else is said a bound holds over all of $R^d$; an upper bound then holds in every convex domain
too, since a convex domain meets each region in one piece.

A lower bound is one on the *largest* number that networks of the given widths reach, not on the number of every one:
a network with zero weights has a single region. It also holds in any domain with an interior, since a network can be
shrunk into it.

Everything is exact integer arithmetic: values run to thousands of digits for networks that people have.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import accumulate

from splinescope.complexity.theory.arrangements import binomials
from splinescope.errors import InvalidInputError
from splinescope.numerics import check_number


def trivial_upper(pieces: Iterable[int]) -> int:
    r"""Number of activation patterns that can be written down, $\prod_k p_k$; $2^N$ for $N$ ReLU units.

    An upper bound for every continuous piecewise affine network, whatever its graph, in every convex domain: a cell is
    the set of one pattern.

    Args:
        pieces: Number of affine pieces of each unit.

    Returns:
        The product.

    Raises:
        InvalidInputError: If a number of pieces is less than 1.

    Cost: one product of integers for each unit.

    Example:
        >>> trivial_upper([2] * 10), trivial_upper([2, 3])
        (1024, 6)
    """
    return math.prod(check_number("pieces", number, 1) for number in pieces)


def montufar_2014_lower(dimension: int, widths: Sequence[int]) -> int:
    r"""Regions that some deep network reaches: folds of the input, layer after layer.

    $$\prod_{l < L} \lfloor n_l / n_0 \rfloor^{n_0} \; \sum_{j \le n_0} \binom{n_L}{j}$$

    A lower bound on the largest number of regions of fully connected ReLU networks with $n_0$ inputs and hidden widths
    $n_1, \dots, n_L \ge n_0$: groups of units fold each input coordinate $\lfloor n_l / n_0 \rfloor$ times.
    Source: Montufar, Pascanu, Cho and Bengio (2014), arXiv 1402.1869.

    Args:
        dimension: Dimension $n_0$ of the input, at least 1.
        widths: Hidden widths, each at least `dimension`.

    Returns:
        The bound.

    Raises:
        InvalidInputError: If there is no layer, or one is narrower than the input: the bound says nothing then.

    Cost: $L + n_0$ products of integers.

    Example:
        >>> montufar_2014_lower(2, [4, 4]), montufar_2014_lower(1, [2, 2, 2])
        (44, 12)
    """
    d = check_number("dimension", dimension, 1)
    layers = _widths(widths, d)
    return math.prod((n // d) ** d for n in layers[:-1]) * sum(binomials(layers[-1], d))


def serra_2018_lower(dimension: int, widths: Sequence[int]) -> int:
    r"""Regions that some deep network reaches, if its layers are wide enough.

    $$\prod_{l < L} (\lfloor n_l / n_0 \rfloor + 1)^{n_0} \; \sum_{j \le n_0} \binom{n_L}{j}$$

    A lower bound on the largest number of regions of fully connected ReLU networks with $n_0$ inputs and hidden widths
    $n_l \ge 3 n_0$; for $n_0 = 1$ it is the largest number itself. Source: Serra, Tjandraatmadja and Ramalingam
    (2018), arXiv 1711.02114.

    Args:
        dimension: Dimension $n_0$ of the input, at least 1.
        widths: Hidden widths, each at least three times `dimension`.

    Returns:
        The bound.

    Raises:
        InvalidInputError: If there is no layer, or one is too narrow: the bound says nothing then.

    Cost: $L + n_0$ products of integers.

    Example:
        >>> serra_2018_lower(2, [8, 8]), serra_2018_lower(1, [3, 3]) == serra_2018_upper(1, [3, 3])
        (925, True)
    """
    d = check_number("dimension", dimension, 1)
    layers = _widths(widths, 3 * d)
    return math.prod((n // d + 1) ** d for n in layers[:-1]) * sum(binomials(layers[-1], d))


def montufar_2017_upper(dimension: int, widths: Sequence[int]) -> int:
    r"""Regions of a deep network at most, $\prod_l \sum_{j \le d_l} \binom{n_l}{j}$ with $d_l = \min(n_0, \dots, n_l)$.

    Within one region of the layers before, the units of layer $l$ are hyperplanes in an image of dimension at most
    $\min(n_0, \dots, n_{l - 1})$. That holds for any piecewise affine units with one breakpoint, with any affine map
    between the layers. Source: Montufar (2017), "Notes on the number of linear regions of deep neural
    networks".

    Args:
        dimension: Dimension $n_0$ of the input.
        widths: Hidden widths.

    Returns:
        The bound; 1 without hidden layers.

    Raises:
        InvalidInputError: If a number is negative.

    Cost: $L n_0$ products of integers.

    Example:
        >>> montufar_2017_upper(2, [4, 4]), montufar_2017_upper(2, [8, 8])
        (121, 1369)
    """
    d = check_number("dimension", dimension)
    total = 1
    for width in _widths(widths, 0, empty=True):
        total *= sum(binomials(width, d))
        d = min(d, width)
    return total


def serra_2018_upper(dimension: int, widths: Sequence[int]) -> int:
    r"""Regions of a deep ReLU network at most, $\sum_{(j_1, \dots, j_L)} \prod_l \binom{n_l}{j_l}$.

    The sum is over $0 \le j_l \le \min(n_0, n_1 - j_1, \dots, n_{l - 1} - j_{l - 1}, n_l)$: a region in which $j$ units
    of a layer are inactive passes on an image of dimension at most $n_l - j$. It needs units that are *constant* on one
    side (ReLU, not leaky), layer after layer without ways around, and any affine map between them (dense or
    convolutional). Never above `montufar_2017_upper`; exact for $n_0 = 1$, $n_l \ge 3$. Source: Serra, Tjandraatmadja
    and Ramalingam (2018), arXiv 1711.02114.

    Args:
        dimension: Dimension $n_0$ of the input.
        widths: Hidden widths.

    Returns:
        The bound; 1 without hidden layers. Cost: $L \min(n_0, \max n_l)$ products of integers, by dynamic programming
        over the dimension that is left.

    Raises:
        InvalidInputError: If a number is negative.

    Example:
        >>> serra_2018_upper(2, [4, 4]), serra_2018_upper(1, [2, 2, 2]), serra_2018_upper(3, [3, 2])
        (121, 27, 26)
    """
    layers = _widths(widths, 0, empty=True)
    d = min(check_number("dimension", dimension), max(layers, default=0))
    # behind[m]: the sum over the layers after this one, when an image of dimension m enters them
    behind = [1] * (d + 1)
    for width in reversed(layers):
        top = min(d, width)
        row = binomials(width, top)
        sums = [0, *accumulate(row)]
        # with j > width - m the dimension left is width - j, else m
        ends = [0, *accumulate(c * behind[min(width - j, d)] for j, c in enumerate(row))]
        before = []
        for dimension_left in range(d + 1):
            m = min(dimension_left, width)
            kept = min(m, width - m) + 1
            before.append(behind[m] * sums[kept] + ends[m + 1] - ends[kept])
        behind = before
    return behind[d]


def telgarsky_upper(widths: Sequence[int]) -> int:
    r"""Pieces of a ReLU network along a line at most, $(2m)^L$ for $L$ layers of at most $m$ units.

    Layer by layer a function of $p$ pieces becomes $m$ units of at most $2p$ pieces each, whose breakpoints together
    cut the line into at most $2mp$. The sharper `montufar_2017_upper` gives $\prod_l (n_l + 1)$ for a line, which
    bounds the cells, so that this does too. Source: Telgarsky (2015), arXiv 1509.08101.

    Args:
        widths: Hidden widths, each at least 1.

    Returns:
        The bound; 1 without hidden layers.

    Raises:
        InvalidInputError: If a width is less than 1.

    Cost: one power.

    Example:
        >>> telgarsky_upper([3, 3, 3])
        216
    """
    layers = _widths(widths, 1, empty=True)
    return (2 * max(layers, default=0)) ** len(layers)


def hanin_rolnick_average(
    units: int, dimension: int, constant: int | float | Fraction = 1, volume: int | float | Fraction = 1
) -> Fraction:
    r"""Regions of a random network on average, $(T N)^d / d!$ per unit of volume for $N$ units in $d$ dimensions.

    The theorem: for random weights and biases, the expected number of cells that meet a cube, divided by its volume,
    is at most $(T N)^d / d!$ if $N \ge d$, independent of depth, for cubes that are not too small. $T$ is
    proportional to the product of two numbers of the initialisation: the largest density of a bias given the other
    weights, and the largest mean norm of the gradient of a pre-activation by the input. It is not known for a trained
    network, so `constant` has to be given to make a bound for a cube of `volume`.

    With $T$ and volume 1 it is $N^d / d!$, the leading term of $Z(N, d)$: the order of magnitude of all regions in a
    window that holds nearly every crossing. He-normal networks with biases $N(0, 1)$ and 60 units in 1 to 6 layers
    have 0.82 to 1.10 times that in the square $[-30, 30]^2$. Source: Hanin and Rolnick (2019), arXiv 1901.09021 for
    lines and 1906.00904 for any dimension.

    Args:
        units: Number $N$ of units.
        dimension: Dimension $d$.
        constant: $T$.
        volume: Volume of the cube.

    Returns:
        The average, an exact fraction.

    Raises:
        InvalidInputError: If a number is negative or not finite.

    Cost: one power and one factorial.

    Example:
        >>> hanin_rolnick_average(60, 2)
        Fraction(1800, 1)
    """
    n, d = check_number("units", units), check_number("dimension", dimension)
    for name, value in (("constant", constant), ("volume", volume)):
        if not 0 <= value < math.inf:
            raise InvalidInputError(f"`{name}`: got {value!r}; expected a finite number of at least 0")
    return Fraction(volume) * (Fraction(constant) * n) ** d / math.factorial(d)


def _widths(widths: Sequence[int], least: int, empty: bool = False) -> list[int]:
    if not empty and not len(widths):
        raise InvalidInputError("`widths`: got none; expected the width of at least one hidden layer")
    return [check_number("widths", width, least) for width in widths]
