"""The bundled sample."""

import numpy as np
import pandas as pd

from finsae.sources import sample
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


def test_sample_is_small():
    assert sum(path.stat().st_size for path in sample_folder().iterdir()) < 3_000_000
