"""What every page of ours must be in a real browser: legible to all (axe-core), also on a telephone."""

from __future__ import annotations

import json

from .browser import Browser
from .npm import packages

_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_NARROW, _WIDE = 360, 1280
_LEAST_PX = 10  # of a word in a drawing


def check_page(browser: Browser) -> None:
    """The page that is open breaks no rule of axe, nothing of it is cut off, and its drawings can be read."""
    _width(browser, _WIDE)
    axe = packages("axe-core@4.14.1") / "node_modules" / "axe-core" / "axe.min.js"
    browser.run(axe.read_text(encoding="utf-8") + "; 0")
    found = json.loads(
        browser.run(
            f"axe.run(document, {{runOnly: {json.dumps(_RULES)}, resultTypes: ['violations']}})"
            ".then(r => JSON.stringify([r.passes.length, r.violations.map(v => [v.id, v.nodes[0].html])]))"
        )
    )
    assert found[0] > 10, "axe has looked at nothing"
    assert found[1] == []
    # Somebody's word, however long, leaves the numbers where they can be seen.
    assert _offending(browser, "table:not(.inner) th:nth-child(2)", f"box.left > {_WIDE}") == []
    for width in (_WIDE, _NARROW):
        _width(browser, width)
        assert browser.run("document.documentElement.scrollWidth <= innerWidth"), width
        assert _offending(browser, ".drawing text", f"box.height < {_LEAST_PX}") == [], width
    browser.tell("Emulation.clearDeviceMetricsOverride")


def _width(browser: Browser, width: int) -> None:
    browser.tell("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
                 mobile=False)  # fmt: skip


def _offending(browser: Browser, wanted: str, wrong: str) -> list[str]:
    """The text of each of these elements that is seen, and whose box is wrong."""
    found: list[str] = browser.run(
        f"[...document.querySelectorAll({json.dumps(wanted)})].filter(e => {{"
        f" const box = e.getBoundingClientRect(); return box.width > 0 && ({wrong}) }}).map(e => e.textContent)"
    )
    return found
