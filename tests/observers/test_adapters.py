"""Recording in the real loops of Lightning and of the Hugging Face Trainer: without a trace, and across a restart."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from splinescope.observers import Accuracy, CellCount, CodeChurn, Recorder, read_log
from tests.observers.runs import SQUARE, quadrants

pytestmark = pytest.mark.filterwarnings("ignore")  # of the other libraries


def timeless(rows: Any) -> list[dict[str, Any]]:
    return [{key: repr(value) for key, value in row.items() if key != "time"} for row in rows]


def recorder_in(folder: Path) -> Recorder:
    x, y = quadrants()
    measures = {"slice": CellCount(SQUARE), "churn": CodeChurn(x), "train": Accuracy(x, y)}
    return Recorder(measures, range(0, 100, 3), folder / "log", view=lambda model: model.net)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))


def lightning_fit(
    package: str, folder: Path, steps: int, recorded: bool = True, checkpoint: str | None = None
) -> tuple[Any, Any]:
    """Train with an accumulated gradient; saves at the end."""
    library = importlib.import_module(package)

    class Classifier(library.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = network()

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x)

        def training_step(self, batch: list[Tensor], _: int) -> Tensor:
            return nn.functional.cross_entropy(self(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=0.01)

    module = Classifier()
    callbacks = []
    if recorded:
        adapter = importlib.reload(importlib.import_module("splinescope.observers.lightning"))
        callbacks = [adapter.LightningRecorder(recorder_in(folder))]
    options: dict[str, Any] = dict.fromkeys(
        ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )
    options |= {"accelerator": "cpu", "accumulate_grad_batches": 2, "default_root_dir": str(folder)}
    trainer = library.Trainer(max_steps=steps, max_epochs=-1, callbacks=callbacks, **options)
    data = DataLoader(TensorDataset(*quadrants(64)), batch_size=8, shuffle=checkpoint is None and steps % 4 > 0)
    trainer.fit(module, data, ckpt_path=checkpoint)
    trainer.save_checkpoint(folder / f"{steps}.ckpt")
    return module, trainer


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_lightning(package: str, tmp_path: Path) -> None:
    pytest.importorskip(package)
    (tmp_path / "plain").mkdir()
    plain, _ = lightning_fit(package, tmp_path / "plain", 13, recorded=False)
    state = torch.get_rng_state()
    module, trainer = lightning_fit(package, tmp_path, 13)
    assert trainer.global_step == 13
    assert torch.equal(state, torch.get_rng_state())
    for name, value in plain.state_dict().items():
        assert torch.equal(value, module.state_dict()[name]), name
    rows = read_log(tmp_path / "log")
    assert [row["step"] for row in rows] == [0, 3, 6, 9, 12]


def test_lightning_resumes(tmp_path: Path) -> None:
    package = "lightning.pytorch"
    pytest.importorskip(package)
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    torch.manual_seed(0)
    lightning_fit(package, tmp_path / "whole", 4)
    lightning_fit(package, tmp_path / "parts", 4)
    lightning_fit(package, tmp_path / "parts", 12, checkpoint=str(tmp_path / "parts" / "4.ckpt"))
    first = timeless(read_log(tmp_path / "parts" / "log"))
    assert [row["step"] for row in first] == ["0", "3", "6", "9", "12"]
    # From step 4 once more, as if it had been killed at 12: the same rows, none twice.
    lightning_fit(package, tmp_path / "parts", 8, checkpoint=str(tmp_path / "parts" / "4.ckpt"))
    again = timeless(read_log(tmp_path / "parts" / "log"))
    assert [row["step"] for row in again] == ["0", "3", "6"]
    assert again[:2] == timeless(read_log(tmp_path / "whole" / "log"))


class Rows(Dataset):
    """A data set as the Trainer takes them."""

    def __init__(self) -> None:
        self.x, self.y = quadrants(64)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        return {"x": self.x[row], "labels": self.y[row]}


class Classifier(nn.Module):
    """A model as the Trainer takes them."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network()

    def forward(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        logits = self.net(x)
        loss = logits.sum() if labels is None else nn.functional.cross_entropy(logits, labels)
        return {"loss": loss, "logits": logits}


def hugging_face(folder: Path, steps: int, recorded: bool = True, checkpoint: str | None = None) -> nn.Module:
    """Train with an accumulated gradient, and a checkpoint every ten steps."""
    from splinescope.observers.huggingface import TrainerRecorder

    library = importlib.import_module("transformers")
    arguments = library.TrainingArguments(
        output_dir=str(folder / "trainer"),
        max_steps=steps,
        per_device_train_batch_size=8,
        gradient_accumulation_steps=2,
        learning_rate=0.01,
        lr_scheduler_type="constant",
        save_steps=10,
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        seed=3,
    )
    callbacks = [TrainerRecorder(recorder_in(folder))] if recorded else []
    model = Classifier()
    library.Trainer(model=model, args=arguments, train_dataset=Rows(), callbacks=callbacks).train(
        resume_from_checkpoint=checkpoint
    )
    return model


def test_hugging_face(tmp_path: Path) -> None:
    pytest.importorskip("accelerate", reason="transformers.Trainer needs accelerate")
    pytest.importorskip("transformers")
    for name in ("plain", "whole", "parts"):
        (tmp_path / name).mkdir()
    plain = hugging_face(tmp_path / "plain", 24, recorded=False)
    state = torch.get_rng_state()
    model = hugging_face(tmp_path / "whole", 24)
    assert torch.equal(state, torch.get_rng_state())
    for name, value in plain.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
    rows = timeless(read_log(tmp_path / "whole" / "log"))
    assert [row["step"] for row in rows] == [str(step) for step in range(0, 25, 3)]
    # It stops at 16, after the checkpoint of 10, and goes on from there.
    hugging_face(tmp_path / "parts", 16)
    checkpoint = tmp_path / "parts" / "trainer" / "checkpoint-10"
    assert os.path.isdir(checkpoint)
    hugging_face(tmp_path / "parts", 24, checkpoint=str(checkpoint))
    assert timeless(read_log(tmp_path / "parts" / "log")) == rows


def test_transformers_of_the_library(tmp_path: Path) -> None:
    """Measures see models whose inputs are tokens and whose outputs have names."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    bert = transformers.BertForSequenceClassification(transformers.BertConfig(vocab_size=11, **sizes))
    tokens = torch.randint(0, 11, (40, 5))
    with torch.no_grad():
        labels = bert.eval()(tokens).logits.argmax(dim=1)
    labels[:10] = 1 - labels[:10]
    row = Recorder({"train": Accuracy(tokens, labels)}, range(9), tmp_path / "log").record(bert.train(), 0)
    assert row is not None
    assert row["train/accuracy"] == 0.75
    assert bert.training
