"""Reads networks of scikit-learn: multi-layer perceptrons and linear models, behind scalers and projections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from splinescope.errors import InvalidInputError, UnsupportedOpError
from splinescope.network.graph import Network
from splinescope.network.heads import HeadName
from splinescope.network.importers import lower_affine as affine
from splinescope.network.importers import lower_folding as folding
from splinescope.network.importers.builder import Builder
from splinescope.network.importers.finish import finish
from splinescope.network.importers.refusals import SMOOTH
from splinescope.network.importers.reports import Agreement
from splinescope.network.importers.views import Value, Variable
from splinescope.numerics import require

_UNIT = float(np.finfo(np.float64).eps)
_FLOAT32_UNIT = float(np.finfo(np.float32).eps)


@runtime_checkable
class Estimator(Protocol):
    """What scikit-learn calls an estimator that predicts."""

    def predict(self, X: Any) -> Any:
        """Predictions for [N, features] inputs."""
        ...


def is_estimator(model: object) -> bool:
    """Whether an object is an estimator of scikit-learn."""
    return type(model).__module__.split(".")[0] == "sklearn" and isinstance(model, Estimator)


def from_sklearn(model: Estimator) -> Network:
    """Import a fitted network of scikit-learn.

    Args:
        model: An `MLPClassifier` or `MLPRegressor` with the activation "relu" or "identity", a linear model with
            `coef_` and `intercept_`, or a `Pipeline` of scalers, `PCA` and one of these.

    Returns:
        The network, in float64, with the names of its classes. Of a classifier it is what comes before the
        probabilities, and these are the head.

    Raises:
        InvalidInputError: If it is no estimator of scikit-learn, or not fitted.
        UnsupportedOpError: If a step is not continuous piecewise affine, or unknown; the message names it.
        MissingDependencyError: If scikit-learn is not installed.

    Cost: a few forward passes of both.

    Example:
        >>> import numpy as np
        >>> from sklearn.neural_network import MLPRegressor
        >>> x = np.linspace(-1.0, 1.0, 50)[:, None]
        >>> model = MLPRegressor(hidden_layer_sizes=(5,), max_iter=2000, random_state=0).fit(x, abs(x[:, 0]))
        >>> from_sklearn(model).num_units
        5
    """
    require("sklearn", "sklearn", "reading a network of scikit-learn")
    if not is_estimator(model):
        raise InvalidInputError(f"`model`: got {type(model).__name__}; expected a fitted estimator of scikit-learn")
    steps = _steps(model)
    last = steps[-1][1]
    size = _features(steps[0][1])
    b = Builder(batched=True)
    x: Value = b.add_input((1, size), "input")
    for name, step in steps:
        b.origin, b.op = name, type(step).__name__
        read = _READERS.get(type(step).__name__) or (_linear if hasattr(step, "coef_") and step is last else None)
        if read is None:
            raise b.refusal("splinescope does not know this step of scikit-learn")
        x = read(b, b.variable(x), step)
    network = finish(b, x)
    classes = getattr(last, "classes_", None)
    if classes is not None and len(classes) == network.num_classes and not isinstance(classes, list):
        network = network.with_classes([str(name) for name in classes])
    return _compared(network, model)


def _steps(model: Any, name: str = "") -> list[tuple[str, Any]]:
    """The steps of a pipeline, and of pipelines in it, by name."""
    if type(model).__name__ != "Pipeline":
        return [(name or type(model).__name__, model)]
    inner = [(part, step) for part, step in model.steps if step not in (None, "passthrough")]
    if not inner:
        raise InvalidInputError("`model`: the pipeline has no steps")
    return [found for part, step in inner for found in _steps(step, f"{name}.{part}".lstrip("."))]


def _features(step: Any) -> int:
    size = getattr(step, "n_features_in_", None)
    if size is None:
        raise InvalidInputError(f"`model`: {type(step).__name__} is not fitted; call `fit` before")
    return int(size)


def _tensor(values: Any) -> Tensor:
    return torch.from_numpy(np.array(values, np.float64))


def _standard_scaler(b: Builder, x: Variable, step: Any) -> Value:
    """(x - mean) / scale."""
    return _scaled(b, x, step.mean_ if step.with_mean else None, step.scale_ if step.with_std else None)


def _robust_scaler(b: Builder, x: Variable, step: Any) -> Value:
    """(x - median) / range of quantiles."""
    return _scaled(b, x, step.center_, step.scale_)


def _scaled(b: Builder, x: Variable, center: Any, scale: Any) -> Value:
    factor = None if scale is None else 1.0 / _tensor(scale)
    shift = None if center is None else -_tensor(center) * (1.0 if factor is None else factor)
    return affine.scale_and_shift(b, x, factor, shift)


def _min_max_scaler(b: Builder, x: Variable, step: Any) -> Value:
    """x * scale + min, clipped to the range if asked to."""
    result = affine.scale_and_shift(b, x, _tensor(step.scale_), _tensor(step.min_))
    return folding.clip(b, result, *map(float, step.feature_range)) if step.clip else result


def _max_abs_scaler(b: Builder, x: Variable, step: Any) -> Value:
    """x / scale."""
    result = affine.scale_and_shift(b, x, 1.0 / _tensor(step.scale_), None)
    return folding.clip(b, result, -1.0, 1.0) if getattr(step, "clip", False) else result


def _pca(b: Builder, x: Variable, step: Any) -> Value:
    """(x - mean) @ components.T, to unit variances if asked to."""
    components = np.asarray(step.components_, np.float64)
    if step.whiten:
        spread = np.sqrt(step.explained_variance_)
        components = components / np.maximum(spread, np.finfo(spread.dtype).eps)[:, None]
    return affine.linear(b, x, _tensor(components), _tensor(-components @ step.mean_))


def _perceptron(b: Builder, x: Variable, step: Any) -> Value:
    """Fully connected layers; of a classifier with the probabilities as its head."""
    if not hasattr(step, "coefs_"):
        raise InvalidInputError(f"`model`: {type(step).__name__} is not fitted; call `fit` before")
    name, value = b.origin, x
    for number, (weight, bias) in enumerate(zip(step.coefs_, step.intercepts_, strict=True)):
        b.origin = f"{name}.{number}"
        value = affine.linear(b, value, _tensor(weight.T), _tensor(bias))
        if number + 1 < len(step.coefs_) and step.activation != "identity":
            b.op = step.activation
            if step.activation != "relu":
                raise b.refusal(SMOOTH)
            value = folding.relu(b, value)
    b.origin, b.op = name, step.out_activation_
    if step.out_activation_ == "softmax":
        return b.head("softmax", value, -1)
    heads: dict[str, HeadName] = {"logistic": "sigmoid", "exp": "exp"}
    return b.head(heads[step.out_activation_], value) if step.out_activation_ in heads else value


def _linear(b: Builder, x: Variable, step: Any) -> Value:
    """A linear model's decision function, or its prediction."""
    weight = np.atleast_2d(np.asarray(step.coef_, np.float64))
    return affine.linear(b, x, _tensor(weight), _tensor(np.broadcast_to(step.intercept_, len(weight))))


