"""The report's page on paper: HTML to PDF, with WeasyPrint."""

from __future__ import annotations

from pathlib import Path

from ..errors import CannotOpen
from ..store import storage_error

PDF_EXTRA = (
    "pip install 'bodycam[pdf]', on Debian also: apt install libpango-1.0-0 libpangoft2-1.0-0"
)


def write_pdf(page: str, path: Path) -> None:
    """Write an HTML page as PDF; nothing is fetched. Raises CannotOpen without WeasyPrint."""
    try:
        import weasyprint
    except (ImportError, OSError) as fault:
        raise CannotOpen(f"{path}: a PDF needs WeasyPrint: {fault}", PDF_EXTRA) from fault
    try:
        weasyprint.HTML(string=page, url_fetcher=_nothing).write_pdf(path)
    except OSError as fault:
        raise storage_error(fault, path) from fault


def _nothing(url: str, *_: object, **__: object) -> dict[str, object]:
    raise ValueError(f"{url}: a report fetches nothing")
