"""Recording in the loop of PyTorch Lightning."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from splinescope.errors import MissingDependencyError
from splinescope.numerics import require
from splinescope.observers.recorder import Recorder

_PACKAGES = ("lightning.pytorch", "pytorch_lightning")
"""Two names under which the library is distributed, with classes of their own."""


def _bases() -> tuple[type, ...]:
    """`Callback` of each of the packages that the program has imported; of the first that is there if of none."""
    names = [name for name in _PACKAGES if name in sys.modules]
    if names:
        return tuple(importlib.import_module(name).Callback for name in names)
    try:
        return (require(_PACKAGES[0], "lightning", "watching a Lightning trainer").Callback,)
    except MissingDependencyError:
        return (require(_PACKAGES[1], "lightning", "watching a Lightning trainer").Callback,)


class LightningRecorder(*_bases()):  # type: ignore[misc]
    """A Lightning callback that records at steps of the optimiser, `trainer.global_step`.

    A fit that resumes from a checkpoint goes on with the log from there. The first process of a distributed run
    records. For `pytorch_lightning` import that package first.

    Args:
        recorder: The recorder; its `view` gets the LightningModule.

    Example:
        `Trainer(callbacks=[LightningRecorder(recorder)])`
    """

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Forget what was recorded after the step from which the fit goes on, and record that step."""
        if trainer.is_global_zero:
            self._recorder.rewind(trainer.global_step)
            self._recorder.record(pl_module, trainer.global_step)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Record, where the batch was followed by a step of the optimiser."""
        if trainer.is_global_zero:
            self._recorder.record(pl_module, trainer.global_step)