_READERS: dict[str, Callable[[Builder, Variable, Any], Value]] = {
    "StandardScaler": _standard_scaler,
    "RobustScaler": _robust_scaler,
    "MinMaxScaler": _min_max_scaler,
    "MaxAbsScaler": _max_abs_scaler,
    "PCA": _pca,
    "MLPClassifier": _perceptron,
    "MLPRegressor": _perceptron,
}


def _compared(network: Network, model: Any) -> Network:
    """The network with a report of how far it is from what the estimator predicts."""
    comparison = Agreement(network)
    x = comparison.x.numpy()
    if hasattr(model, "predict_proba") and network.head is not None:
        values = np.asarray(model.predict_proba(x))
        values = values[:, 1:] if values.shape[1] == comparison.outputs_per_input + 1 else values
    elif hasattr(model, "decision_function"):
        values = model.decision_function(x)
    else:
        values = model.predict(x)
    values = np.asarray(values)
    unit = _FLOAT32_UNIT if values.dtype == np.float32 else _UNIT
    if values.size != len(x) * comparison.outputs_per_input:
        raise UnsupportedOpError(
            f"`model`: {type(model).__name__} returns {values.size // len(x)} numbers for one input, and the layers "
            f"that splinescope knows {comparison.outputs_per_input}"
        )
    found = comparison.deviation("scikit-learn", torch.from_numpy(values.reshape(len(x), -1).astype(np.float64)), unit)
    return comparison.report([found], ())
