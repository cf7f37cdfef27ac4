"""Spline features beside what one computes by hand from all pre-activations, in one run and in parts."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from splinescope.complexity import orthonormal_frame
from splinescope.complexity.transformers import FEATURES, mlp_blocks, spline_features
from splinescope.complexity.transformers.moments import RunningMoments
from splinescope.errors import InvalidInputError
from tests.transformers.decoders import TRUTHS, VOCABULARY, PlainDecoder, decoder, token_ids

transformers = pytest.importorskip("transformers")


def gates(model: nn.Module, ids: Tensor) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Inputs, pre-activations [texts, tokens, units] and weights of all blocks, kept whole, by hooks of its own."""
    inputs: list[Tensor] = []
    outputs: list[Tensor] = []
    weights: list[Tensor] = []
    handles = []
    for block in mlp_blocks(model):
        module = model.get_submodule(block.gate)

        def keep(_: Any, args: Any, output: Tensor, rows: range = block.rows) -> None:
            inputs.append(args[0].reshape(*ids.shape, -1))
            outputs.append(output[..., list(rows)].reshape(*ids.shape, -1).clone())

        handles.append(module.register_forward_hook(keep))
        whole = module.weight.detach() if isinstance(module, nn.Linear) else module.weight.detach().T
        weights.append(whole[list(block.rows)])
    with torch.no_grad():
        model(ids, use_cache=False)
    for handle in handles:
        handle.remove()
    return inputs, outputs, weights


def released(h: Tensor, weight: Tensor) -> Tensor:
    """The seven features of the source's definition, [texts, 7]."""
    distance = (h.abs() / weight.norm(dim=1)).amin(dim=2)
    sign = (h > 0).to(h.dtype).mean(dim=2)
    columns = [
        sign.mean(1), sign.amin(1), sign.amax(1), sign.std(1), distance.amin(1), distance.mean(1), distance.std(1)
    ]  # fmt: skip
    return torch.stack(columns, dim=1)


