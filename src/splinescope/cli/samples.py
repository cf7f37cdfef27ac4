"""Samples with labels that the command line is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from splinescope import datasets
from splinescope.cli.points import fit_points, normalise, read_array
from splinescope.cli.values import Shape, whole_numbers
from splinescope.errors import InvalidInputError


@dataclass(frozen=True)
class Labelled:
    """Inputs as they were read, and what a network should make of them.

    Attributes:
        inputs: [N, ...] inputs.
        targets: [N] labels, or [N, outputs] wanted outputs.
    """

    inputs: np.ndarray
    targets: np.ndarray

    def of_shape(self, shape: Shape) -> np.ndarray:
        """The inputs as a network takes them.

        Args:
            shape: The network's input shape.

        Returns:
            [N, *shape] inputs.
        """
        return np.stack(fit_points(list(self.inputs), shape))


def read_samples(
    source: str | None, labels: Path | None, indices: str | None, count: int, mean: str = "0", std: str = "1"
) -> Labelled:
    """Some samples of a data set.

    Args:
        source: "digits", "mnist:PATH", or a .npy, .npz or .csv file with one input per row.
        labels: File with a label, or wanted outputs, per row; for files of inputs only.
        indices: Which samples, as a comma-separated list; None for the first ones.
        count: How many first ones; all if there are fewer.
        mean: Taken from every input.
        std: Divides it after that.

    Returns:
        The samples.

    Raises:
        InvalidInputError: If there are no such samples, or labels are missing or of another number.
    """
    if source is None:
        raise InvalidInputError("`--data`: not given; expected digits, mnist:PATH, or a file with one input per row")
    if source == "digits" or source.startswith("mnist:"):
        if labels is not None:
            raise InvalidInputError(f"`--labels`: {source} has its own; expected it with a file of inputs only")
        try:
            found = datasets.digits() if source == "digits" else datasets.mnist(Path(source[6:]).expanduser())
        except InvalidInputError as error:
            raise InvalidInputError(f"`--data {source}`: {error}") from error
        inputs, targets = found.inputs.numpy().astype(np.float64), found.labels.numpy()
    else:
        if labels is None:
            raise InvalidInputError("`--labels`: not given; expected a file with a label, or wanted outputs, per row")
        inputs, targets = read_array("--data", Path(source)), _whole(read_array("--labels", labels))
        if inputs.ndim < 2:
            raise InvalidInputError(f"`--data`: {source} has the shape {inputs.shape}; expected one input per row")
    if len(targets) != len(inputs):
        raise InvalidInputError(f"`--labels`: got {len(targets)} for {len(inputs)} inputs; expected one for each")
    rows = list(range(min(count, len(inputs)))) if indices is None else whole_numbers("--indices", indices)
    bad = [row for row in rows if not 0 <= row < len(inputs)]
    if bad:
        raise InvalidInputError(f"`--indices`: got {bad[0]}; {source} has {len(inputs)} inputs, counted from 0")
    return Labelled(np.stack(normalise(list(inputs[rows]), mean, std)), targets[rows])


def _whole(targets: np.ndarray) -> np.ndarray:
    """Labels as whole numbers, where a row is one; files hold decimals."""
    one = targets.reshape(len(targets), -1)
    if one.shape[1] == 1 and (one == np.round(one)).all():
        return one[:, 0].astype(np.int64)
    return targets
