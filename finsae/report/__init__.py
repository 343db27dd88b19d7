"""Reports: a run's tables drawn as one page, and said in plain words."""

from pathlib import Path


def build(run_folder: str | Path) -> Path:
    """Draw a run's report; see `finsae.report.html.build`."""
    from finsae.report.html import build as draw  # plotly is loaded for a report only

    return draw(run_folder)
