"""Pages laid out by a real browser, several widths at a time."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# A frame has the width of a phone even where the browser's window cannot be so narrow.
HARNESS = """<!doctype html><meta charset="utf-8"><body>{frames}
<script>
const pause = () => new Promise(done => setTimeout(done, 100));
onload = async () => {{
  const found = [];
  for (const frame of document.querySelectorAll("iframe")) {{
    const view = frame.contentWindow, page = frame.contentDocument;
    found.push(await (async () => {{ {script} }})());
  }}
  document.body.innerHTML = "<pre id=found></pre>";
  document.body.firstChild.textContent = JSON.stringify(found);
}};
</script>"""


def laid_out(page: str, script: str, widths: tuple[int, ...], folder: Path) -> list[Any]:
    """Return what a script finds in a page, once for every width.

    Args:
        page: The page.
        script: The body of an async function; it has ``view`` and ``page``, the window and the document.
        widths: Widths of the view in CSS pixels.
        folder: Folder for temporary files.
    """
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.skip("Chromium is not installed.")
    frames = "".join(
        f'<iframe width="{width}" height="844" style="border:0" srcdoc="{html.escape(page)}"></iframe>'
        for width in widths
    )
    path = folder / "harness.html"
    path.write_text(HARNESS.format(frames=frames, script=script), "utf-8")
    command = [
        browser,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1400,1000",
        f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=20000",
        "--dump-dom",
        path.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None, done.stderr[-2000:]
    return list(json.loads(html.unescape(found[1])))


# Text of the elements that stick out of the view, except inside boxes that scroll by themselves.
STICKING_OUT = """
  const inside = element => {
    for (let box = element.parentElement; box; box = box.parentElement)
      if (/auto|scroll/.test(view.getComputedStyle(box).overflowX) && box !== page.documentElement
          && box !== page.body) return true;
    return false;
  };
  return [...page.querySelectorAll("body *")]
    .filter(element => !element.closest("svg svg *, svg *") && !inside(element))
    .filter(element => element.getBoundingClientRect().right > view.innerWidth + 0.5)
    .map(element => element.outerHTML.slice(0, 120))
    .concat(page.documentElement.scrollWidth > view.innerWidth ? ["the page is wider than the view"] : []);
"""
