"""A second reader of pages, apart from the script in them: record and arrays, and one page in a real browser."""

from __future__ import annotations

import gzip
import html
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .plane_reader import Read, plane_of

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def read(text: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The record of a page and its arrays."""
    record = record_of(text)
    arrays = arrays_of(text, record["arrays"])
    return record, with_measures(record, arrays)


def with_measures(record: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays with the measures that are coded among the cells of a plane, in 16 bits."""
    if not record.get("coding", {}).get("coded"):
        return arrays
    plane, coding = plane_in(record, arrays), record["coding"]
    stored = [np.where(column > coding["levels"], 65535, column) for column in plane.values]
    return arrays | {f"measure.{key}": column for key, column in zip(coding["measures"], stored, strict=True)}


def plane_in(record: dict[str, Any], arrays: dict[str, np.ndarray]) -> Read:
    """The coded cells of a page."""
    stops = [node["stop"] for node in record["layers"]["nodes"]]
    return plane_of(arrays["plane"].astype(np.uint8).tobytes(), record["coding"], stops)


def record_of(text: str) -> dict[str, Any]:
    """The record of a page."""
    found = re.search(r'<script type="application/json" id="record">(.*?)</script>', text, re.S)
    assert found
    return json.loads(found.group(1))


def arrays_of(text: str, listing: list[dict[str, Any]], name: str = "arrays") -> dict[str, np.ndarray]:
    """The arrays of one block of a page."""
    coded = re.search(rf'<script type="text/plain" id="{name}">(.*?)</script>', text, re.S)
    assert coded
    data, at, arrays = gzip.decompress(bytes_of(coded.group(1))), 0, {}
    for item in listing:
        count, width = item["count"], item["width"]
        planes = np.frombuffer(data, np.uint8, count * width, at).reshape(width, count).astype(object)
        numbers = sum(planes[i] << 8 * i for i in range(width)) if count else np.zeros(0, object)
        if item["differences"]:
            numbers = np.cumsum(numbers) % (1 << 8 * width)
        arrays[item["name"]] = numbers.astype(np.int64)
        if item.get("float"):
            arrays[item["name"]] = numbers.astype(np.uint32).view(np.float32)
        if item.get("double"):
            arrays[item["name"]] = (numbers.astype(np.uint64) << np.uint64(24)).view(np.float64)
        at += count * width
    assert at == len(data)
    return arrays


def bytes_of(text: str) -> bytes:
    """Bytes of text in 91 letters, without the two lengths before them."""
    letters = [chr(code) for code in range(33, 127) if chr(code) not in "<&\\"]
    digit = {letter: number for number, letter in enumerate(letters)}
    pairs = zip(text[::2], text[1::2], strict=True)
    bits = "".join(format(91 * digit[one] + digit[two], "013b") for one, two in pairs)
    data = int("1" + bits, 2) >> len(bits) % 8
    whole = data.to_bytes(len(bits) // 8 + 1, "big")[1:]
    return whole[8 : 8 + int.from_bytes(whole[4:8], "big")]


def in_browser(text: str, script: str, folder: Path, seconds: int = 60) -> Any:
    """What a script finds in a page once it is ready; `page` is the page, and what the script returns comes back."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip(f"no browser is installed (tried {', '.join(BROWSERS)})")
    run = (
        "<script>(async () => { let answer; try { "
        "const root = document.documentElement, fault = () => document.getElementById('error').textContent; "
        "while (!root.dataset.ready) { if (fault()) throw new Error(fault()); "
        "await new Promise((go) => setTimeout(go, 20)); } "
        f"const page = window.splinescope; answer = await (async () => {{ {script} }})(); "
        "} catch (error) { answer = { error: String(error) }; } "
        "document.body.innerHTML = ''; const box = document.createElement('pre'); box.id = 'answer'; "
        "box.textContent = JSON.stringify(answer); document.body.append(box); })();</script></body>"
    )
    file = folder / "checked.html"
    file.write_text(text.replace("</body>", run), encoding="utf-8")
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--use-gl=angle", "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync",
        "--disable-features=IsolateSandboxedIframes", "--window-size=900,700",
        f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=60000", "--dump-dom", file.as_uri(),
    ]  # fmt: skip
    said = _ran(command, folder, seconds) or _ran(command, folder, seconds)
    found = re.search(r'<pre id="answer">(.*?)</pre>', said, re.S)
    assert found, (folder / "errors").read_text()[-2000:]
    answer = json.loads(html.unescape(found.group(1)))
    assert not (isinstance(answer, dict) and "error" in answer), answer
    return answer


def _ran(command: list[str], folder: Path, seconds: int) -> str:
    """What a browser printed; nothing where it hung, as one start in a hundred does on a busy machine."""
    with (folder / "page").open("w") as out, (folder / "errors").open("w") as errors:
        browser = subprocess.Popen(command, stdout=out, stderr=errors, start_new_session=True)
        try:
            browser.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
            return ""
    return (folder / "page").read_text(encoding="utf-8")
