"""The page: complete, self-contained, safe, the same for the same run."""

import gzip
import json
import re
import shutil
from base64 import b64decode
from dataclasses import asdict, replace

import pandas as pd
import pytest
from report_run import EVIL, make_run

from finsae.checks import DataError
from finsae.config import Benchmark, Data, Group, Run, read_run
from finsae.markup import cell, marked
from finsae.metrics import CLUSTERS, MONEY
from finsae.report import build, record
from finsae.report.companies import cards
from finsae.report.findings import score_table, scored
from finsae.report.health import THESE, TRAINING, densities, measures
from finsae.report.html import SECTIONS as SECTION_MAKERS
from finsae.report.pair import evidence, pair
from finsae.result import SCORE_COLUMNS, Result

SECTIONS = [
    "summary",
    "data",
    "leaderboard",
    "hedging",
    "map",
    "heat",
    "clusters",
    "pair",
    "health",
    "walk",
    "backtest",
    "sheet",
    "limits",
    "provenance",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("run"))
    build(run)
    return run


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "index.html").read_text(encoding="utf-8")


def without_packed(page):
    """The page without what is packed in it: data, and plotly's own code."""
    return re.sub(r'(?<=<script type="application/gzip" id=)[^<]*', ">", page)


def data_of(page):
    found = re.search(r'<script type="application/gzip" id="report-data">(.*?)</script>', page)
    return json.loads(gzip.decompress(b64decode(found.group(1))))


def test_page_is_one_small_file(folder):
    assert (folder / "index.html").stat().st_size < 8e6
    assert not list(folder.glob(".index*"))


def test_page_has_every_section_and_is_linked(page):
    assert re.findall(r'<section id="([a-z]+)"', page) == SECTIONS
    for name in SECTIONS:
        assert f'href="#{name}"' in page


def test_page_loads_nothing_from_elsewhere(page):
    own = without_packed(page)
    assert not re.findall(r"""(?:src|href|action|data)\s*=\s*["']?(?:https?:)?//""", own)
    assert "@import" not in own and "url(" not in own
    assert "http" not in re.sub(r"http-equiv", "", own)
    assert "default-src 'none'" in own


def test_texts_stay_text(page):
    own = without_packed(page)
    assert EVIL not in own
    assert "&lt;script&gt;alert(" in own
    assert "<img" not in own and "<i>12</i>" not in own and "<b>branches" not in own
    assert own.count("<script") == 3 and page.count("</script>") == 3
    assert data_of(page)["companies"][0]["name"] == EVIL


def test_evidence_marks_words_and_nothing_else(page):
    assert "takes <mark>deposits</mark> in &lt;i&gt;12&lt;/i&gt; states" in page
    assert marked("a [[<b>]] [[two words]] ]] c") == (
        "a <mark>&lt;b&gt;</mark> <mark>two words</mark> ]] c"
    )


def test_tables_can_be_saved_with_exact_numbers(folder, page):
    data = data_of(page)
    assert set(re.findall(r'data-csv="([^"]+)"', page)) == set(data["tables"])
    saved = data["tables"]["scores"].splitlines()
    assert saved[0].startswith("method,metric,value,low,high")
    first = Result.load(folder).scores.iloc[0]
    assert float(saved[1].split(",")[2]) == first["value"]
    assert [line.count(",") for line in data["tables"]["paired-peer_r2"].splitlines()] == [7] * 21


def test_every_figure_is_described_and_its_words_left_the_drawing(page):
    figures = data_of(page)["figures"]
    assert set(re.findall(r'class="plot" data-figure="([^"]+)"', page)) == set(figures)
    for specs in figures.values():
        for spec in specs:
            assert spec["title"] and spec["reading"] and spec["alt"]
            assert "title" not in spec["layout"]
    assert len(figures["equity"]) == 2 and len(figures["costs"]) == 7
    assert not re.findall(r'class="plot"[^>]*aria-label=""', page)


def test_search_cards_hold_what_a_reader_looks_for(page):
    card = data_of(page)["companies"][5]
    assert card["ticker"] == "T005"
    assert card["industry"] == "Depository institutions"
    assert card["cluster"] == "0: banks, deposits"
    assert card["peers"][0] == "T000" and card["features"][0] == "banks, deposits"
    assert data_of(page)["companies"][-1]["cluster"] == "in no cluster"


