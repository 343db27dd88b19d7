"""How large a report is, and after how many seconds it can be used in a browser.

    python tests/benchmarks/report.py reports/demo

opens the page of a run three times in headless Chromium (`browser.py`), searches a company of it,
and prints the fastest of the three as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser import Browser

from finsae.result import Result


def measure(run: Path, rounds: int = 3) -> dict[str, object]:
    """Size and seconds of the page in a run folder."""
    page = run / "index.html"
    companies = Result.load(run).tables["companies"]
    with tempfile.TemporaryDirectory() as profile, Browser(Path(profile)) as browser:
        found = [
            browser.opening(page, find=str(companies["ticker"].iloc[-1])) for _ in range(rounds)
        ]
        errors = browser.errors
    best = min(found, key=lambda seconds: seconds["answered"])
    return {
        "companies": len(companies),
        "megabytes": round(page.stat().st_size / 1e6, 2),
        "seconds": {name: round(value, 2) for name, value in best.items()},
        "errors": errors,
        "load": round(os.getloadavg()[0] / (os.cpu_count() or 1), 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a run with its index.html")
    print(json.dumps(measure(parser.parse_args().run)))
