"""A run folder to a PDF: the same page, its figures drawn for paper, set by WeasyPrint."""

from __future__ import annotations

from pathlib import Path

from finsae.checks import DataError
from finsae.report.html import render
from finsae.result import Result
from finsae.store import atomic_path

INSTALL = 'pip install "finsae[pdf]"'


def build(run_folder: str | Path) -> Path:
    """Draw a run's report as PDF; no browser is needed.

    Parameters
    ----------
    run_folder : str or Path
        As for `finsae.report.html.build`.

    Returns
    -------
    Path
        ``report.pdf`` in the run folder, written atomically.

    Raises
    ------
    DataError
        If the folder holds no run, or WeasyPrint or the Pango library that it needs is absent.
    """
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except ImportError:
        raise DataError(
            f"a PDF needs WeasyPrint: {INSTALL}, or print the HTML report from a browser"
        ) from None
    except OSError as error:  # the package is there, the library that it loads is not
        raise DataError(
            f"WeasyPrint cannot load Pango ({error}): apt-get install libpango-1.0-0 "
            "libpangoft2-1.0-0 (macOS: brew install pango), or print the HTML report"
        ) from None
    page = render(Result.load(run_folder), paper=True)
    target = Path(run_folder) / "report.pdf"
    # Nothing but what is in the page may be read: no file, no network.
    inside = URLFetcher(allowed_protocols=["data"])
    with atomic_path(target) as temporary:
        HTML(string=page, url_fetcher=inside).write_pdf(temporary, pdf_tags=True)
    return target
