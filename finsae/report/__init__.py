"""Reports: a run's tables drawn as one page or as a PDF, and said in plain words."""

from pathlib import Path

from finsae.checks import one_of

FORMATS = ("html", "pdf")


def build(run_folder: str | Path, *, format: str = "html") -> Path:
    """Draw a run's report.

    Parameters
    ----------
    run_folder : str or Path
        What `finsae demo` wrote.
    format : str
        "html" (see `finsae.report.html.build`) or "pdf" (`finsae.report.pdf.build`).

    Returns
    -------
    Path
        The report, in the run folder.

    Raises
    ------
    DataError
        If the folder holds no run, or the format is not known or cannot be made here.
    """
    if one_of("format", format, FORMATS) == "pdf":
        from finsae.report.pdf import build as draw
    else:
        from finsae.report.html import build as draw  # plotly is loaded for a report only
    return draw(run_folder)
