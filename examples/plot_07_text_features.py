"""
Two kinds of text, told apart by splines
========================================

The MLP blocks of a decoder are splines of their inputs. Seven numbers for each of them say where a text passes between
their hyperplanes. Are they enough to tell English from the same English with the letters of each word in another order?

Both kinds have the same length, the same bytes and the same spaces, word by word, so that anything that only counts
knows nothing. What differs is what a language model has learnt.
"""

# %%
# **Texts**: the first sentences of docstrings in Python's own library, and their doubles.

import ast
import random
import re
import sysconfig
from pathlib import Path

import numpy as np
import torch
import transformers
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn import functional

from splinescope.complexity.transformers import FEATURES, find_mlp_blocks, spline_features
from splinescope.plotting.page import MUTED, PAGE, SERIES, new_figure, page_style, put_title

LENGTH = 96  # bytes of each text


def docstrings():
    """Prose from the sources of the standard library, in a fixed order."""
    found = set()
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                text = " ".join((ast.get_docstring(node) or "").split())
                if len(text) >= LENGTH and re.fullmatch(r"[ -~]*", text):
                    found.add(text[: LENGTH * (len(text) // LENGTH)])
    return sorted(found)


def double(text, rng):
    """The same text with the letters inside each word in another order."""
    return re.sub(r"[A-Za-z]+", lambda word: "".join(rng.sample(word[0], len(word[0]))), text)


rng = random.Random(0)
prose = docstrings()
rng.shuffle(prose)
english, rest = [text[:LENGTH] for text in prose[:300]], "  ".join(prose[300:])
doubles = [double(text, rng) for text in english]
print(english[0], doubles[0], sep="\n")

# %%
# **A decoder** of the Llama family with four layers, which reads bytes. It is trained on the spot on the docstrings
# that are left over; none of the texts is among them. A second one keeps its random weights.


def decoder(seed):
    """A small Llama with random weights."""
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=128,
        hidden_size=64,
        intermediate_size=176,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        bos_token_id=None,
        eos_token_id=None,
    )
    return transformers.LlamaForCausalLM(config)


def ids_of(texts):
    """Bytes as tokens."""
    return torch.tensor([list(text.encode("ascii")) for text in texts])


def train(model, corpus, steps=300):
    """Some steps of Adam."""
    data = ids_of([corpus])[0]
    optimiser = torch.optim.AdamW(model.parameters(), lr=6e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min((step + 1) / 20, 1 - step / steps))
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        first = torch.randint(len(data) - LENGTH, (16,), generator=generator)
        batch = torch.stack([data[i : i + LENGTH] for i in first])
        loss = model(batch, labels=batch).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return f"{steps} steps, {loss:.2f} nats per byte"


random_weights, trained = decoder(0), decoder(0)
print(train(trained, rest))

# %%
# **Features.** The blocks are found by structure; nothing about the model has to be said.

for block in find_mlp_blocks(trained).blocks[:1]:
    print(block.name, block.kind, block.activation, f"{block.width} units of {block.inputs} inputs")

ids = ids_of(english + doubles)
labels = np.repeat([0, 1], len(english))
pairs = np.tile(np.arange(len(english)), 2)
features = {name: spline_features(model, ids) for name, model in (("trained", trained), ("random", random_weights))}


def surprise(model):
    """Mean and deviation of the negative log-likelihood of a text's bytes: what a language model says itself."""
    with torch.no_grad():
        logits = torch.cat([model(part).logits for part in ids.split(100)])
    losses = functional.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
    return torch.stack([losses.mean(dim=1), losses.std(dim=1)], dim=1).numpy()


# %%
# **A linear classifier**, judged on texts that it has not seen: a text and its double are always in the same fold.

inputs = {
    "length": np.array([[len(text)] for text in english + doubles], dtype=float),
    "counts of bytes": np.stack([np.bincount(text, minlength=128) for text in ids.numpy()]).astype(float),
    "spline features,\nrandom weights": features["random"].vectors,
    "spline features,\ntrained": features["trained"].vectors,
    "loss of the\ntrained model": surprise(trained),
}


def auc(x):
    """Area under the curve of held-out predictions, and its spread over resampled pairs."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    scores = cross_val_predict(classifier, x, labels, groups=pairs, cv=GroupKFold(10), method="decision_function")
    n, draws = len(english), np.random.default_rng(0).integers(len(english), size=(200, len(english)))
    again = [roc_auc_score(labels[: 2 * n], np.r_[scores[d], scores[n + d]]) for d in draws]
    return roc_auc_score(labels, scores), np.std(again)


results = {name: auc(x) for name, x in inputs.items()}
for name, (value, spread) in results.items():
    print(f"{' '.join(name.split()):35s} AUC {value:.3f} ± {spread:.3f}")

# %%
# Length and counts cannot know anything, and the features of random weights know next to nothing. Those of the trained
# model tell most texts from doubles. So they carry what the model has learnt, and not just what bytes a text has. They
# are not all of it: the model's own loss, which is made to measure how likely a text is, is better. How much they know
# depends on the training: other rates and numbers of steps gave areas from 0.59 to 0.85.

alone = [
    [max(area, 1 - area) for area in (roc_auc_score(labels, column) for column in layer.T)]
    for layer in features["trained"].values.transpose(1, 0, 2)
]

with page_style():
    figure = new_figure(PAGE, 2.6)
    left, right = figure.subplots(1, 2)
    colors = [MUTED, MUTED, SERIES[1], SERIES[0], MUTED]
    for row, ((value, spread), color) in enumerate(zip(results.values(), colors, strict=True)):
        left.errorbar(value, row, xerr=spread, fmt="o", ms=5, color=color, capsize=2)
        left.annotate(f"{value:.2f}", (value, row), xytext=(10, 0), textcoords="offset points", va="center", fontsize=7)
    left.axvline(0.5, color=MUTED, lw=0.8, ls=":")
    left.set(yticks=range(len(results)), yticklabels=list(results), xlim=(0.45, 1.12), ylim=(4.5, -0.7))
    left.set_xlabel("area under the curve, held-out texts")
    put_title(left, "a", "English or its double?")
    image = right.imshow(np.array(alone).T, cmap="Blues", vmin=0.5, vmax=0.8, aspect="auto")
    for layer, row in enumerate(alone):
        for feature, value in enumerate(row):
            ink = "white" if value > 0.7 else "black"
            right.text(layer, feature, f"{value:.2f}", ha="center", va="center", fontsize=7, color=ink)
    right.set(xticks=range(4), xticklabels=range(1, 5), xlabel="MLP block", yticks=range(7), yticklabels=FEATURES)
    figure.colorbar(image, ax=right, label="area under the curve")
    put_title(right, "b", "each trained feature alone")
figure
