"""The page in a real browser: figures drawn, search, switch, CSV, dark, phone, print."""

import time

import pytest
from browser import CHROMIUM, Browser
from report_run import make_run

from finsae.report import build

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


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
    assert browser.run(f"{plots}.length") == 19
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
    assert browser.run(title).endswith("after costs")
    before = "document.querySelector('[data-show=equity][data-choice=\"1\"]')"
    browser.run(f"{before}.click()")
    assert browser.run(title).endswith("before costs")
    assert browser.run(f"{before}.getAttribute('aria-pressed')") == "true"
    browser.run("document.querySelector('[data-show=equity][data-choice=\"0\"]').click()")
    assert browser.run(title).endswith("after costs")


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
