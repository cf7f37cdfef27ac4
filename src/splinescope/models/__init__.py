"""Toy networks: small torch modules with explicit randomness, and a training loop of a few seconds."""

from splinescope.models.dynamic import DynamicNetwork, dynamic_network
from splinescope.models.folded_cube import coordinate_folding, montufar_network, serra_network
from splinescope.models.generators import train_vae, train_wgan
from splinescope.models.residual import residual_convnet, residual_mlp
from splinescope.models.self_similar import hat, self_similar_sum, square, takagi
from splinescope.models.toy import batchnorm_mlp, convnet, gaussian_mlp, mlp, strided_convnet
from splinescope.models.training import TrainingResult, train_classifier, train_classifiers

__all__ = [
    "DynamicNetwork",
    "TrainingResult",
    "batchnorm_mlp",
    "convnet",
    "coordinate_folding",
    "dynamic_network",
    "gaussian_mlp",
    "hat",
    "mlp",
    "montufar_network",
    "residual_convnet",
    "residual_mlp",
    "self_similar_sum",
    "serra_network",
    "square",
    "strided_convnet",
    "takagi",
    "train_classifier",
    "train_classifiers",
    "train_vae",
    "train_wgan",
]