def test_words_say_what_the_intervals_bear(page):
    summary = page[page.index('id="summary"') : page.index('id="data"')]
    first = re.findall(r"<p>(.*?)</p>", summary)[0]
    assert first == (
        "Best at explaining later returns: Past correlation, with a peer R² of "
        "0.147 [0.137, 0.157], above all that it was compared with."
    )
    assert (
        "SAE, with a peer correlation of 0.410 [0.380, 0.440]: above SIC +0.060 [+0.040, +0.080]"
        in summary
    )
    assert "not separated from TF-IDF" in summary and 'id="table-standings"' in summary
    assert "5 nearest peers" in page
    assert "companies chosen with hindsight" in page
    assert "2011-07-01 to 2013-06-30" in page
    assert "finsae demo --out reports/demo" in page


@pytest.mark.slow
def test_same_run_same_page(folder, page, tmp_path):
    again = shutil.copytree(folder, tmp_path / "again")
    assert build(again).read_text(encoding="utf-8") == page


def words_of(result):
    """The text of all parts that are words, section by section."""
    return {
        section.id: " ".join(
            str(line) for part in section.parts if part.kind == "words" for line in part.lines
        )
        for section in (make(result) for make in SECTION_MAKERS)
    }


def altered(run, **values):
    """The same run with other scores: method to its net Sharpe ratio."""
    scores = run.scores.copy()
    for method, value in values.items():
        rows = scores["metric"].eq("sharpe_net") & scores["method"].eq(method)
        scores.loc[rows, "value"] = value
    return replace(run, scores=scores)


@pytest.fixture(scope="module")
def run(folder):
    return Result.load(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "table",
    [
        "companies",
        "features",
        "peers",
        "clusters",
        "heat",
        "explained",
        "repairs",
        "returns",
        "trades",
        "steps",
        "firing",
        "pair_texts",
        "trading_years",
    ],
)
def test_a_missing_table_is_said_not_fatal(run, table):
    tables = {name: frame for name, frame in run.tables.items() if name != table}
    words = words_of(replace(run, tables=tables))
    assert list(words) == SECTIONS
    assert len(cards(replace(run, tables=tables))) == (0 if table == "companies" else 60)


def test_scores_alone_make_a_page(folder, tmp_path):
    shutil.copy(folder / "scores.json", tmp_path / "scores.json")
    page = build(tmp_path).read_text(encoding="utf-8")
    for words in ("no map of companies", "no cluster of two", "explains no pair", "no curves"):
        assert words in page
    assert "No log of price repairs" in page


def test_a_benchmark_without_backtest_says_so(run):
    scores = run.scores[~run.scores["metric"].str.startswith("sharpe")]
    tables = {"companies": run.tables["companies"]}
    words = words_of(replace(run, scores=scores, tables=tables))
    assert words["backtest"] == "No pairs backtest was part of this run."


def test_no_trades_no_sharpe_ratio(run):
    idle = altered(run, random=float("nan"))
    assert "No trades, so no Sharpe ratio: Random." in words_of(idle)["summary"]
    shown = score_table(idle.scores, MONEY).set_index("Method")["Net Sharpe"]
    assert shown["Random"].text == "not available"


@pytest.mark.slow
def test_a_sharpe_ratio_beyond_three_is_flagged(run):
    assert words_of(altered(run, sae=4.0))["backtest"].startswith("Warning: SAE beyond 3.")
    assert "Warning" not in words_of(run)["backtest"]


@pytest.mark.slow
def test_hedging_says_what_is_removed_and_who_differs(run):
    words = words_of(run)["hedging"]
    assert words.startswith("Best hedge: Past correlation, with 44.0 [41.0, 47.0] % of the median")
    assert "SAE, with 41.0 [38.0, 44.0] % of the median" in words  # 100 (1 - 0.59)
    assert "above SIC +6.0 [+4.0, +8.0]" in words
    assert "not separated from TF-IDF -1.0 [-3.0, +1.0]" in words
    bare = run.scores[run.scores["metric"] != "hedged_variance"]
    assert "No hedges were measured" in words_of(replace(run, scores=bare))["hedging"]


def test_limits_say_what_this_run_paid_and_how_it_chose(run):
    def limits(**terms):
        made = {**run.provenance, "run": {"backtest": terms}}
        found = record.limits(replace(run, provenance=made)).parts[0].lines
        return " ".join(found)

    paid = limits(borrow_bps=50.0, selector="lowest-pvalue")
    assert "the cost of borrowing shares" not in paid
    assert "Borrowing costs 50 basis points a year" in paid
    assert "Pairs are traded whether or not" in paid
    free = limits(borrow_bps=0.0, selector="fdr")
    assert "the cost of borrowing shares, taxes" in free
    assert "Pairs are traded whether or not" not in free and "{}" not in free + paid


