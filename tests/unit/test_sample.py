"""The bundled sample."""

import shutil
import sys

import numpy as np
import pandas as pd
import pytest

from finsae.checks import DataError
from finsae.cli import main
from finsae.sources import read_universe, sample
from finsae.sources.sample import sample_folder
from finsae.universe import as_day


def test_sample_is_whole():
    universe = sample()
    assert universe.companies.shape[0] == universe.prices.shape[1] == 350
    assert universe.companies.index.equals(pd.Index(universe.prices.columns, name="ticker"))
    assert universe.companies["sic"].str.fullmatch(r"\d{4}").all()
    assert (universe.companies["description"].str.split().str.len() > 100).all()
    assert universe.prices.index[0] == pd.Timestamp("2007-12-31")
    assert universe.prices.index[-1] == pd.Timestamp("2017-12-08")
    assert universe.prices.isna().to_numpy().mean() < 2e-4
    assert universe.provenance["source"] == "sample"
    assert universe.provenance["dropped"] == []


def test_descriptions_are_public_before_the_cut():
    universe = sample()
    cut = as_day(universe.provenance["cut"])
    assert cut == pd.Timestamp("2013-06-30")
    assert (universe.companies["date"] < cut).all()
    past, future = universe.cut(cut)
    assert len(past.companies) == 350
    assert len(future.monthly) == 53  # 2013-07 to 2017-11


def test_repairs_are_logged_and_listed_moves_are_in_the_prices():
    universe = sample()
    assert universe.repairs.columns.tolist() == ["ticker", "date", "kind", "factor", "action"]
    assert universe.repairs["ticker"].isin(universe.prices.columns).all()
    suspects = universe.repairs.query("kind == 'suspect'")
    moves = np.log(universe.prices).diff()
    sizes = np.array([abs(moves.at[row.date, row.ticker]) for row in suspects.itertuples()])
    assert (sizes >= 0.3).sum() == 113
    assert len(sizes) == 137  # the others come near to a split, or to a wrong close
    listed = set(zip(suspects["date"], suspects["ticker"], strict=True))
    days, columns = np.nonzero(moves.abs().to_numpy() >= 0.3)
    assert set(zip(moves.index[days], moves.columns[columns], strict=True)) <= listed


@pytest.mark.parametrize("name", ["prices.parquet", "companies.csv", "repairs.csv"])
def test_a_damaged_file_is_named_with_the_way_out(tmp_path, monkeypatch, name):
    copy = tmp_path / "sample"
    shutil.copytree(sample_folder(), copy)
    monkeypatch.setattr(sys.modules["finsae.sources.sample"], "PLACES", (copy,))
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name} of the bundled sample .*install finsae again"):
        sample()
    (copy / name).unlink()
    with pytest.raises(DataError, match=r"missing .*install finsae again"):
        sample()


@pytest.mark.shared
def test_one_command_rebuilds_the_prices_from_the_raw_ones(shared, tmp_path):
    raw, prices, log = shared / "sample", tmp_path / "prices.parquet", tmp_path / "log.csv"
    argv = [str(raw / "prices_raw.parquet"), "--events", str(raw / "events.csv")]
    with pytest.raises(SystemExit) as status, pytest.MonkeyPatch.context() as patch:
        command = ["finsae", "clean-prices", *argv, "--out", str(prices), "--log", str(log)]
        patch.setattr("sys.argv", command)
        main()
    assert status.value.code == 0
    rebuilt = read_universe(sample_folder() / "companies.csv", prices, repair=False).prices
    pd.testing.assert_frame_equal(rebuilt.astype("float32"), sample().prices.astype("float32"))
    assert log.read_bytes() == (sample_folder() / "repairs.csv").read_bytes()


def test_sample_is_small():
    assert sum(path.stat().st_size for path in sample_folder().iterdir()) < 3_000_000
