"""The trained model among the assets: it is what it should be, and its features can be told from those of noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from splinescope.complexity.transformers import mlp_blocks, spline_features
from tests.transformers.llama2c import ABSENT, ONCE_UPON_A_TIME, STORIES, stories

pytest.importorskip("transformers")
pytestmark = pytest.mark.skipif(not STORIES.is_file(), reason=ABSENT)


def test_it_says_what_llama2c_says() -> None:
    model = stories()
    ids = torch.tensor([ONCE_UPON_A_TIME])
    with torch.no_grad():
        logits = model(ids).logits[0]
    assert logits[:-1].argmax(dim=1).tolist() == ONCE_UPON_A_TIME[1:]
    assert F.cross_entropy(logits[:-1], ids[0, 1:]) < 0.2
    assert [block.gate for block in mlp_blocks(model)] == [f"model.layers.{i}.mlp.gate_proj" for i in range(5)]
    assert {block.weight.shape for block in mlp_blocks(model)} == {(172, 64)}


def test_stories_and_shuffled_stories_differ() -> None:
    """A linear classifier tells new stories from their own tokens in another order, which no histogram could."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = stories()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        told = model.generate(
            torch.ones(120, 1, dtype=torch.long), do_sample=True, top_k=0, max_new_tokens=64, pad_token_id=0
        )
    generator = torch.Generator().manual_seed(1)
    shuffled = torch.stack([torch.cat([text[:1], text[1:][torch.randperm(64, generator=generator)]]) for text in told])
    x = np.concatenate([spline_features(model, texts).vectors for texts in (told, shuffled)])
    y = np.repeat([0, 1], 120)
    train = np.tile(np.arange(120) < 60, 2)
    classifier = make_pipeline(StandardScaler(), LogisticRegression()).fit(x[train], y[train])
    assert roc_auc_score(y[~train], classifier.decision_function(x[~train])) > 0.85


def test_a_book_goes_in_parts() -> None:
    """Longer than the context of 512 tokens, in windows and chunks."""
    model = stories()
    ids = torch.randint(3, 512, (1300,), generator=torch.Generator().manual_seed(0))
    whole = spline_features(model, ids, radius=0.1)
    parts = spline_features(model, ids, radius=0.1, chunk=100)
    assert whole.windows.tolist() == parts.windows.tolist() == [3]
    np.testing.assert_allclose(parts.values, whole.values, rtol=0, atol=1e-5)
    assert np.abs(parts.local_complexity - whole.local_complexity).max() <= 1, "on the edge of the neighbourhood"
