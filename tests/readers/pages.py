"""What every page of ours must stand up to: read as text, in a real browser, by keyboard, on paper."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

from .axe import check_page
from .browser import Browser

_FETCHING = frozenset({"script", "link", "img", "iframe", "object"})
_ACTING = frozenset({"src", "onclick", "onload"})
_NOISE = frozenset({"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"})
_REACHABLE = "[...document.querySelectorAll('summary, .scroll')]"


class Elements(HTMLParser):
    """What would be loaded and run; all that was opened is closed in its order, or it raises."""

    VOID = frozenset(("meta", "br"))

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def assert_stands_alone(html: str, linking: frozenset[str] = frozenset()) -> None:
    """Nothing is fetched, run or left open; only those elements lead elsewhere."""
    found = Elements(html)
    assert found.open == []
    assert {tag for tag, _ in found.tags}.isdisjoint(_FETCHING)
    assert not [attrs for _, attrs in found.tags if _ACTING & attrs.keys()]
    assert {tag for tag, attrs in found.tags if "href" in attrs} == linking
    assert "default-src 'none'" in html
    assert re.findall(r"url\((?!#)", html) == []


def look_at(page: Path, folder: Path, height: int, tabs: int, *beside: Path) -> bytes:
    """A picture of the page in a browser that says not a word, fetches nothing and need not scroll
    sideways; with so many presses of Tab every part that unfolds or scrolls is reached. It is legible
    to all, and so are the pages beside it.
    """
    browser = Browser(folder / "profile")
    try:
        for domain in ("Log", "Runtime", "Network"):
            browser.tell(f"{domain}.enable")
        browser.open(page.as_uri())
        shot = browser.screenshot(1200, height)
        (folder / "page.png").write_bytes(shot)
        print(f"screenshot: {folder / 'page.png'}")
        assert browser.happened & _NOISE == set()
        assert browser.run("performance.getEntriesByType('resource').length") == 0
        assert browser.run("document.documentElement.scrollWidth <= innerWidth")
        reached = set()
        for _ in range(tabs):
            for kind in ("rawKeyDown", "keyUp"):
                browser.tell("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab",
                             windowsVirtualKeyCode=9)  # fmt: skip
            reached.add(browser.run(f"{_REACHABLE}.indexOf(document.activeElement)"))
        visible = browser.run(f"{_REACHABLE}.map((e, i) => e.checkVisibility() ? i : -1)")
        assert len(visible) > 4
        assert set(visible) - {-1} <= reached
        check_page(browser)
        for other in beside:
            browser.open(other.as_uri())
            check_page(browser)
    finally:
        browser.close()
    assert len(shot) > 50_000
    return shot


def printed(page: Path, folder: Path) -> Path:
    """The page on paper, as a PDF."""
    pdf = folder / "page.pdf"
    subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/p",
         f"--print-to-pdf={pdf}", page.as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    return pdf


def words_of(pdf: Path) -> str:
    """The text on paper, as it is laid out."""
    told = subprocess.run(["pdftotext", "-layout", str(pdf), "-"], check=True, capture_output=True)
    return told.stdout.decode()
