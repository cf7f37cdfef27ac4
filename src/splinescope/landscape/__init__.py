"""The landscape of the loss: curvature of one layer in closed form, exact lines and planes, and pictures of it."""

from splinescope.landscape.block import LayerHessian, layer_hessian
from splinescope.landscape.conditioning import Conditioning, conditioning
from splinescope.landscape.curvature import LossHessian, hessian
from splinescope.landscape.directions import ParameterPlane, between, layer_directions, random_plane, trajectory_plane
from splinescope.landscape.factors import downstream, layer_names
from splinescope.landscape.grid import LossGrid, loss_grid
from splinescope.landscape.line import Extremum, LossLine, loss_line
from splinescope.landscape.plane import LossPlane, PlaneMinimum, loss_plane
from splinescope.landscape.spectrum import SpectralDensity

__all__ = [
    "Conditioning",
    "Extremum",
    "LayerHessian",
    "LossGrid",
    "LossHessian",
    "LossLine",
    "LossPlane",
    "ParameterPlane",
    "PlaneMinimum",
    "SpectralDensity",
    "between",
    "conditioning",
    "downstream",
    "hessian",
    "layer_directions",
    "layer_hessian",
    "layer_names",
    "loss_grid",
    "loss_line",
    "loss_plane",
    "random_plane",
    "trajectory_plane",
]
