"""The widget of notebooks: traits on the side of Python, and messages both ways in a real browser."""

from __future__ import annotations

import base64
from importlib.resources import files
from pathlib import Path

import pytest

from splinescope.viewer import explore

from .reading import in_browser
from .test_page import planar

pytest.importorskip("anywidget", reason="the widget needs the extra `notebook`")


def test_selection_is_a_trait() -> None:
    page = explore(planar())
    widget = page.widget()
    seen = []
    widget.observe(lambda change: seen.append(change["new"]), "selected_cells")
    widget.selected_cells = [3, 1]
    assert seen == [[3, 1]]
    assert widget.page == page.text
    assert "2 cells chosen" in repr(widget)


_CLICKS = """<script>
window.addEventListener("message", ({ data }) => {
  const stage = document.getElementById("stage");
  stage.setPointerCapture = () => {};
  if (data.click) for (const kind of ["pointermove", "pointerdown", "pointerup"])
  {
    const [clientX, clientY] = data.click;
    stage.dispatchEvent(new PointerEvent(kind, { clientX, clientY, pointerId: 1, shiftKey: data.more }));
  }
});
</script></body>"""
"""What a reader's hand does, in the frame."""

_HOST = "<html data-ready='1'><body><p id='error'></p></body></html>"


def test_clicks_reach_the_model_and_back(tmp_path: Path) -> None:
    """A model as of a notebook, the widget's own script, and the page in its frame."""
    cells = planar()
    module = (
        (files("splinescope.viewer") / "widget.mjs").read_text(encoding="utf-8").replace("export default", "return")
    )
    text = base64.b64encode(explore(cells).text.replace("</body>", _CLICKS).encode()).decode()
    script = f"""
        const text = new TextDecoder().decode(Uint8Array.from(atob("{text}"), (letter) => letter.charCodeAt(0)));
        const told = [], listeners = [], state = {{ page: text, height: 500, selected_cells: [5] }};
        const model = {{
          get: (key) => state[key], set: (key, value) => (state[key] = value), off: () => null,
          save_changes: () => told.push([...state.selected_cells]), on: (_, act) => listeners.push(act),
        }};
        const widget = (() => {{ {module} }})(), el = document.createElement("div");
        const wait = (time) => new Promise((go) => setTimeout(go, time));
        const heard = (go) => window.addEventListener("message", ({{ data }}) => data.splinescope?.ready && go());
        const ready = new Promise(heard);
        document.body.append(el);
        const free = widget.render({{ model, el }});
        await ready;
        await wait(100);
        const click = (more) => el.firstChild.contentWindow.postMessage({{ click: [400, 300], more }}, "*");
        click(true);
        await wait(400);
        state.selected_cells = [7, 8];
        listeners.forEach((act) => act());
        await wait(100);
        click(true);
        await wait(400);
        free();
        return told;
    """
    told = in_browser(_HOST, script, tmp_path)
    assert len(told) == 2
    assert told[0][0] == 5
    assert 0 <= told[0][1] < len(cells)
    assert told[1] == [7, 8, told[0][1]]
