"""The README's pictures: the top of a report, and what makes one pair alike.

    finsae demo --out reports/demo
    python tests/benchmarks/pictures.py reports/demo

writes `reports/pictures/report.png` and `pair.png`, of headless Chromium (`browser.py`), in few
colours so that they are small.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser import Browser
from PIL import Image

WIDTH = 1100
PARTS = {
    # from the top of one part to the bottom of another
    "report": ("header", "#table-standings"),
    "pair": ("#figure-pair-0", "#table-sentences-0"),
}


def pictures(page: Path, target: Path) -> None:
    """Draw every part of `PARTS` of a report."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile, Browser(Path(profile), width=WIDTH) as browser:
        browser.open(page)
        while not browser.run("document.documentElement.dataset.ready"):
            time.sleep(0.1)
        for name, (first, last) in PARTS.items():
            top, bottom = browser.box(first), browser.box(last)
            tall = bottom["y"] + bottom["height"] - top["y"] + 16
            clip = {"x": 0, "y": top["y"] - 8, "width": WIDTH, "height": tall, "scale": 1}
            path = browser.picture(target / f"{name}.png", clip=clip)
            with Image.open(path) as drawn:
                few = drawn.convert("RGB").quantize(64, dither=Image.Dither.NONE)
            few.save(path, optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a run with its index.html")
    parser.add_argument("--out", type=Path, default=Path("reports/pictures"))
    given = parser.parse_args()
    pictures(given.run / "index.html", given.out)