def test_pairs_are_said_to_differ_in_industry_only_where_their_codes_do(run):
    said = "whose industry codes (SIC major groups) differ"
    companies = run.tables["companies"]
    pairs = run.tables["explained"][["a", "b"]].drop_duplicates()
    codes = dict.fromkeys(pairs["a"], "1000") | dict.fromkeys(pairs["b"], "2000")
    known = companies.assign(sic=companies["ticker"].map(codes))
    for table, told in ((known, True), (companies.assign(sic=None), False)):
        shown = replace(run, tables={**run.tables, "companies": table})
        assert (said in pair(shown).parts[0].lines[0]) is told


def test_the_n_of_a_table_is_of_companies_and_other_n_are_named():
    kinds = {"mc": 9.0, "pair_weighted": 77.0, "coverage_adjusted": 350.0}
    rows = [["sae", metric, 0.4, 0.3, 0.5, n, "two-way", ""] for metric, n in kinds.items()]
    scores = pd.DataFrame(rows, columns=list(SCORE_COLUMNS))
    assert score_table(scores, CLUSTERS)["n"].tolist() == [350]
    meanings = " ".join(scored("grouped", scores, CLUSTERS, "Clusters")[1].lines)
    assert "flatter it. n = 9 clusters." in meanings and "n = 77 pairs." in meanings


def test_health_joins_training_and_these_texts(run):
    rows = measures(run)
    assert rows["text"].tolist() == [TRAINING, THESE, TRAINING, TRAINING]
    assert rows["layer"].tolist() == [5, 5, 1, 2]
    assert rows["fvu"].tolist() == pytest.approx([0.1, float("nan"), 0.1, 0.2], nan_ok=True)
    assert densities(run).groupby("text")["latents"].sum().to_dict() == {TRAINING: 12, THESE: 12}
    assert words_of(replace(run, provenance={}, tables={}))["health"].startswith("No evaluation")


def test_sentences_that_carry_half_of_the_similarity_are_marked():
    sentences = pd.DataFrame({"text": ["One. ", "<b>. ", "Two."], "contribution": [0.1, 0.3, 0.1]})
    assert evidence(sentences) == 'One. <mark title="adds 0.300">&lt;b&gt;.</mark> Two.'


def test_five_pairs_are_explained_with_both_texts(page):
    assert page.count('class="texts"') == 2
    assert "It takes &lt;i&gt;deposits&lt;/i&gt;." in page
    assert "No company twice" in page or "no company twice" in page


def test_the_walk_and_the_sheet_are_tables_too(page):
    data = data_of(page)
    for name in ("walk", "months", "trading-years", "positions", "reasons", "hedge", "health"):
        assert len(data["tables"][name].splitlines()) > 1
    assert data["tables"]["months"].splitlines()[0].startswith("method,year,Jan")


def test_days_are_kept_once(page):
    data = data_of(page)
    assert len(data["days"]) == 2  # all, and those with a whole window behind them
    traces = [trace for spec in data["figures"]["costs"] for trace in spec["data"]]
    assert {trace["x"] for trace in traces} == {0}
    assert data["days"][0][:2] == ["2013-07-01", "2013-07-02"]


def test_the_commands_make_the_run_again(run, tmp_path):
    chosen = Run(
        data=Data(companies='a "b".csv', prices="p.csv", cut="2012-12-31"),
        group=Group(sae="demo-group"),
        benchmark=Benchmark(k=10),
        seed=3,
    )
    facts = {**run.provenance, "universe": {"source": "files"}, "run": asdict(chosen)}
    (commands,) = [p for p in record.provenance(replace(run, provenance=facts)).parts
                   if p.kind == "commands"]  # fmt: skip
    first, last = (commands.lines.index(line) for line in ("cat > run.toml <<'END'", "END"))
    (tmp_path / "run.toml").write_text("\n".join(commands.lines[first + 1 : last]))
    assert read_run(tmp_path / "run.toml") == chosen
    assert commands.lines[-1] == "finsae demo --config run.toml --out reports/run"
    facts["run"] = asdict(read_run("demo"))
    plain = record.provenance(replace(run, provenance=facts)).parts[2]
    assert plain.lines == ["git checkout abc1234", "finsae demo --out reports/demo"]


def test_without_a_note_survivorship_is_assumed(run):
    facts = {**run.provenance, "universe": {"source": "files"}}
    assert "holds survivors only" in words_of(replace(run, provenance=facts))["data"]


def test_shares_are_shown_as_percentages(run):
    shown = score_table(run.scores, CLUSTERS).set_index("Method")["Coverage, %"]
    assert shown["SAE"].text == "70 [68, 72]"


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no run in"):
        build(tmp_path)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (float("nan"), "-"),
        (pd.Timestamp("2013-06-30"), "2013-06-30"),
        (True, "yes"),
        (12345, "12,345"),
        (0.12345, "0.123"),
        ("<b>", "<b>"),
    ],
)
def test_cells_are_written_by_their_kind(value, shown):
    assert cell(value).text == shown
