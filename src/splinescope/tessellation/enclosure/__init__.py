r"""Affine bounds of every node of a network over many domains at once.

On a domain with corners $k$, along whose directions $s$ goes through $[-1, 1]^d$, each number of a node is enclosed by
$$z \in c_k + S_k\,s \pm r_k, \qquad r_k \ge 0,$$
and between corners by what is affine between these. A box or a segment is one corner with directions: a zonotope, and
a box around it. A polytope is its corners, without directions, and needs no coordinates. An affine op takes $c$ to
$W c + b$, $S$ to $W S$ and $r$ to $|W| r$. A fold that may happen on the domain is replaced by lines below and above
its graph over the range of its argument: two parallel ones along directions (Singh et al., NeurIPS 2018, "Fast and
effective robustness certification"), the best two where corners let $r$ be affine, too (Zhang et al., arXiv
1811.00866). Ranges shrink with the domain and radii with their square, and where nothing folds the bounds are exact.

Bounds are rounded outwards: whatever float64 rounds goes into $r$ (running-error analysis, sums in any order), so that
they hold for the exact function on the exact domain. With `roundoff=0` they hold but for rounding, for callers that
account for it themselves.
"""

from splinescope.tessellation.enclosure.bounds import AffineBounds
from splinescope.tessellation.enclosure.gaps import Gaps
from splinescope.tessellation.enclosure.inputs import halves, over_boxes, over_polytopes, over_segments
from splinescope.tessellation.enclosure.network import Enclosure

__all__ = ["AffineBounds", "Enclosure", "Gaps", "halves", "over_boxes", "over_polytopes", "over_segments"]
