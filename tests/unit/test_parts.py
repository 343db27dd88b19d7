"""Tables in parts, and the command that writes prices so."""

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pytest

from finsae.checks import DataError
from finsae.cli import main
from finsae.parts import read_parts, write_parts
from finsae.sources import read_prices
from finsae.store import hash_file

DAYS = pd.bdate_range("2012-11-01", "2014-02-28", name="date")


@pytest.fixture
def prices():
    steps = np.random.default_rng(1).normal(0, 0.01, (len(DAYS), 3))
    table = pd.DataFrame(50 * np.exp(np.cumsum(steps, axis=0)), index=DAYS, columns=list("ABC"))
    return table.reset_index()


def years(table):
    return table["date"].dt.year.rename("year")


def test_what_is_written_is_read_in_the_order_of_its_parts(prices, tmp_path):
    write_parts(tmp_path, prices, by=years(prices))
    pd.testing.assert_frame_equal(read_parts(tmp_path), prices, check_dtype=False)
    some = read_parts(tmp_path, only=[2013])
    assert set(years(some)) == {2013} and list(some) == list(prices)
    with pytest.raises(DataError, match="no year 2011: it has 2012 to 2014"):
        read_parts(tmp_path, only=[2011, 2013])


def test_others_read_the_layout(prices, tmp_path):
    write_parts(tmp_path, prices, by=years(prices))
    found = ds.dataset(tmp_path, format="parquet", partitioning="hive")
    assert found.to_table(filter=ds.field("year") == 2014).num_rows == (DAYS.year == 2014).sum()


def test_a_shorter_table_leaves_no_part_of_the_longer_one(prices, tmp_path):
    write_parts(tmp_path, prices, by=years(prices))
    before = hash_file(tmp_path)
    write_parts(tmp_path, prices, by=years(prices))
    assert hash_file(tmp_path) == before
    late = prices[DAYS.year == 2014]
    write_parts(tmp_path, late, by=years(late))
    assert [file.parent.name for file in tmp_path.rglob("*.parquet")] == ["year=2014"]
    assert len(read_parts(tmp_path)) == len(late) and hash_file(tmp_path) != before
    with pytest.raises(DataError, match="without rows"):
        write_parts(tmp_path, late.head(0), by=years(late.head(0)))


def test_a_damaged_part_is_named_where_it_is_read(prices, tmp_path):
    write_parts(tmp_path, prices, by=years(prices))
    file = tmp_path / "year=2012" / "part.parquet"
    file.write_bytes(file.read_bytes()[:-1])
    assert len(read_parts(tmp_path, only=[2013, 2014]))
    with pytest.raises(DataError, match=r"year=2012/part.parquet has .* bytes.*delete the folder"):
        read_parts(tmp_path)
    with pytest.raises(DataError, match=r"year=2012/part.parquet"):
        read_prices(tmp_path)
    file.unlink()
    with pytest.raises(DataError, match=r"year=2012/part.parquet is missing"):
        read_parts(tmp_path)


def call(monkeypatch, *argv):
    monkeypatch.setattr("sys.argv", ["finsae", *argv])
    with pytest.raises(SystemExit) as status:
        main()
    return status.value.code


def test_clean_prices_mends_and_writes_a_file_or_a_folder(prices, tmp_path, monkeypatch, capsys):
    raw, log = tmp_path / "raw.csv", tmp_path / "log.csv"
    wrong = prices.copy()
    wrong.loc[DAYS >= "2013-06-03", "B"] /= 4  # a split that the vendor missed
    wrong.to_csv(raw, index=False)
    for to in (tmp_path / "prices.parquet", tmp_path / "prices"):
        assert call(monkeypatch, "clean-prices", str(raw), "--out", str(to), "--log", str(log)) == 0
        found, _ = read_prices(to, repair=False)
        ratio = found["B"] / prices.set_index("date")["B"]
        np.testing.assert_allclose(ratio, 0.25, rtol=1e-9)
    assert "1 split" in capsys.readouterr().err
    assert pd.read_csv(log)["kind"].tolist() == ["split"]
    assert sorted(p.name for p in (tmp_path / "prices").glob("year=*"))[0] == "year=2012"
    assert call(monkeypatch, "clean-prices", str(raw), "--out", str(tmp_path / "p.csv")) == 2
    assert "written as .parquet, or to a folder" in capsys.readouterr().err


def test_clean_prices_takes_kinds_and_limits(prices, tmp_path, monkeypatch, capsys):
    raw, to = tmp_path / "raw.csv", str(tmp_path / "prices.parquet")
    wrong = prices.copy()
    wrong.loc[DAYS >= "2013-06-03", "B"] /= 4
    wrong.to_csv(raw, index=False)
    for setting in ("kinds=wrong_close,gap", "split=10000"):
        assert call(monkeypatch, "clean-prices", str(raw), "--out", to, "--limit", setting) == 0
        assert "split" not in capsys.readouterr().err
        closes = read_prices(to, repair=False)[0]["B"].to_numpy()
        np.testing.assert_allclose(closes, wrong["B"].to_numpy())
    for setting, said in (
        ("tik=3", 'unknown limit "tik"'),
        ("kinds=splitt", 'unknown kind "splitt"'),
        ("stale=2.5", 'stale is a positive whole number, not "2.5"'),
        ("tick=-1", 'tick is a positive number, not "-1"'),
        ("tick", 'tick is a positive number, not ""'),
    ):
        assert call(monkeypatch, "clean-prices", str(raw), "--out", to, "--limit", setting) == 2
        assert said in " ".join(capsys.readouterr().err.split())
