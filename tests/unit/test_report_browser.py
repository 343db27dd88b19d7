"""The page in a real browser: figures drawn, search, switch, CSV, dark, phone, print."""

import re
import time
from pathlib import Path

import pytest
from browser import CHROMIUM, Browser
from report_run import make_run
from test_explorer_browser import axe_core, violations

from finsae.report import build

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


PICTURES = Path(__file__).resolve().parents[2] / "reports" / "runs" / "report"


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    page = build(make_run(tmp_path_factory.mktemp("run"), n=120))
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        browser.open(page)
        assert until(browser, "document.documentElement.dataset.ready === 'yes'")
        yield browser, page


def search(browser, text):
    browser.run(
        "(() => { const find = document.getElementById('find');"
        f"find.value = {text!r}; find.dispatchEvent(new Event('input')); }})()"
    )
    return browser.run("document.getElementById('card').textContent")


def until(browser, script):
    for _ in range(300):
        if browser.run(script):
            return True
        time.sleep(0.1)
    return False


def test_all_figures_are_drawn_without_errors_or_network(opened):
    browser, page = opened
    plots = "[...document.querySelectorAll('.plot')]"
    drawn = "plot.querySelector('.scatterlayer .trace, .barlayer .trace, .heatmaplayer image')"
    assert browser.run(f"{plots}.length") == 21
    assert browser.run(f"{plots}.filter((plot) => !{drawn}).map((p) => p.dataset.figure)") == []
    assert browser.errors == []
    loaded = [url for url in browser.requests if not url.startswith(("data:", "blob:"))]
    assert loaded == [page.resolve().as_uri()]


def test_search_finds_a_company_and_marks_it(opened):
    browser, _ = opened
    assert "Company 7 Inc. (T007)" in search(browser, "company 7 inc")
    ring = "document.querySelector('[data-figure=companies]').data.at(-1)"
    assert browser.run(f"{ring}.text[0]") == "T007"
    assert browser.run(f"{ring}.x.length") == 1
    assert "Nearest" in search(browser, "t008")
    assert search(browser, "nobody of that name") == ""
    assert browser.run(f"{ring}.x.length") == 0


def test_a_hostile_name_is_shown_as_text(opened):
    browser, _ = opened
    assert "<script>alert" in search(browser, "T000")
    assert browser.run("document.querySelectorAll('main img, main script').length") == 0
    search(browser, "")


def test_costs_can_be_switched_off_and_on(opened):
    browser, _ = opened
    title = "document.querySelector('#figure-equity h3').textContent"
    assert browser.run(title).startswith("After costs")
    before = "document.querySelector('[data-show=equity][data-choice=\"1\"]')"
    browser.run(f"{before}.click()")
    assert browser.run(title).startswith("Before costs")
    assert browser.run(f"{before}.getAttribute('aria-pressed')") == "true"
    browser.run("document.querySelector('[data-show=equity][data-choice=\"0\"]').click()")
    assert browser.run(title).startswith("After costs")


def test_the_map_keeps_the_found_company_when_it_is_coloured_otherwise(opened):
    browser, _ = opened
    search(browser, "T009")
    browser.run("document.querySelector('[data-show=companies][data-choice=\"1\"]').click()")
    plot = "document.querySelector('[data-figure=companies]').data"
    assert browser.run(f"{plot}.at(-1).text[0]") == "T009"
    assert browser.run(f"{plot}.some((trace) => trace.name.startsWith('0: banks'))")
    search(browser, "")


def test_csv_is_what_the_button_saves(opened):
    browser, _ = opened
    saved = browser.run(
        """new Promise((resolve) => {
            URL.createObjectURL = (blob) => { blob.text().then(resolve); return "data:,"; };
            document.querySelector('[data-csv="scores"]').click();
        })"""
    )
    assert saved.startswith("method,metric,value") and saved.count("\n") > 20


