"""The landscape of the loss: curvature of one layer in closed form, exact lines and planes, and pictures of it."""

from splinescope.landscape.block import LayerHessian, layer_hessian
from splinescope.landscape.layers import downstream, layer_names
from splinescope.landscape.line import Extremum, LossLine, loss_line

__all__ = ["Extremum", "LayerHessian", "LossLine", "downstream", "layer_hessian", "layer_names", "loss_line"]