@pytest.mark.parametrize("name", TRUTHS)
def test_features_are_those_of_the_definition(name: str) -> None:
    model = decoder(name).double()
    ids = token_ids(3, 11)
    found = spline_features(model, ids)
    _, pre_activations, weights = gates(model, ids)
    for layer, (h, weight) in enumerate(zip(pre_activations, weights, strict=True)):
        np.testing.assert_allclose(found.values[:, layer], released(h, weight), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(
            found.sign_rates[:, layer], (h > 0).double().mean(dim=2).flatten(), rtol=1e-13, atol=0
        )
    assert found.vectors.shape == (3, 7 * len(weights))
    assert found.names[8] == f"{found.layers[1]}: {FEATURES[1]}"
    assert found.vectors[0, 8] == found.values[0, 1, 1]
    assert found.tokens.tolist() == [11, 11, 11]
    assert found.windows.tolist() == [1, 1, 1]
    assert found.local_complexity is None
    assert found.mean_local_complexity is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision(dtype: torch.dtype) -> None:
    model = decoder("phi3").to(dtype)
    ids = token_ids(2, 9)
    found = spline_features(model, ids, radius=0.1)
    _, pre_activations, weights = gates(model, ids)
    for layer, (h, weight) in enumerate(zip(pre_activations, weights, strict=True)):
        np.testing.assert_allclose(found.values[:, layer], released(h.double(), weight.double()), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", TRUTHS)
def test_parts_with_a_cache_are_the_whole(name: str) -> None:
    model = decoder(name).double()
    ids = token_ids(2, 23)
    whole = spline_features(model, ids, radius=0.05)
    for chunk in (1, 7, 22):
        parts = spline_features(model, ids, radius=0.05, chunk=chunk)
        # rotary angles and some norms are float32 in these models, whatever the dtype of the weights
        np.testing.assert_allclose(parts.distances, whole.distances, rtol=0, atol=1e-6)
        np.testing.assert_allclose(parts.values, whole.values, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(parts.local_complexity, whole.local_complexity)
        assert parts.windows.tolist() == [1, 1]


class Old(nn.Module):
    """A decoder that calls its cache `past_key_values`, as those of transformers before 5.24 do."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.config = inner, inner.config

    def forward(self, input_ids: Tensor, past_key_values: Any = None, use_cache: bool = True) -> Any:
        name = "cache" if "cache" in inspect.signature(self.inner.forward).parameters else "past_key_values"
        result = self.inner(input_ids, use_cache=use_cache, **{name: past_key_values})
        return SimpleNamespace(past_key_values=getattr(result, name))


def test_a_cache_by_its_old_name() -> None:
    model, ids = decoder("llama").double(), token_ids(2, 23)
    whole = spline_features(model, ids, radius=0.05)
    parts = spline_features(Old(model), ids, radius=0.05, chunk=7)
    np.testing.assert_allclose(parts.values, whole.values, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["llama", "gpt2", "opt", "bloom", "mistral"])
@pytest.mark.parametrize("chunk", [None, 5])
def test_padding_on_either_side_does_not_count(name: str, chunk: int | None) -> None:
    model = decoder(name)
    if name != "bloom":  # its own attention is NaN where float64 meets padding on the left
        model = model.double()
    ids = token_ids(2, 14)
    alone = spline_features(model, [ids[0].tolist(), ids[1, :9].tolist()], radius=0.05)
    for start in (0, 5):
        padded, mask = ids.clone(), torch.ones(2, 14, dtype=torch.long)
        padded[1], mask[1] = 0, 0
        padded[1, start : start + 9], mask[1, start : start + 9] = ids[1, :9], 1
        together = spline_features(model, {"input_ids": padded, "attention_mask": mask}, radius=0.05, chunk=chunk)
        np.testing.assert_allclose(together.values, alone.values, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(together.local_complexity, alone.local_complexity)
        assert together.offsets.tolist() == alone.offsets.tolist() == [0, 14, 23]
        np.testing.assert_allclose(together.distances[together.rows_of(1)], alone.distances[14:], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("window", "overlap"), [(8, 0), (8, 3), (5, 4)])
def test_windows_are_texts_of_their_own(window: int, overlap: int) -> None:
    model = decoder("llama").double()
    ids = token_ids(1, 19)[0]
    found = spline_features(model, ids, window=window, overlap=overlap)
    rows, stop = [], 0
    while stop < 19:
        start, counted = (max(stop - overlap, 0), stop)
        stop = min(start + window, 19)
        alone = spline_features(model, ids[start:stop])
        rows.append(alone.distances[counted - start :])
    assert found.windows.tolist() == [len(rows)]
    np.testing.assert_allclose(found.distances, np.concatenate(rows), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.values[0, :, 5], np.concatenate(rows).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.values[0, :, 6], np.concatenate(rows).std(axis=0, ddof=1), rtol=1e-11)
    in_parts = spline_features(model, ids, window=window, overlap=overlap, chunk=2)
    np.testing.assert_allclose(in_parts.values, found.values, rtol=0, atol=1e-6)


def test_the_context_length_is_the_default_window() -> None:
    model = decoder("gpt2", n_positions=16)
    found = spline_features(model, token_ids(1, 40), keep_tokens=False)
    assert found.windows.tolist() == [3]
    assert found.tokens.tolist() == [40]
    assert found.sign_rates is None
    assert found.distances is None


@pytest.mark.parametrize("neighbourhood", ["cross-polytope", "ball"])
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("name", ["llama", "phi3", "gpt2"])
def test_local_complexity_is_that_of_the_vertices(name: str, neighbourhood: str, relative: bool) -> None:
    """Twin: the gate is evaluated at the vertices; for the ball at the two points that are extreme for each unit."""
    model = decoder(name).double()
    ids, radius = token_ids(2, 6), 0.03 if relative else 0.2
    frame = orthonormal_frame((32,), 7, generator=torch.Generator().manual_seed(5))
    found = spline_features(model, ids, radius=radius, relative=relative, neighbourhood=neighbourhood, frame=frame)
    inputs, outputs, weights = gates(model, ids)
    for layer, (block, x, h, weight) in enumerate(zip(mlp_blocks(model), inputs, outputs, weights, strict=True)):
        gate = model.get_submodule(block.gate)
        x, h = x.flatten(0, 1), h.flatten(0, 1)
        r = radius * x.norm(dim=1) if relative else torch.full((len(x),), radius, dtype=torch.float64)
        for token in range(len(x)):
            if neighbourhood == "ball":
                slack = r[token] * weight.norm(dim=1)
                cut = (h[token] + slack > 0) != (h[token] - slack > 0)
            else:
                vertices = torch.cat([x[token] + r[token] * frame, x[token] - r[token] * frame])
                with torch.no_grad():
                    signs = gate(vertices)[:, list(block.rows)] > 0
                cut = signs.any(dim=0) != signs.all(dim=0)
            assert int(cut.sum()) == found.local_complexity[token, layer]
    assert 0 < found.local_complexity.mean() < len(weights[0])
    np.testing.assert_allclose(
        found.mean_local_complexity, found.local_complexity.reshape(2, 6, -1).mean(axis=1), rtol=1e-13
    )


def test_directions_are_chance_or_the_generator() -> None:
    model, ids = decoder("llama"), token_ids(1, 9)
    counts = [
        spline_features(model, ids, radius=0.3, frame=5, generator=generator).local_complexity
        for generator in (None, torch.Generator().manual_seed(0), torch.Generator().manual_seed(1))
    ]
    assert np.array_equal(counts[0], counts[1])
    assert not np.array_equal(counts[0], counts[2])


class OneToken(nn.Module):
    """A block whose numbers are known: units x, -x + 1 and a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(4, 1)
        self.gate, self.down = nn.Linear(1, 3), nn.Linear(3, 1)
        self.embedding.weight.data = torch.tensor([[0.0], [0.25], [3.0], [-1.0]])
        self.gate.weight.data = torch.tensor([[2.0], [-2.0], [0.0]])
        self.gate.bias.data = torch.tensor([0.0, 2.0, 0.0])

    def forward(self, ids: Tensor) -> Tensor:
        return self.down(F.relu(self.gate(self.embedding(ids))))


def test_known_numbers() -> None:
    found = spline_features(OneToken(), [[1, 2, 3]], radius=0.5, neighbourhood="ball")
    np.testing.assert_allclose(found.sign_rates[:, 0], [2 / 3, 1 / 3, 1 / 3], rtol=1e-6)
    np.testing.assert_allclose(found.distances[:, 0], [0.25, 2.0, 1.0], rtol=1e-6)
    assert found.local_complexity[:, 0].tolist() == [1, 0, 0], "a unit without weights has no hyperplane"
    wide = spline_features(OneToken(), [[1]], radius=1.0)
    assert wide.local_complexity.tolist() == [[2]]
    assert wide.values[0, 0, [3, 6]].tolist() == [0, 0], "one token deviates from nothing"


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 2**31), st.floats(-1e6, 1e6))
def test_moments_grow_as_if_all_had_been_there(parts: list[int], seed: int, offset: float) -> None:
    rng = np.random.default_rng(seed)
    values = offset + rng.normal(size=(2, sum(parts), 3))
    counted = rng.random((2, sum(parts))) < 0.7
    counted[:, 0] = True
    moments = RunningMoments((2, 3))
    for stop, size in zip(np.cumsum(parts), parts, strict=True):
        moments.add(values[:, stop - size : stop], counted[:, stop - size : stop])
    for text in range(2):
        there = values[text, counted[text]]
        scale = np.finfo(float).eps * abs(offset) * len(there)
        np.testing.assert_allclose(moments.mean[text], there.mean(axis=0), rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(moments.least[text], there.min(axis=0))
        np.testing.assert_array_equal(moments.largest[text], there.max(axis=0))
        if len(there) > 1:
            np.testing.assert_allclose(
                moments.deviation[text], there.std(axis=0, ddof=1), rtol=1e-12, atol=4 * scale + 1e-13
            )


def test_an_interrupted_run_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    model = decoder("llama").train()
    blocks = mlp_blocks(model)
    modes = [module.training for module in model.modules()]
    state = torch.random.get_rng_state()
    with pytest.raises(IndexError):
        spline_features(model, [[1, VOCABULARY + 1]], blocks=blocks)
    spline_features(model, [[1, 2, 3]])
    assert modes == [module.training for module in model.modules()]
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_what_makes_no_sense_is_refused() -> None:
    model = decoder("llama")
    ids = token_ids(2, 5)
    plain = PlainDecoder()
    for match, arguments, keywords in [
        (r"`inputs`: got shape \(2, 5\) of torch.float32", (model, ids.float()), {}),
        (r"`inputs`: got a mapping without", (model, {"tokens": ids}), {}),
        (r"`attention_mask`: got shape \(2, 4\)", (model, ids), {"attention_mask": torch.ones(2, 4)}),
        (r"`attention_mask`: a text has no token", (model, ids), {"attention_mask": torch.zeros(2, 5)}),
        (r"`attention_mask`: got padding; .*PlainDecoder", (plain, ids), {"attention_mask": (ids > 20).long()}),
        (r"`chunk`: got 2; .*PlainDecoder has no cache", (plain, ids), {"chunk": 2}),
        (r"`chunk`: got 0", (model, ids), {"chunk": 0}),
        (r"`window`: got -1", (model, ids), {"window": -1}),
        (r"`overlap`: got 4", (model, ids), {"window": 4, "overlap": 4}),
        (r"`radius`: got -1", (model, ids), {"radius": -1.0}),
        (r"`neighbourhood`", (model, ids), {"neighbourhood": "box"}),
        (r"`blocks`: got none", (model, ids), {"blocks": ()}),
        (r"`blocks`: got one of `layers", (model, ids), {"blocks": mlp_blocks(plain)}),
    ]:
        with pytest.raises(InvalidInputError, match=match):
            spline_features(*arguments, **keywords)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
def test_on_a_gpu() -> None:
    ids = token_ids(2, 20)
    there = spline_features(decoder("llama").cuda(), ids, radius=0.05, chunk=6)
    here = spline_features(decoder("llama"), ids, radius=0.05)
    np.testing.assert_allclose(there.values, here.values, rtol=0, atol=1e-3)
