"""A peer's answer to one question about the loss, in its environment: `python landscape_peer.py KIND NAME data.npz`.

Kinds are `eigenvalues` (ten largest of a Hessian), `block` (of one layer) and `grid` (41 x 41 points of a plane). Uses
nothing of splinescope. Prints JSON.
"""

import importlib.util
import json
import sys
import time
import types

import numpy as np
import torch
from torch import nn

STEPS = 41


def question(path):
    """The module and the data."""
    with np.load(path) as arrays:
        if "grid" in arrays:
            net = nn.Sequential(
                nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(),
                nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 10),
            )  # fmt: skip
            net.load_state_dict({name[2:]: torch.tensor(arrays[name]) for name in arrays if name.startswith("p:")})
            return net, (torch.tensor(arrays["x"]), torch.tensor(arrays["y"]).long())
        layers = []
        for i in range(sum(name.startswith("W") for name in arrays)):
            weight, bias = torch.tensor(arrays[f"W{i}"]), torch.tensor(arrays[f"b{i}"])
            linear = nn.Linear(weight.shape[1], weight.shape[0]).double()
            linear.load_state_dict({"weight": weight, "bias": bias})
            layers += [linear, nn.ReLU()]
        data = torch.tensor(arrays["x"]), torch.tensor(arrays["y"]).long()
    return nn.Sequential(*layers[:-1]), data


def top_curvlinops(net, data):
    """curvlinops and scipy."""
    from curvlinops import HessianLinearOperator
    from scipy.sparse.linalg import eigsh

    operator = HessianLinearOperator(net, nn.CrossEntropyLoss(), list(net.parameters()), [data])
    values = eigsh(operator.to_scipy(), k=10, which="LA", return_eigenvectors=False)
    return {"eigenvalues": np.sort(values)[::-1].tolist()}


def top_hessian_eigenthings(net, data):
    """hessian-eigenthings, with reorthogonalisation, without which eigenvalues are repeated, and as many steps."""
    from hessian_eigenthings import HessianOperator, lanczos

    operator = HessianOperator(net, [data], lambda model, batch: nn.functional.cross_entropy(model(batch[0]), batch[1]))
    found = lanczos(operator, k=10, max_iter=100, reorthogonalize=True, which="LA")
    return {"eigenvalues": np.sort(np.asarray(found.eigenvalues))[::-1].tolist()}


def top_pyhessian(net, data):
    """PyHessian's power iteration with deflation, at its defaults."""
    from pyhessian import hessian

    torch.manual_seed(0)
    values, _ = hessian(net, nn.CrossEntropyLoss(), data=data, cuda=False).eigenvalues(top_n=10)
    return {"eigenvalues": np.sort(np.asarray(values))[::-1].tolist()}


def block_curvlinops(net, data):
    """The generalised Gauss-Newton block of the second layer: a product, timed, and the largest eigenvalue."""
    from curvlinops import GGNLinearOperator
    from scipy.sparse.linalg import eigsh

    operator = GGNLinearOperator(net, nn.CrossEntropyLoss(), [net[2].weight], [data]).to_scipy()
    vector = np.random.default_rng(0).standard_normal(operator.shape[0])
    start = time.process_time()
    product = operator @ vector
    spent = time.process_time() - start
    values = eigsh(operator, k=1, which="LA", return_eigenvectors=False)
    return {"product": product.tolist(), "product seconds": spent, "largest": float(values[0])}


def direct(net, data, start, directions, coordinates):
    """Losses at start + sum c_k d_k, one by one."""
    found = []
    with torch.no_grad():
        for point in coordinates:
            for parameter, value, *steps in zip(net.parameters(), start, *directions, strict=True):
                parameter.copy_(value + sum(c * step for c, step in zip(point, steps, strict=True)))
            found.append(float(nn.functional.cross_entropy(net(data[0]), data[1])))
        for parameter, value in zip(net.parameters(), start, strict=True):
            parameter.copy_(value)
    return np.array(found)


def places():
    """Some of the points of the grid."""
    return [tuple(pair) for pair in np.random.default_rng(0).integers(STEPS, size=(40, 2)).tolist()]


