"""Recording in the loop of the Hugging Face Trainer."""

from __future__ import annotations

from typing import Any

from splinescope.numerics import require
from splinescope.observers.recorder import Recorder

_Callback: Any = require("transformers", "transformers", "watching a Hugging Face Trainer").TrainerCallback


class TrainerRecorder(_Callback):
    """A callback of `transformers.Trainer` that records at steps of the optimiser, `state.global_step`.

    Training that resumes from a checkpoint goes on with the log from there. The first process of a distributed run
    records.

    Args:
        recorder: The recorder; its `view` gets the model. Of outputs that have names, measures read the `logits`.

    Example:
        `Trainer(..., callbacks=[TrainerRecorder(recorder)])`
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def on_train_begin(self, args: Any, state: Any, control: Any, *, model: Any = None, **others: Any) -> None:
        """Forget what was recorded after the step from which training goes on, and record that step."""
        if state.is_world_process_zero:
            self._recorder.rewind(state.global_step)
            self._recorder.record(model, state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, *, model: Any = None, **others: Any) -> None:
        """Record."""
        if state.is_world_process_zero:
            self._recorder.record(model, state.global_step)
