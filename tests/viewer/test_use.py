"""Pages without a mouse and in narrow windows: keys choose, fingers point, panels fold."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest

import splinescope
from splinescope.errors import InvalidInputError
from splinescope.viewer import explore

from .reading import in_browser
from .test_page import network, planar, segment

HOST = "<html data-ready='1'><body><p id='error'></p></body></html>"
"""A page around a page, whose window then is as small as wished."""


def in_frame(text: str, size: tuple[int, int], script: str) -> str:
    """A script that runs another in a page in a window of some size; `at` is that window, `inner` its page."""
    coded = base64.b64encode(text.encode()).decode()
    return f"""
        const text = new TextDecoder().decode(Uint8Array.from(atob("{coded}"), (letter) => letter.charCodeAt(0)));
        const frame = document.createElement("iframe"), wait = (time) => new Promise((go) => setTimeout(go, time));
        Object.assign(frame, {{ width: {size[0]}, height: {size[1]}, srcdoc: text }});
        frame.style.border = "0";
        document.body.append(frame);
        const ready = () => frame.contentDocument?.documentElement?.dataset.ready;
        for (let tries = 0; tries < 500 && !ready(); tries++) await wait(20);
        const at = frame.contentWindow, inner = at.splinescope, stage = at.document.getElementById("stage");
        stage.setPointerCapture = () => null;
        {script}
    """


TAP = """
    const tap = (clientX, clientY) => {
      for (const kind of ["pointerdown", "pointerup", "pointerleave"])
        stage.dispatchEvent(new at.PointerEvent(kind, { clientX, clientY, pointerId: 1, pointerType: "touch" }));
    };
    const covered = () => {
      let inside = 0, all = 0;
      for (let x = 2; x < at.innerWidth; x += 4) for (let y = 2; y < at.innerHeight; y += 4, all++)
        if (at.document.elementFromPoint(x, y)?.closest(".card")) inside++;
      return inside / all;
    };
    const told = () => at.document.getElementById("cell").innerText;
    const before = covered();
    tap(at.innerWidth / 2, at.innerHeight * 0.4);
    await wait(50);
    const after = covered(), text1 = told();
    at.document.querySelector("#tools .fold").click();
    await wait(50);
    const open = at.document.querySelector("#tools select, #tools fieldset label").offsetHeight;
    return { before, after, text: text1, open };
"""


@pytest.mark.parametrize("size", [(320, 480), (390, 800)])
@pytest.mark.parametrize("kind", ["plane", "segment"])
def test_narrow_windows_show_the_picture(kind: str, size: tuple[int, int], tmp_path: Path) -> None:
    cells = planar() if kind == "plane" else segment()
    answer = in_browser(HOST, in_frame(explore(cells).text, size, TAP), tmp_path)
    assert answer["before"] < 0.25
    assert answer["after"] < 0.5
    assert "at\t" in answer["text"]
    assert "here" in answer["text"]
    assert answer["open"] > 0


def test_keys_choose_cells(tmp_path: Path) -> None:
    """Arrows move the cells under a cross, Enter and the space bar choose the one there."""
    script = """
        const stage = document.getElementById("stage"), chosen = [];
        const key = (key, shiftKey = false) => stage.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey }));
        const centre = () => page.locate(...page.coordinates(page.view.width / 2, page.view.height / 2));
        for (const [move, choose] of [["ArrowRight", "Enter"], ["ArrowUp", " "], ["+", "Enter"]]) {
          key(move);
          const there = centre(), told = document.getElementById("cell").innerText;
          key("Escape");
          key(choose);
          chosen.push([there, [...page.selection.cells].map((cell) => page.numberOf(cell)), page.keyed, told]);
        }
        for (let step = 0; step < 5; step++) key("ArrowLeft");
        key("Enter", true);
        chosen.push(page.selection.cells.size);
        stage.dispatchEvent(new PointerEvent("pointermove", { clientX: 300, clientY: 300, pointerId: 1 }));
        chosen.push(page.keyed);
        return chosen;
    """
    *found, together, keyed = in_browser(explore(planar()).text, script, tmp_path)
    for there, chosen, shown, told in found:
        assert chosen == [there]
        assert shown
        assert told.split("\n")[1].startswith((f"cell\t{there},", f"cell\t{there} "))
    assert len({there for there, *_ in found}) > 1
    assert together == 2
    assert not keyed


def test_keys_choose_in_segments_and_solids(tmp_path: Path) -> None:
    solid = splinescope.tessellate(network((3, 6, 6, 2)), splinescope.Box([-1, -2, -1], [1, 2, 3]))
    script = """
        document.getElementById("stage").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
        return [[...page.selection.cells], page.cellAt ? page.cellAt(0.5) : page.seen(...page.centre).item];
    """
    for cells in (segment(), solid):
        chosen, wanted = in_browser(explore(cells).text, script, tmp_path)
        assert chosen == [wanted]


def test_keys_of_colors_are_whole(tmp_path: Path) -> None:
    """Nine classes fit without a bar to scroll by; numbers that are none have a key."""
    rng = np.random.default_rng(0)
    weights = np.stack([np.cos(np.arange(9) * 0.7), np.sin(np.arange(9) * 0.7)], axis=1)
    module = network((2, 9))
    module[0].weight.data[:] = module[0].weight.new_tensor(weights)
    module[0].bias.data[:] = 0
    cells = splinescope.tessellate(module, splinescope.Slice.box([-1, -1], [1, 1]))
    script = """
        const box = document.querySelector("div#legend"), hidden = box.scrollHeight - box.clientHeight;
        const entries = [...box.querySelectorAll("label")].map((row) => row.textContent);
        page.tools.recolor("x");
        return { hidden, entries, after: [...box.querySelectorAll("label")].map((row) => row.textContent) };
    """
    values = np.append(rng.random(len(cells) - 1), np.nan)
    answer = in_browser(explore(cells, color="class", values={"x": values}).text, script, tmp_path)
    assert answer["entries"] == [str(label) for label in range(9)]
    assert answer["hidden"] <= 0
    assert "no number" in answer["after"]


def test_widgets_refuse_cells_that_are_none() -> None:
    pytest.importorskip("anywidget", reason="the widget needs the extra `notebook`")
    cells = planar()
    widget = explore(cells).widget()
    widget.selected_cells = [len(cells) - 1, 0]
    for wrong in ([len(cells)], [-1]):
        with pytest.raises(InvalidInputError, match=rf"`selected_cells`: got {wrong[0]}; .* 0 to {len(cells) - 1:,}$"):
            widget.selected_cells = wrong
        assert widget.selected_cells == [len(cells) - 1, 0]
