"""The published rules do what is said of them: they look ahead, and their accounting is theirs."""

from itertools import combinations

import markets
import numpy as np
import pandas as pd
import pytest

from finsae import pairs
from finsae.pairs import published, stats
from finsae.pairs.published.paper import Defects, enact, overwritten_value, published_walk
from finsae.pairs.published.revised import _retested

SUMMED = Defects(overwritten=False)


def sides(*path):
    return published_walk(np.array(path, dtype=float)[:, None])[:, 0].tolist()


@pytest.fixture(scope="module")
def walks():
    prices = markets.walks(900, 60, seed=2)
    legs = markets.side_by_side(prices.columns[:30], prices.columns[30:])
    return prices.iloc[:400], prices.iloc[400:], legs


@pytest.fixture(scope="module")
def planted():
    prices = markets.planted(1200, 8, seed=3, half_life=15).join(markets.walks(1200, 8, seed=3))
    named = pd.DataFrame(list(combinations(prices.columns, 2)), columns=["a", "b"])
    return prices.iloc[:700], prices.iloc[700:], named


def test_the_published_bands():
    assert sides(0, 0.9, 1.1, 1.5, 0.1, -0.1, -0.5) == [0, 0, -1, -1, -1, 0, 0]
    assert sides(0, -1.1, -0.1, 0.1) == [0, 1, 1, 0]
    assert sides(0, 1.1, 2.1, 1.5, 0.9, 1.1) == [0, -1, 0, 0, 0, -1]
    assert sides(0, 1.1, np.nan, -0.1) == [0, -1, -1, 0]


def test_the_look_ahead_earns_on_independent_walks_and_nothing_else_does(walks):
    formation, later, legs = walks
    ahead = enact(legs, formation, later, defects=SUMMED)
    fair = enact(legs, formation, later, defects=Defects(overwritten=False, whole_window=False))
    assert stats.sharpe(ahead.returns["gross"]) > 2.5
    assert abs(stats.sharpe(fair.returns["gross"])) < 1.5


def test_the_net_asset_value_is_written_over_by_every_pair(walks):
    """The published loop, written out: cash carried on, leftovers at the present pair's prices."""
    _, later, legs = walks
    later, legs = later.tail(150), legs.head(3)
    rng = np.random.default_rng(0)
    side = np.repeat(rng.integers(-1, 2, (30, 3)), 5, axis=0)
    weights = side[..., None] * np.array([0.5, -0.5])
    cash, left, value = 100_000.0, np.zeros(2), {}
    for number, pair in enumerate(legs.itertuples(index=False)):
        units = np.zeros(2)
        for day, date in enumerate(later.index):
            price = later.loc[date, [pair.y, pair.x]].to_numpy()
            before = weights[day - 2, number] if day > 1 else np.zeros(2)
            target = weights[day - 1, number] if day else np.zeros(2)
            if (target != before).any():
                wanted = 10_000 * target / price
                cash -= ((wanted - units) * price).sum()
                units = wanted
            value[date] = cash + ((units + left) * price).sum()
        left = left + units
    found = overwritten_value(weights, later, legs)
    assert np.allclose(found, pd.Series(value), rtol=1e-10)


def test_pairs_named_in_several_years_are_traded_as_often(planted):
    formation, _, named = planted
    once, twice = (published.level_pairs([named] * n, formation) for n in (1, 2))
    assert len(once) >= 8 and len(twice) == 2 * len(once)
    expected = np.corrcoef(formation[once["y"][0]], formation[once["x"][0]])[0, 1]
    assert once["correlation"][0] == pytest.approx(expected)
    assert (once["pvalue"] < 0.01).all()


def test_survivors_are_known_beforehand_only_in_the_published_rules(walks):
    formation, later, legs = walks
    gone = later.copy()
    gone.loc[gone.index[200:], legs["y"][0]] = np.nan
    kept = enact(legs, formation, gone, defects=Defects(overwritten=False, survivors=False))
    left = enact(legs, formation, gone, defects=SUMMED)
    assert len(kept.pairs) == 30 and len(left.pairs) == 29


def test_steps_remove_one_defect_per_row(planted):
    formation, later, named = planted
    honest = enact(
        named.rename(columns={"a": "y", "b": "x"}).head(4), formation, later, defects=SUMMED
    )
    table = published.steps([named, named.head(60)], formation, later, honest=honest, resamples=50)
    assert len(table) == 11
    assert table["step"].iloc[0] == "as published"
    assert table["pairs"].iloc[1] > table["pairs"].iloc[2]
    net = table["sharpe_net"]
    assert np.allclose(table["worth"].iloc[1:], net.shift(1).iloc[1:] - net.iloc[1:])
    free = table.iloc[:8]
    assert (free["sharpe_gross"] == free["sharpe_net"]).all()
    assert table["sharpe_net"].iloc[8] < table["sharpe_gross"].iloc[8]
    assert table["sharpe_net"].iloc[9] < table["sharpe_net"].iloc[8]
    assert net.iloc[10] == pytest.approx(float(stats.sharpe(honest.returns["net"])))
    looked = net.iloc[3] - net.iloc[4]
    assert looked > 0.5  # the whole window's moments are worth the most


def test_steps_without_pairs_have_no_sharpe_ratio(walks):
    formation, later, legs = walks
    named = legs.rename(columns={"y": "a", "x": "b"})
    table = published.steps([named], formation, later, resamples=50)
    assert table["pairs"].iloc[0] == 0 and np.isnan(table["sharpe_net"].iloc[0])


def test_the_published_protocol_is_a_backtest(planted):
    formation, later, named = planted
    book = published.trade_paper([named], formation, later)
    assert isinstance(book, pairs.Backtest)
    assert (book.returns["gross"] == book.returns["net"]).all()
    scores = pairs.scores({"paper": [book]}, resamples=50)
    assert np.isfinite(scores.set_index("metric").at["sharpe_net", "value"])


def test_the_revised_protocol_is_causal_and_adds_pairs_up(planted):
    formation, later, named = planted
    book = published.trade_revised([named], formation, later)
    assert len(book.pairs) >= 4 and len(book.trades) > 20
    gross = book.trades["gross"].sum() * 10_000
    assert 100_000 * (1 + book.returns["gross"]).prod() - 100_000 == pytest.approx(gross)
    altered = later.copy()
    altered.iloc[300:] *= np.exp(np.random.default_rng(1).normal(0, 0.1, altered.iloc[300:].shape))
    other = published.trade_revised([named], formation, altered)
    # Fills are at the close that decides them, but no day knows the next.
    assert np.allclose(book.returns["gross"].iloc[:299], other.returns["gross"].iloc[:299])


def test_the_revised_states():
    state = np.zeros(4, dtype=np.int8)
    passes = np.zeros(4, dtype=int)
    path = []
    for p in ([0.01, 0.15, 0.3, 0.15], [0.01, 0.07, 0.01, 0.12], [0.01, 0.01, 0.01, 0.01]):
        state, passes = _retested(state, passes, np.array(p))
        path.append(state.tolist())
    assert path == [[0, 1, 2, 1], [0, 1, 2, 2], [0, 0, 0, 2]]
