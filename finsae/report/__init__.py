"""Reports: a run's tables drawn as one page, and said in plain words."""

from finsae.report.html import build

__all__ = ["build"]
