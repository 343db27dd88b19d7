"""Price hygiene against the audit of the sample's raw closes (two other public copies)."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from finsae.sources.hygiene import repair

ROOT = Path(__file__).resolve().parents[2]
CHANGES = ["split", "wrong_close", "wrong_run", "repeated", "stale"]
pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def raw(shared):
    return pd.read_parquet(shared / "sample" / "prices_raw.parquet").astype(float)


@pytest.fixture(scope="module")
def events(shared):
    return pd.read_csv(shared / "sample" / "events.csv", keep_default_na=False, na_values=[""])


@pytest.fixture(scope="module")
def audit(shared):
    table = pd.read_csv(
        shared / "sample" / "price_audit.csv",
        keep_default_na=False,
        na_values=[""],
        parse_dates=["date"],
    )
    return table.assign(size=np.log(table["factor"]).abs())


@pytest.fixture(scope="module")
def mended(raw, events):
    return repair(raw, events)


def returns(prices):
    return np.log(prices).diff()


def difference(raw, mended, rows):
    """Mended log return less the audited one; NaN where the close was set missing."""
    before, after = returns(raw), returns(mended)
    audited = [before.at[r.date, r.ticker] + np.log(r.factor) for r in rows.itertuples()]
    found = [after.at[r.date, r.ticker] for r in rows.itertuples()]
    return np.array(found) - np.array(audited)


def of(audit, *kinds):
    rows = audit[audit["kind"].isin(kinds)]
    assert len(rows)
    return rows


def test_every_split_is_repaired(raw, mended, audit):
    splits = of(audit, "split_unadjusted", "split_inverted", "split_twice")
    assert len(splits) == 7
    assert np.abs(difference(raw, mended[0], splits)).max() < 1e-3


def test_every_wrong_close_of_a_fifth_and_its_run_is_repaired(raw, mended, audit):
    rows = of(audit, "wrong_close", "wrong_close_end", "wrong_run", "wrong_run_end")
    large = rows[rows["size"] >= np.log(1.2)]
    assert len(large) == 6  # two closes, one run of ten, and their ends
    assert np.abs(difference(raw, mended[0], large)).max() < 1e-3


def test_no_true_move_is_touched(raw, mended, audit):
    moves = of(audit, "true_move")
    assert len(moves) == 113
    assert np.abs(difference(raw, mended[0], moves)).max() < 1e-9
    suspects = mended[1].query("kind == 'suspect'")[["ticker", "date"]]
    assert len(moves.merge(suspects)) == 113


def test_events_of_the_file_are_applied(raw, mended, audit):
    rows = of(audit, "spin_off", "special_dividend", "special_distribution")
    assert len(rows) == 69
    assert np.abs(difference(raw, mended[0], rows)).max() < 1e-9
    lines = mended[0].loc["2015-10-16":"2015-10-30", "HPQ"]
    when_issued = ["2015-10-19", "2015-10-20", "2015-10-22", "2015-10-23", "2015-10-28"]
    assert lines.index[lines.isna()].strftime("%Y-%m-%d").tolist() == when_issued
    assert mended[0]["SATS"].first_valid_index() == pd.Timestamp("2008-01-02")


def test_stale_run_is_missing_and_short_ones_that_are_true_stay(raw, mended, audit):
    assert mended[0].loc["2008-01-02":"2008-02-13", "COHR"].isna().all()
    for row in of(audit, "equal_closes").itertuples():
        assert np.isfinite(mended[0].at[row.date, row.ticker])


def test_changes_the_audit_does_not_know(mended, audit):
    """Three, all equal to the day before and in the stretch of tickers the vendor repeated."""
    known = audit[~audit["kind"].isin(["true_move", "gap"])]
    log = mended[1][mended[1]["kind"].isin(CHANGES)]
    unknown = log.merge(known[["ticker", "date"]], how="left", indicator=True)
    unknown = unknown[(unknown["_merge"] == "left_only") & (unknown["ticker"] != "COHR")]
    assert set(unknown["kind"]) == {"repeated"}
    assert len(unknown) == 3


def test_the_vendor_repeated_closes_of_a_stretch_of_tickers_and_of_nobody_else(shared, mended):
    """The evidence of a larger universe of the same vendor: elsewhere the day is like any other."""
    log = mended[1].query("kind == 'repeated'")
    larger = pd.read_parquet(shared / "us_equities" / "prices.parquet")
    same = larger.loc["2012-06-01":"2012-10-01"].diff() == 0
    assert log["date"].eq(log["date"].iloc[0]).all()
    within = (same.columns >= log["ticker"].min()) & (same.columns <= log["ticker"].max())
    day = log["date"].iloc[0]
    others = same.index != day
    stood = {
        name: (same.loc[day, own].sum(), same.loc[others, own].sum(axis=1))
        for name, own in (("within", within), ("elsewhere", ~within))
    }
    assert stood["within"][0] > 1.5 * stood["within"][1].max()
    low, high = stood["elsewhere"][1].quantile([0.1, 0.9])
    assert low < stood["elsewhere"][0] < high


def test_wrong_closes_in_bad_blocks(raw, mended, audit):
    """What closes alone can tell: only the block that repeats the day before."""
    block = of(audit, "wrong_close_many").query("size >= 0.02")
    assert len(block) == 48
    gone = np.isnan(difference(raw, mended[0], block))
    assert gone.sum() == 6
    assert (block.loc[gone, "date"] == "2012-08-01").all()


def test_other_blocks_look_like_any_day(raw, audit):
    """The reason for six of 48: a cut that finds four fifths strikes a sixth of all closes."""
    residual = returns(raw).sub(returns(raw).median(axis=1), axis=0)
    usual = 1.4826 * residual.abs().rolling(61, center=True, min_periods=20).median()
    reversal = ((residual - residual.shift(-1)) / 2).abs() / usual
    block = of(audit, "wrong_close_many").query("size >= 0.02 and date != '2012-08-01'")
    found = [reversal.at[row.date, row.ticker] for row in block.itertuples()]
    cut = np.quantile(found, 0.2)
    struck = (reversal >= cut).mean(axis=1)
    assert struck.median() > 1 / 6
    assert (struck.rank(pct=True)[block["date"].unique()] < 0.995).all()


def test_log_says_how_each_return_was_corrected(raw, mended):
    """For every row with a factor: mended return = raw return + ln(factor)."""
    log = mended[1].dropna(subset="factor")
    log = log[~log["kind"].str.startswith("when_issued")]
    assert np.nanmax(np.abs(difference(raw, mended[0], log))) < 1e-9


@pytest.mark.slow
def test_shipped_sample_is_what_the_script_builds(shared, tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("build", ROOT / "data" / "build_sample.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    shipped = build.SAMPLE
    shutil.copy(shipped / "sample.toml", tmp_path)
    monkeypatch.setattr(build, "SAMPLE", tmp_path)
    build.main(shared / "sample")
    for name in ("companies.csv", "events.csv", "repairs.csv"):
        assert (tmp_path / name).read_bytes() == (shipped / name).read_bytes(), name
    built, there = (pd.read_parquet(f / "prices.parquet") for f in (tmp_path, shipped))
    pd.testing.assert_frame_equal(built, there)


def test_data_card_gives_these_figures():
    card = (ROOT / "data" / "sample" / "README.md").read_text()
    for figure in ("7 of 7", "113 of 113", "69 of 69", "6 of 48"):
        assert figure in card, figure


@pytest.mark.slow
def test_second_repair_of_many_companies_changes_nothing(shared):
    once, _ = repair(pd.read_parquet(shared / "us_equities" / "prices.parquet").astype(float))
    twice, _ = repair(once)
    pd.testing.assert_frame_equal(twice, once)