def test_every_table_can_be_saved(opened):
    browser, _ = opened
    saved = browser.run(
        """(async () => {
            const found = [];
            URL.createObjectURL = (blob) => { found.push(blob.text()); return "data:,"; };
            const tables = document.querySelectorAll("details.table");
            tables.forEach((table) => table.querySelector("[data-csv]").click());
            return [tables.length, await Promise.all(found)];
        })()"""
    )
    count, files = saved
    assert count == len(files) > 15
    assert all(file.count("\n") > 1 for file in files)


def test_the_tear_sheet_shows_the_method_that_is_chosen(opened):
    browser, _ = opened
    title = "document.querySelector('#figure-costs h3').textContent"
    assert browser.run(title).startswith("SAE:")
    browser.run("document.querySelectorAll('[data-show=costs]')[1].click()")
    assert browser.run(title).startswith("SIC:")
    curve = "document.querySelector('[data-figure=costs]').data[0]"
    assert browser.run(f"{curve}.x[0]") == "2013-07-01" and browser.run(f"{curve}.x.length") == 500


def test_every_figure_has_named_axes_and_a_description(opened):
    browser, _ = opened
    bare = """[...document.querySelectorAll('.plot')].filter((plot) =>
        !plot.querySelector('.xtitle, .x2title') || plot.getAttribute('aria-label').length < 40)"""
    assert browser.run(f"{bare}.map((plot) => plot.dataset.figure)") == []


def test_the_pointer_sees_company_cluster_and_features(opened):
    browser, _ = opened
    plot = "document.querySelector('[data-figure=companies]')"
    shown = browser.run(f"{plot}.data.flatMap((trace) => trace.text || [])")
    (company,) = [text for text in shown if "Company 7 Inc. (T007)" in text]
    features = r"<br>Electronic.*<br>2: chips, wafers<br>chips, wafers.*; chips, wafers"
    assert re.search(features, company), company


def test_links_resolve(opened):
    browser, _ = opened
    links = "[...document.querySelectorAll('a[href]')].map((link) => link.getAttribute('href'))"
    found = browser.run(links)
    assert len(found) >= 14 and all(link.startswith("#") for link in found)
    lost = f"{links}.filter((link) => !document.querySelector(link))"
    assert browser.run(lost) == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1440, 390])
def test_it_fits_and_is_accessible(opened, width, dark):
    browser, _ = opened
    axe = axe_core()
    PICTURES.mkdir(parents=True, exist_ok=True)
    browser.dark(dark)
    browser.resize(width, 900, phone=width < 500)
    assert until(browser, f"document.querySelector('.plot .main-svg').clientWidth < {width}")
    assert browser.run("document.documentElement.scrollWidth") <= width
    cut = """[...document.querySelectorAll('.plot')].filter((plot) => {
        const { left, right } = plot.getBoundingClientRect();
        return [...plot.querySelectorAll('.g-xtitle, .g-ytitle, .legend text')].some((title) => {
            const box = title.getBoundingClientRect();
            return box.width && (box.left < left - 1 || box.right > right + 1);
        });
    }).map((plot) => plot.dataset.figure)"""
    assert browser.run(cut) == []
    browser.picture(PICTURES / f"page_{width}_{'dark' if dark else 'light'}.png")
    assert violations(browser, axe) == []
    browser.dark(False)
    browser.resize(1400, 1000)


def test_dark_and_phone_and_print(opened, tmp_path):
    browser, _ = opened
    ink = "document.querySelector('.plot').layout.font.color"
    light = browser.run(ink)
    browser.dark()
    assert until(browser, f"{ink} !== {light!r}")
    browser.resize(390, 800, phone=True)
    fits = "document.querySelector('.plot').layout.width === undefined"
    narrow = "document.querySelector('.plot .main-svg').getBoundingClientRect().width < 390"
    assert until(browser, f"{fits} && {narrow}")
    assert browser.run("document.documentElement.scrollWidth") <= 390
    assert browser.print(tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert until(browser, f"{ink} !== {light!r}")  # dark again after printing
    assert browser.errors == []
