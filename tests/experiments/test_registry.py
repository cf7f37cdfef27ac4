"""The list of experiments: names, presets, and that nothing heavy is loaded to show it."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys

import pytest

from splinescope.errors import InvalidInputError
from splinescope.experiments import EXPERIMENTS, Config, entry
from splinescope.experiments.shared.registry import PRESETS


def test_names_are_those_of_the_issue() -> None:
    names = [found.name for found in EXPERIMENTS]
    assert len(set(names)) == len(names)
    assert {"regions-vs-depth-width", "self-similar", "folded-hyperplanes", "tessellation-toy", "cats"} <= set(names)


@pytest.mark.parametrize("name", [found.name for found in EXPERIMENTS])
def test_presets_are_frozen_configurations(name: str) -> None:
    found = entry(name)
    assert found.shows
    assert found.source
    assert set(found.minutes) == set(PRESETS)
    for preset in PRESETS:
        config = found.settings(preset, 3)
        assert isinstance(config, Config)
        assert config.seed == 3
        assert json.dumps(dataclasses.asdict(config))
        with pytest.raises(dataclasses.FrozenInstanceError):
            config.seed = 4  # type: ignore[misc]
    assert found.settings("smoke", 0) != found.settings("paper", 0)


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(InvalidInputError, match=r"there is no experiment 'fold'; expected one of .*folded-hyperplanes"):
        entry("fold")
    with pytest.raises(InvalidInputError, match="`preset`: got 'huge'; expected 'smoke' or 'paper'"):
        entry("cats").settings("huge", 0)


def test_listing_loads_nothing_heavy() -> None:
    heavy = ["torch", "numpy", "numba", "matplotlib", "sklearn"]
    code = (
        "import json, sys; from splinescope.experiments import EXPERIMENTS; "
        f"print(json.dumps([name for name in {heavy} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_settings_of_several_kinds() -> None:
    """Tuples of one kind take any number of values, those of several kinds have one place for each."""
    config = entry("self-similar").settings("smoke", 0)
    changed = config.with_settings({"depths": "1,2", "folded": [[1, [3]], [2, [4, 5, 6]]]})
    assert (changed.depths, changed.folded) == ((1, 2), ((1, (3,)), (2, (4, 5, 6))))  # type: ignore[attr-defined]
    with pytest.raises(InvalidInputError, match=r"`set`: got \[1\] for 'folded'; expected 2 values"):
        config.with_settings({"folded": [[1]]})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("problems", "foo", "got foo for 'problems'; expected 'ring' or 'grid' or 'spiral'"),
        ("kinds", "gan", "expected 'wgan' or 'vae'"),
        ("steps", "-1", "expected at least 1"),
        ("samples", "0", "expected at least 1"),
        ("deviation", "-1", "expected a positive number"),
        ("rhos", "0,nan", "expected finite numbers"),
    ],
)
def test_settings_that_make_no_sense(name: str, value: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(words)):
        entry("polarity-toy").settings("smoke", 0).with_settings({name: value})
