"""What pages say of a cell: numbers with the digits that are known, the class at the pointer, names of all outputs."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.plotting.data import fill_cells
from splinescope.viewer import explore, explore_frames, explore_linked
from splinescope.viewer.measures import LEVELS, measure_of

from .reading import in_browser, read, record_of
from .test_page import network, planar, segment


def decoded(stored: np.ndarray, record: dict) -> tuple[np.ndarray, np.ndarray]:
    """Numbers that were stored, and by how much they may be off."""
    share = stored / record["levels"]
    value = record["least"] * (1 - share) + record["most"] * share
    error = np.full(len(value), record["most"] / 2 / record["levels"] - record["least"] / 2 / record["levels"])
    if record["stored_as_logarithms"]:
        value = np.exp(value)
        error = value * error
    if record["zeros"]:
        value[stored == 0] = error[stored == 0] = 0
    if record["exact"]:
        value, error = np.rint(value), 0 * error
    return value, error


COLUMNS = {
    "zeros beside a logarithm": np.append(np.zeros(5), np.geomspace(1e-3, 1e5, 200)),
    "an outlier": np.append(np.linspace(0, 1, 100), 1e9),
    "whole": np.arange(200.0) - 7,
    "whole, with zeros": np.append(np.zeros(3), 2.0 ** np.arange(14)),
    "wide": np.append(np.linspace(-1, 1, 50), [1e308, -1e308]),
    "tiny": np.linspace(1, 2, 50) * 1e-300,
    "constant": np.full(9, 0.1),
}


@pytest.mark.parametrize("levels", [LEVELS, 254])
@pytest.mark.parametrize("name", COLUMNS)
def test_numbers_are_stored_as_well_as_they_say(name: str, levels: int) -> None:
    values = COLUMNS[name]
    stored, record = measure_of("x", values, "x", np.ones(len(values)), levels)
    assert stored.max() <= levels
    value, error = decoded(stored.astype(float), record)
    assert (np.abs(value / 2 - values / 2) <= 0.51 * error * (1 + 1e-6) + 1e-13 * np.abs(values)).all()
    assert (value[values == 0] == 0).all() or not record["stored_as_logarithms"]
    if name.startswith("whole") and np.ptp(values) <= levels:
        np.testing.assert_array_equal(value, values)


def shown(text: str) -> tuple[float, float]:
    """A number that is shown, and how much its last digit is worth."""
    if " ± " in text:
        return 0.0, float(text.split(" ± ")[1]) * 1.7  # one digit, rounded
    number = Decimal(text.removeprefix("≈ "))
    return float(number), float(Decimal(1).scaleb(number.as_tuple().exponent))


def test_digits_that_are_shown_are_known(tmp_path: Path) -> None:
    cells = planar(widths=(2, 24, 24, 3))
    count = np.arange(len(cells), dtype=float)
    lengths = np.where(count < 9, 0, np.exp(count / 40))
    values = {"outlier": np.where(count == 3, 1e9, count + 0.25), "lengths": lengths, "count": count + 3}
    script = """
        const numbers = page.found.get("numbers");
        return Array.from({ length: page.cells.count }, (_, cell) =>
          [numbers[cell], page.record.measures.map((measure) => page.measured(cell, measure))]);
    """
    page = explore(cells, values=values)
    told = in_browser(page.text, script, tmp_path)
    A = cells.affine_maps().A
    exact = {"norm": np.linalg.norm(A, ord=2, axis=(1, 2)), "area": np.asarray(cells.measures), **values}
    for key, place in zip(exact, range(5), strict=True):
        texts = {number: texts[place] for number, texts in told}
        for number, text in texts.items():
            value, unit = shown(text)
            assert abs(value - exact[key][number]) <= unit, (key, text, exact[key][number])
        if key == "count":
            assert [texts[number] for number in range(len(cells))] == [str(n + 3) for n in range(len(cells))]
        if key == "lengths":
            assert {texts[number] for number in range(9)} == {"0"}
        if key == "norm":
            assert np.mean([len(text.replace(".", "").lstrip("0")) for text in texts.values()]) > 4.5


def test_norms_count_in_units_of_the_input(tmp_path: Path) -> None:
    """Slices whose coordinates are no lengths: slopes are taken by Euclidean units, in the page as in `norms`."""
    through = [[0.0, 0.0, 1.0], [2.0, 0.5, 0.0], [0.3, 3.0, 0.2]]
    plane = splinescope.tessellate(network((3, 9, 9, 2)), splinescope.Slice.through(*through))
    skew = splinescope.Box([-1, -2, -1], [1, 2, 3])
    script = """
        const numbers = page.found.get("numbers"), count = page.record.counts.cells ?? page.record.counts.items;
        const label = page.record.measures[0].label;
        return Array.from({ length: count }, (_, cell) => page.measured
          ? [numbers[cell], page.measured(cell, page.record.measures[0])]
          : [cell, page.about(cell).rows.find(([name]) => name === label)[1]]);
    """
    for cells in (plane, splinescope.tessellate(network((3, 7, 7, 2)), skew)):
        for number, text in in_browser(explore(cells).text, script, tmp_path):
            value, unit = shown(text)
            assert abs(value - cells.norms()[number]) <= unit
            assert abs(value - cells.norms()[number]) <= 1e-4 * value


def test_the_class_is_that_of_the_place(tmp_path: Path) -> None:
    """The row follows the pointer through cells of several classes, and has names for outputs that never lead."""
    names = ["zero", "one", "two", "three", "the last one, with a name that is far too long for its column"]
    net = splinescope.load(network((2, 16, 16, 5), 1), input_shape=(2,)).with_classes(names)
    cells = splinescope.tessellate(net, splinescope.Slice.box([-1, -2], [3, 1]))
    rng = np.random.default_rng(0)
    points = [-1, -2] + rng.random((1500, 2)) * [4, 3]
    script = f"""
        const words = (row) => [...row.cells].map((one) => one.textContent);
        const rows = () => [...document.querySelectorAll("#cell tr")].map(words);
        const classes = {json.dumps(points.tolist())}.map((point) => {{
          page.point(...page.view.toScreen(...page.shares(point)));
          return rows().find(([name]) => name === "class")[1];
        }});
        const table = document.querySelector("#cell table + table"), box = document.getElementById("cell");
        return {{ classes, outputs: [...table.rows].slice(1).map((row) => row.cells[0].textContent),
                 title: table.rows[5].cells[0].title, beyond: box.scrollWidth - box.clientWidth }};
    """
    page = explore(cells)
    answer = in_browser(page.text, script, tmp_path)
    outputs = cells.network(points)
    sure = np.diff(np.sort(outputs, axis=1)[:, -2:], axis=1)[:, 0] > 1e-6
    wanted = np.array(names)[outputs.argmax(axis=1)]
    assert (np.array(answer["classes"]) == wanted)[sure].all()
    assert (np.array(names)[cells.classes[cells.locate(points)]] != wanted).mean() > 0.01
    assert answer["outputs"] == names
    assert answer["title"] == names[-1]
    assert answer["beyond"] <= 0


def test_colors_are_those_of_the_classes_that_occur() -> None:
    """Eleven of a thousand classes: all differ, none is white or black, and pictures have the same."""
    cells = splinescope.tessellate(network((2, 16, 16, 1000), 3), splinescope.Slice.box([-1, -1], [1, 1]))
    classes = record_of(explore(cells).text)["classes"]
    colors = np.array(classes["colors"])
    assert len(classes["present"]) > 10
    assert max(classes["present"]) > 99
    apart = np.abs(colors[:, None] - colors[None]).sum(axis=2)
    assert apart[~np.eye(len(colors), dtype=bool)].min() > 60
    assert (np.abs(colors - 255).sum(axis=1) > 60).all()
    assert (colors.sum(axis=1) > 60).all()
    fills = fill_cells(cells, "class")
    assert list(fills.classes) == classes["present"]
    pale = np.unique(np.rint(255 * fills.colors[:, :3]), axis=0)
    np.testing.assert_allclose(pale, np.unique(np.rint(255 - 0.75 * (255 - colors)), axis=0), atol=1)


def test_frames_and_views_share_the_colors_of_classes() -> None:
    box = splinescope.Slice.box([-1, -1], [1, 1])
    both = [splinescope.tessellate(network((2, 12, 12, 40), seed), box) for seed in (0, 1)]
    views = record_of(explore_linked(both, color="class").text)["views"]
    classes = [record_of(view["text"])["classes"] for view in views]
    one, two = (dict(zip(found["present"], map(tuple, found["colors"]), strict=True)) for found in classes)
    assert set(one) != set(two)
    assert all(one[label] == two[label] for label in set(one) & set(two))
    assert len(set(one.values()) | set(two.values())) == len(set(one) | set(two))
    record = record_of(explore_frames(both, color="class").text)
    assert record["classes"]["present"] == sorted(set(one) | set(two))
    assert "classes" not in record["frames"][1]["record"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"x": np.array(["a"] * 9)}, "`values`: 'x' has entries of type <U1; expected real numbers, one per cell"),
        ({"x": np.zeros(9) + 1j}, "`values`: 'x' has entries of type complex128; expected real numbers"),
        ({"x": [[1.0], [1.0, 2.0]]}, "`values`: 'x' has entries of type object; expected real numbers"),
        ({"area": [1.0]}, "`values`: got the name 'area'; expected a string other than 'pattern'"),
    ],
)
def test_values_that_are_no_numbers(values: dict, message: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(message)) as caught:
        explore(planar(), values=values)
    assert "\n" not in str(caught.value)


def test_values_as_far_apart_as_can_be() -> None:
    """Numbers that differ by more than the largest one: once an endless loop."""
    for cells in (planar(), segment()):
        values = np.linspace(-1, 1, len(cells)) * 1.7e308
        record, arrays = read(explore(cells, values={"x": values}).text)
        if record["kind"] == "planar":
            value, error = decoded(arrays["measure.x"].astype(float), record["measures"][2])
            assert (np.abs(value / 2 - values[arrays["numbers"]] / 2) <= error).all()
        else:
            np.testing.assert_allclose(arrays["panel.1"], values, rtol=1e-8)
