"""The explorer inside the report, opened as a file in a real browser."""

import pytest
from browser import CHROMIUM, Browser
from report_run import EVIL
from test_explorer_browser import PICTURES, axe_core, violations, wait
from test_report_explorer import with_marks

from finsae.report import build

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]
READY = "document.querySelector('#explore-view h3') !== null"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return build(with_marks(folder, n=120).save(folder))


@pytest.fixture(scope="module")
def browser(page, tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile"), width=1440) as opened:
        opened.open(page)
        wait(opened, READY)
        yield opened
        assert opened.errors == []
        loaded = [url for url in opened.requests if not url.startswith(("data:", "blob:"))]
        assert set(loaded) == {page.resolve().as_uri()}


def ask(browser, a, b=""):
    browser.run(
        f"""(() => {{ document.getElementById("explore-a").value = {a!r};
        document.getElementById("explore-b").value = {b!r};
        document.querySelector("#explore-form button").click(); }})()"""
    )
    return browser.run("document.querySelector('#explore-view h3')?.textContent")


def test_search_shows_a_company_with_its_peers_and_features(browser):
    assert ask(browser, "company 7 inc") == "Company 7 Inc. (T007)"
    panels = browser.run(
        "[...document.querySelectorAll('#explore-view section')].map((s) => s.ariaLabel)"
    )
    assert panels[:3] == ["Description", "Its strongest features", "Peers by SAE"]
    assert "Peers by SIC" in panels
    marks = "[...document.querySelectorAll('#explore-view mark')].map((m) => m.textContent)"
    every = browser.run(marks)
    button = "document.querySelector('#explore-view [aria-pressed]')"
    browser.run(f"{button}.focus(); {button}.click()")
    assert 0 < len(browser.run(marks)) < len(every)
    assert browser.run("document.activeElement.getAttribute('aria-pressed')") == "true"


def test_a_peer_is_a_link_and_can_be_compared(browser):
    ask(browser, "T007")
    peer = browser.run("document.querySelector('#explore-view .explore-link').textContent")
    browser.run("document.querySelector('#explore-view .explore-link').click()")
    assert browser.run("document.getElementById('explore-a').value") == peer
    ask(browser, "T007")
    browser.run("document.querySelector('#explore-view [aria-label^=Compare]').click()")
    assert (
        browser.run("document.querySelector('#explore-view h3').textContent") == f"T007 and {peer}"
    )
    assert "they share 3" in browser.run("document.querySelector('#explore-view p').textContent")


def test_who_is_not_there_is_told(browser):
    ask(browser, "nobody of that name")
    assert "No such company" in browser.run("document.getElementById('explore-said').textContent")


def test_markup_stays_text(browser):
    assert EVIL in ask(browser, "T000")
    assert EVIL in browser.run("document.querySelector('.explore-text').textContent")
    assert browser.run("document.querySelectorAll('#explore img, #explore script').length") == 0


def test_it_opens_where_the_browser_cannot_decompress(page, tmp_path):
    with Browser(tmp_path / "profile") as old:
        old("Page.addScriptToEvaluateOnNewDocument", source="delete window.DecompressionStream")
        old.open(page)
        wait(old, READY)
        assert old.run("typeof DecompressionStream") == "undefined"
        assert ask(old, "T011") == "Company 11 Inc. (T011)"
        assert old.errors == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1440, 390])
def test_it_fits_and_is_accessible(browser, width, dark):
    axe = axe_core()
    PICTURES.mkdir(parents=True, exist_ok=True)
    browser.dark(dark)
    browser.resize(width, 900, phone=width < 500)
    for name, asked in (("one", ("T005",)), ("two", ("T005", "T010"))):
        ask(browser, *asked)
        browser.run("document.getElementById('explore').scrollIntoView()")
        assert browser.run("document.documentElement.scrollWidth") <= width
        assert violations(browser, axe, "#explore") == []
        picture = f"static-{name}_{width}_{'dark' if dark else 'light'}.png"
        box = browser.run(
            "(({ x, y, width, height }) => ({ x: x + scrollX, y: y + scrollY, width, height,"
            " scale: 1 }))(document.getElementById('explore').getBoundingClientRect())"
        )
        browser.picture(PICTURES / picture, clip=box)
    browser.dark(False)
    browser.resize(1440, 900)
