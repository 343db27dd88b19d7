"""The report on paper: the same content, pages with numbers, nothing cut."""

import re
import sys

import pandas as pd
import pytest
from report_run import EVIL, make_run

from finsae.checks import DataError
from finsae.markup import Cell
from finsae.metrics import MONEY
from finsae.report import build
from finsae.report.html import SECTIONS, render
from finsae.report.money import backtest
from finsae.report.parts import LETTERS, Figure, Row, table
from finsae.result import Result

INSTALL = re.escape('pip install "finsae[pdf]"')


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run"), n=30)


@pytest.fixture(scope="module")
def page(folder):
    return render(Result.load(folder), paper=True)


@pytest.fixture(scope="module")
def report(folder):
    pytest.importorskip("weasyprint", reason='needs the extra: pip install "finsae[pdf]"')
    return build(folder, format="pdf")


@pytest.fixture(scope="module")
def pages(report):
    """Each page's size, text, and the boxes of its letters."""
    pdfium = pytest.importorskip("pypdfium2", reason="needs a reader of PDF: pip install pypdfium2")
    with pdfium.PdfDocument(report) as document:
        found = []
        for sheet in document:
            letters = sheet.get_textpage()
            boxes = [letters.get_charbox(i) for i in range(letters.count_chars())]
            found.append((sheet.get_size(), letters.get_text_range(), boxes))
            letters.close()
            sheet.close()
    return found


def parts_of(folder):
    result = Result.load(folder)
    return [part for section in SECTIONS for part in section(result).parts]


@pytest.mark.slow
def test_the_page_for_paper_has_the_same_content(folder, page):
    figures = [part for part in parts_of(folder) if isinstance(part, Figure)]
    figures += [one for part in parts_of(folder) if isinstance(part, Row) for one in part.figures]
    assert page.count("data:image/svg+xml") == sum(len(part.printed) for part in figures)
    for part in figures:
        assert part.printed[0].title in page.replace("&#39;", "'")
    on_screen = render(Result.load(folder))
    tables = re.findall(r'id="(table-[^"]+)"', on_screen)
    assert tables and re.findall(r'id="(table-[^"]+)"', page) == tables
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", page) == re.findall(r"<h2[^>]*>(.*?)</h2>", on_screen)


@pytest.mark.slow
def test_the_page_for_paper_has_no_script_and_texts_stay_text(page):
    assert "<script" not in page and "<button" not in page and "<input" not in page
    assert EVIL not in page and "&lt;script&gt;alert(" in page


@pytest.mark.slow
def test_every_figure_is_described(page):
    images = re.findall(r"<img alt=\"([^\"]*)\"", page)
    assert images and all(len(alt) > 40 for alt in images)


def test_columns_get_room_for_their_words_and_no_more_than_there_is():
    shown = table("t", pd.DataFrame({"n": [1], "Text": ["a long story " * 40]}),
                  "Caption")  # fmt: skip
    narrow, wide = shown.widths
    assert narrow + wide == pytest.approx(100, abs=0.1) and wide > 5 * narrow
    cells = [[Cell("0.43 [0.40,\u00a00.46]", number=True), Cell("x")]]
    assert table("t", pd.DataFrame({"a": [cells[0][0]], "b": [cells[0][1]]}),
                 "c").widths[0] > 60  # fmt: skip


def test_scores_of_trading_fit_on_paper():
    row = {"value": -0.512, "low": -1.464, "high": 0.308, "n": 1121, "interval": "", "versus": ""}
    scores = [{**row, "method": "past-correlation", "metric": metric} for metric in MONEY]
    shown = [part for part in backtest(Result(pd.DataFrame(scores))).parts if part.kind == "table"]
    assert sum(len(part.columns) - 2 for part in shown) == len(MONEY)
    for part in shown:
        needs = [
            max(len(text) for text in (*column.split(), *cell.text.split(" [")))
            for column, cell in zip(part.columns, part.rows[0], strict=True)
        ]
        assert sum(needs) < LETTERS, part.caption


@pytest.mark.slow
def test_it_is_a_small_pdf_in_the_run_folder(folder, report):
    assert report == folder / "report.pdf"
    assert report.read_bytes().startswith(b"%PDF") and report.stat().st_size < 10e6


@pytest.mark.slow
def test_pages_are_numbered_and_the_contents_name_them(pages):
    texts = [text for _, text, _ in pages]
    assert len(pages) > 5
    for number, text in enumerate(texts, 1):
        assert f"{number} of {len(pages)}" in text
    first = texts[0].split("Summary", 1)
    listed = re.findall(r"^(.+?)[ .]{3,}\s*(\d+)\s*$", "Summary" + first[1], flags=re.MULTILINE)
    assert len(listed) == len(SECTIONS)
    for title, number in listed:
        assert title.strip() in texts[int(number) - 1]


@pytest.mark.slow
def test_no_letter_leaves_the_paper(pages):
    for (width, height), _, boxes in pages:
        assert all(left >= 20 and right <= width - 20 for left, _, right, _ in boxes if right)
        assert all(bottom >= 15 and top <= height - 15 for _, bottom, _, top in boxes if top)


@pytest.mark.slow
def test_texts_are_whole_on_paper(pages):
    text = " ".join(" ".join(text.split()) for _, text, _ in pages)
    assert 'Evil & Sons </script><script>alert("x")' in text
    assert "takes deposits in <i>12</i> states" in text


def test_without_weasyprint_the_way_out_is_said(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(DataError, match=INSTALL):
        build(folder, format="pdf")


def test_without_pango_the_way_out_is_said(folder, monkeypatch, tmp_path):
    (tmp_path / "weasyprint.py").write_text("raise OSError('cannot load library libpango')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(DataError, match=r"libpango.*apt-get install libpango"):
        build(folder, format="pdf")


def test_an_unknown_format_is_refused(folder):
    with pytest.raises(DataError, match=r'"pfd".*pdf'):
        build(folder, format="pfd")
