"""A peer's geodesics and metrics, in its environment: `python geodesics_peer.py PEER QUESTION`. Prints JSON.

Peers are stochman 0.3.0, geomstats 2.8.0 (which needs NumPy below 2.4) and latent-geometry 1.1.0. Questions are
`metric` (1,000 images, 784-200-200-10, tanh), `ACTIVATION:SIZES:SEED:REACH` (one pair, from -REACH to REACH) and
`ACTIVATION:SIZES:SEED:PAIRS*` (so many random pairs), as in `relu:2-16-16-3:1:0.9` or `tanh:2-64-64-784:0:50*`. Uses
nothing of splinescope. Lengths are of the peer's curve through the network in float64, by many points.
"""

import json
import os
import sys
import time
from copy import deepcopy
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import nn

POINTS, FINE = 4001, 200_001
"""Points by which lengths of many curves are taken, and of a single one, which may be of a network with folds."""


def formula_net(sizes, seed, activation, kinds=nn):
    """A network by formula, of layers of torch or of another library with the same names."""
    rng = np.random.default_rng(seed)
    layers = []
    for n_in, n_out in pairwise(sizes):
        layer = kinds.Linear(n_in, n_out)
        layer.weight.data = torch.from_numpy(rng.standard_normal((n_out, n_in)) * np.sqrt(2 / n_in))
        layer.bias.data = torch.from_numpy(rng.uniform(-1, 1, n_out))
        layers += [layer, getattr(kinds, activation)()]
    return kinds.Sequential(*layers[:-1])


def lengths(net, curves):
    """Lengths of images of [pairs, points, d] curves."""
    found = []
    for curve in curves:
        with torch.no_grad():
            points = torch.as_tensor(curve).double()
            parts = [points[k : k + 5001] for k in range(0, len(points) - 1, 5000)]
            found.append(sum(float(net(part).diff(dim=0).norm(dim=1).sum()) for part in parts))
    return found


def stochman_curves(net, a, b):
    """All pairs as one program, at the library's own settings."""
    from stochman.manifold import EmbeddedManifold

    class Decoded(EmbeddedManifold):
        def embed(self, points, jacobian=False):
            shape = points.shape
            return net(points.reshape(-1, shape[-1])).reshape(*shape[:-1], -1)

    curve, _ = Decoded().connecting_geodesic(torch.from_numpy(a), torch.from_numpy(b))
    return lambda places: curve(torch.from_numpy(places)).detach().reshape(len(a), len(places), -1).numpy()


STEPS = 11
"""Places at which geomstats gives its curves; it integrates anew for each."""


def geomstats_curves(net, a, b, shoot=False):
    """By shooting, which is what the pulled-back metric does by itself; or the one that starts as the straight line."""
    import geomstats.backend as gs
    from geomstats.geometry.base import ImmersedSet
    from geomstats.geometry.euclidean import Euclidean

    outputs = net[-1].out_features

    class Decoded(ImmersedSet):
        def _define_embedding_space(self):
            return Euclidean(dim=outputs)

        def immersion(self, point):
            return net(point)

    space = Decoded(dim=a.shape[1])
    times = gs.linspace(0.0, 1.0, STEPS)
    pairs = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in zip(a, b, strict=True)]
    if shoot:
        found = [space.metric.geodesic(x, initial_tangent_vec=y - x)(times) for x, y in pairs]
    else:
        found = [space.metric.geodesic(x, end_point=y)(times) for x, y in pairs]
    lines = [one.detach().numpy().reshape(STEPS, -1) for one in found]
    at = np.linspace(0, 1, STEPS)
    return lambda places: [np.stack([np.interp(places, at, column) for column in line.T], axis=1) for line in lines]


def latent_geometry_curves(net, a, b):
    """By a boundary value problem, in float32, pair by pair."""
    from latent_geometry.manifold import LatentManifold
    from latent_geometry.mapping import TorchModelMapping
    from latent_geometry.metric import EuclideanMetric

    single = deepcopy(net).float()
    mapping = TorchModelMapping(model=single, in_shape=(a.shape[1],), out_shape=(net[-1].out_features,), batch_size=512)
    manifold = LatentManifold(mapping=mapping, ambient_metric=EuclideanMetric())
    found = [manifold.shortest_path(x, y) for x, y in zip(a, b, strict=True)]
    return lambda places: [np.stack([one(t) for t in places]) for one in found]


CURVES = {
    "stochman": stochman_curves,
    "geomstats": geomstats_curves,
    "geomstats-exp": partial(geomstats_curves, shoot=True),
    "latent-geometry": latent_geometry_curves,
}


def asked(peer, question):
    """Curves between one pair or many."""
    activation, sizes, seed, what = question.split(":")
    sizes = [int(n) for n in sizes.split("-")]
    net = formula_net(sizes, int(seed), {"relu": "ReLU", "tanh": "Tanh", "softplus": "Softplus"}[activation]).double()
    if what.endswith("*"):
        a, b = np.random.default_rng(0).uniform(-1, 1, (2, int(what[:-1]), sizes[0]))
    else:
        a, b = np.full((1, sizes[0]), -float(what)), np.full((1, sizes[0]), float(what))
    seconds = []
    while len(seconds) < 2 and sum(seconds) < 10:
        start = time.process_time()
        curves = CURVES[peer](net, a, b)
        seconds.append(time.process_time() - start)
    places = np.linspace(0, 1, FINE if len(a) == 1 else POINTS)
    shares = places[:, None]
    straight = [(1 - shares) * x + shares * y for x, y in zip(a, b, strict=True)]
    found = np.asarray(curves(places))
    ends = np.abs(np.stack([found[:, 0] - a, found[:, -1] - b])).max()
    off = max(float(np.abs(one - line).max()) for one, line in zip(found, straight, strict=True))
    return {"seconds_each": min(seconds) / len(a), "length": float(np.mean(lengths(net, found))),
            "straight_length": float(np.mean(lengths(net, straight))), "ends_missed_by": float(ends),
            "off_the_straight_line": off}  # fmt: skip


def metric(peer):
    """Metrics at 1,000 images, as far as the peer goes."""
    x = torch.from_numpy(np.random.default_rng(0).random((1000, 784)))
    if peer == "stochman":
        from stochman import nnj

        net = formula_net([784, 200, 200, 10], 0, "Tanh", nnj).double()
        start = time.process_time()
        found = torch.cat([net(part, jacobian=True)[1] for part in x.split(100)])
        return {"seconds": time.process_time() - start, "trace": float(found.detach().square().sum(dim=(1, 2)).mean())}
    return {"error": "its metric is a dense matrix, made entry by entry: 614,656 for each image"}


def main():
    """Answer and print."""
    torch.set_num_threads(1)
    os.environ.setdefault("GEOMSTATS_BACKEND", "pytorch")
    peer, question = sys.argv[1:]
    try:
        answer = metric(peer) if question == "metric" else asked(peer, question)
    except Exception as error:  # noqa: BLE001 - whatever the peer says is the answer
        answer = {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
    print(json.dumps(answer))


main()
