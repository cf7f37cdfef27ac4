"""What is found of a network alone, once for each network."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

from splinescope.network.graph import Network

_T = TypeVar("_T")


def remembered(function: Callable[[Network], _T]) -> Callable[[Network], _T]:
    """A function of a network that is computed once for each; networks don't change.

    Args:
        function: What is computed; nobody may change what it returns.

    Returns:
        The function, with what it has found.

    Cost: a look, from the second time on; what is found is held as long as its network.

    Example:
        >>> import splinescope, torch
        >>> count = remembered(lambda network: [len(network.nodes)])
        >>> relu = splinescope.from_torch(torch.nn.ReLU(), input_shape=(2,))
        >>> count(relu) is count(relu)
        True
    """
    known: WeakKeyDictionary[Network, _T] = WeakKeyDictionary()

    @wraps(function)
    def found(network: Network) -> _T:
        if network not in known:
            known[network] = function(network)
        return known[network]

    return found
