"""Ten largest eigenvalues of a Hessian by a peer, in its own environment: `python landscape_peer.py NAME data.npz`.

Uses nothing of splinescope. Prints JSON.
"""

import json
import sys
import time

import numpy as np
import torch
from torch import nn


def question(path):
    """The module and the data."""
    with np.load(path) as arrays:
        layers = []
        for i in range(2):
            weight, bias = torch.tensor(arrays[f"W{i}"]), torch.tensor(arrays[f"b{i}"])
            linear = nn.Linear(weight.shape[1], weight.shape[0]).double()
            linear.load_state_dict({"weight": weight, "bias": bias})
            layers += [linear, nn.ReLU()]
        data = torch.tensor(arrays["x"]), torch.tensor(arrays["y"]).long()
    return nn.Sequential(*layers[:-1]), data


def curvlinops(net, data):
    """curvlinops and scipy."""
    from curvlinops import HessianLinearOperator
    from scipy.sparse.linalg import eigsh

    operator = HessianLinearOperator(net, nn.CrossEntropyLoss(), list(net.parameters()), [data])
    values = eigsh(operator.to_scipy(), k=10, which="LA", return_eigenvectors=False)
    return np.sort(values)[::-1]


def hessian_eigenthings(net, data):
    """hessian-eigenthings, with reorthogonalisation, without which eigenvalues are repeated, and as many steps."""
    from hessian_eigenthings import HessianOperator, lanczos

    operator = HessianOperator(net, [data], lambda model, batch: nn.functional.cross_entropy(model(batch[0]), batch[1]))
    found = lanczos(operator, k=10, max_iter=100, reorthogonalize=True, which="LA")
    return np.sort(np.asarray(found.eigenvalues))[::-1]


if __name__ == "__main__":
    run = {"curvlinops": curvlinops, "hessian_eigenthings": hessian_eigenthings}[sys.argv[1]]
    asked = question(sys.argv[2])
    run(*asked)
    start = time.process_time()
    values = run(*asked)
    print(json.dumps({"processor seconds": time.process_time() - start, "eigenvalues": np.asarray(values).tolist()}))
