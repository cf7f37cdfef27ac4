"""Networks of scikit-learn agree with their own predictions."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, RobustScaler, StandardScaler

import splinescope
from splinescope import Slice
from splinescope.errors import InvalidInputError, UnsupportedOpError
from tests.network.agreement import check_cells

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)) * [1.0, 2.0, 0.5, 3.0] + [0.0, 1.0, -1.0, 2.0]
THREE, TWO, LABELS = (
    RNG.integers(0, 3, 60),
    np.array(["no", "yes"])[RNG.integers(0, 2, 60)],
    RNG.integers(0, 2, (60, 3)),
)
SIZES: dict[str, Any] = {"hidden_layer_sizes": (7, 5), "max_iter": 20, "random_state": 0}
SCALERS = [StandardScaler(), RobustScaler(), MinMaxScaler(clip=True), MaxAbsScaler(), PCA(3, whiten=True)]

MODELS: dict[str, tuple[Any, np.ndarray]] = {
    "three classes": (MLPClassifier(**SIZES), THREE),
    "two classes": (MLPClassifier(**SIZES), TWO),
    "several labels": (MLPClassifier(**SIZES), LABELS),
    "identity": (MLPClassifier(activation="identity", **SIZES), THREE),
    "regressor": (MLPRegressor(**SIZES), X[:, 0]),
    "two outputs": (MLPRegressor(**SIZES), X[:, :2]),
    "pipeline": (make_pipeline(*SCALERS, MLPClassifier(**SIZES)), THREE),
    "nested": (make_pipeline(make_pipeline(StandardScaler(with_std=False)), "passthrough", Ridge()), X[:, 0]),
    "logistic": (LogisticRegression(), TWO),
}


def fitted(model: Any, y: np.ndarray) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y)


@pytest.mark.parametrize("name", MODELS)
def test_predictions_agree(name: str) -> None:
    model = fitted(*MODELS[name])
    network = splinescope.load(model)
    x = RNG.normal(size=(40, 4)) * 3
    y = network(x)
    if network.head is not None:
        import torch

        y = network.head(torch.from_numpy(y)).numpy()
    if name == "logistic":
        expected = model.decision_function(x)
    else:
        expected = model.predict_proba(x) if hasattr(model, "predict_proba") else model.predict(x)
    expected = expected[:, 1:] if name == "two classes" else expected
    np.testing.assert_allclose(y, expected.reshape(y.shape), rtol=1e-10, atol=1e-12)
    assert network.import_report.reference == "scikit-learn"
    assert network.import_report.max_relative < 1e-10
    check_cells(network, Slice.through(*RNG.normal(size=(3, 4)), margin=1.0))


def test_classes_have_their_names() -> None:
    assert splinescope.load(fitted(*MODELS["two classes"])).classes == ("no", "yes")
    assert splinescope.load(fitted(*MODELS["three classes"])).classes == ("0", "1", "2")


def test_public_functions_take_estimators() -> None:
    network = splinescope.network.as_network(fitted(*MODELS["regressor"]))
    assert network.num_units == 12


@pytest.mark.parametrize(
    ("model", "y", "reason"),
    [
        (MLPClassifier(activation="tanh", **SIZES), THREE, r"node `MLPClassifier.0` \(tanh\): it is smooth and curved"),
        (make_pipeline(Normalizer(), Ridge()), X[:, 0], r"`normalizer` \(Normalizer\): splinescope does not know"),
    ],
)
def test_other_steps_are_refused(model: Any, y: np.ndarray, reason: str) -> None:
    with pytest.raises(UnsupportedOpError, match=reason):
        splinescope.from_sklearn(fitted(model, y))


def test_what_is_not_fitted_or_no_estimator_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="MLPClassifier is not fitted"):
        splinescope.load(MLPClassifier())

    class Other:
        def predict(self, X: Any) -> Any:
            return X

    with pytest.raises(InvalidInputError, match="`model`: got Other; expected a fitted estimator"):
        splinescope.from_sklearn(Other())