def apart(values, wanted):
    """Largest relative deviation."""
    found = np.array([values[i, j] for i, j in places()])
    return float(np.abs(found / wanted - 1).max())


def moved(net, start):
    """Norm of the change of the user's parameters."""
    return float(sum((p.detach() - s).square().sum() for p, s in zip(net.parameters(), start, strict=True)) ** 0.5)


def grid_loss_landscapes(net, data):
    """loss_landscapes: its documentation's plane, start + i d_1 + j d_2, and what it leaves of the model."""
    import loss_landscapes
    from loss_landscapes.metrics import Loss
    from loss_landscapes.model_interface.model_parameters import orthogonal_to, rand_u_like
    from loss_landscapes.model_interface.model_wrapper import wrap_model

    start = [p.detach().clone() for p in net.parameters()]
    torch.manual_seed(0)
    began = time.process_time()
    values = loss_landscapes.random_plane(net, Loss(nn.CrossEntropyLoss(), *data), distance=1, steps=STEPS)
    spent = time.process_time() - began
    left = moved(net, start)
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), start, strict=True):
            parameter.copy_(value)
    torch.manual_seed(0)
    point = wrap_model(net).get_module_parameters()
    one = rand_u_like(point)
    other = orthogonal_to(one)
    for way in (one, other):
        way.filter_normalize_(point)
        way.mul_(point.model_norm() / STEPS / way.model_norm())
    ways = [[p.detach().clone() for p in way.parameters] for way in (one, other)]
    coordinates = [(i - STEPS / 2, j - STEPS / 2) for i, j in places()]
    wanted = direct(net, data, start, ways, coordinates)
    return {"seconds of one run": spent, "largest relative deviation": apart(values, wanted), "model moved by": left}


def grid_landscaper(net, data):
    """Landscaper: at its own labels, coordinates times the norm of the parameters; and two runs beside each other."""
    compute = _alone("landscaper.compute")
    start = [p.detach().clone() for p in net.parameters()]

    def ways():
        generator = torch.Generator().manual_seed(0)
        return [[torch.randn(p.shape, generator=generator) for p in start] for _ in range(2)]

    def loss(model, batch):
        return float(nn.functional.cross_entropy(model(batch[0]), batch[1]))

    spent, runs = 0.0, []
    for _ in range(2):
        began = time.process_time()
        values, axes = compute.compute_loss_landscape(net, data, ways(), loss, STEPS, 1.0, 2, "cpu")
        spent = time.process_time() - began
        runs.append(np.asarray(values))
    norm = compute.get_model_norm(start)
    steps = []
    for way in ways():
        scaled = compute.normalize_direction(way, start)
        size = compute.get_model_norm(scaled)
        steps.append([norm * part / size for part in scaled])
    coordinates = [(axes[0][i], axes[1][j]) for i, j in places()]
    wanted = direct(net, data, start, steps, coordinates)
    return {
        "seconds of one run": spent,
        "largest relative deviation": apart(runs[0], wanted),
        "model moved by": moved(net, start),
        "two runs apart": float(np.abs(runs[0] - runs[1]).max()),
    }


def _alone(name):
    """A module of a package whose other modules need what may be absent."""
    package, _, _ = name.partition(".")
    found = importlib.util.find_spec(package)
    if found is None:
        raise ImportError(f"no {package}")
    stub = types.ModuleType(package)
    stub.__path__ = list(found.submodule_search_locations)
    sys.modules[package] = stub
    return importlib.import_module(name)


RUNS = {
    "eigenvalues": {
        "curvlinops": top_curvlinops, "hessian_eigenthings": top_hessian_eigenthings, "pyhessian": top_pyhessian,
    },
    "block": {"curvlinops": block_curvlinops},
    "grid": {"loss_landscapes": grid_loss_landscapes, "landscaper": grid_landscaper},
}  # fmt: skip


if __name__ == "__main__":
    run = RUNS[sys.argv[1]][sys.argv[2]]
    asked = question(sys.argv[3])
    if sys.argv[1] != "grid":
        run(*asked)
    start = time.process_time()
    found = run(*asked)
    print(json.dumps({"processor seconds": time.process_time() - start} | found))
