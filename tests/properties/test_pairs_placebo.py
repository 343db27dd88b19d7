"""Where nothing can be earned nothing is, and a rule that looks ahead is seen to earn it anyway."""

import markets
import numpy as np
import pytest

from finsae import pairs
from finsae.pairs import stats
from finsae.similarity import uninformed

WORLDS, PAIRS, FORMATION, DAYS = 24, 15, 250, 700


class Leaky(pairs.ZScore):
    """Takes mean, deviation and hedge from the trading window, as the published code does."""

    def positions(self, y, x):
        self.fit(y, x)
        return super().positions(y, x)


def trade(prices, first, second, *, rule):
    legs = markets.side_by_side(first, second)
    y, x = prices[first].to_numpy(), prices[second].to_numpy()
    weights = rule.fit(y[:FORMATION], x[:FORMATION]).positions(y[FORMATION:], x[FORMATION:])
    return pairs.simulate(weights, prices.iloc[FORMATION:], pairs=legs)


def sharpes(rule):
    """Gross and net Sharpe ratio of a book of independent walks, world by world."""
    prices = markets.walks(DAYS, 2 * WORLDS * PAIRS, seed=1000)
    columns = list(prices.columns)
    book = trade(prices, columns[: WORLDS * PAIRS], columns[WORLDS * PAIRS :], rule=rule)

    def by_world(daily):
        return stats.sharpe(daily.to_numpy().reshape(len(daily), WORLDS, PAIRS).sum(axis=2))

    return by_world(book.gross), by_world(book.gross - book.costs)


def t_statistic(values):
    return values.mean() / values.std(ddof=1) * np.sqrt(len(values))


def test_independent_walks_earn_nothing():
    gross, net = sharpes(pairs.ZScore())
    assert abs(t_statistic(gross)) < 2.5
    assert t_statistic(net) < 1.7


def test_a_rule_that_looks_ahead_is_seen_to_earn():
    _, net = sharpes(Leaky(entry=1.0))
    assert net.mean() > 1.5 and t_statistic(net) > 6


def test_planted_pairs_earn():
    prices = markets.planted(DAYS, PAIRS, seed=7)
    first, second = markets.names(PAIRS, "A"), markets.names(PAIRS, "B")
    returns = trade(prices, first, second, rule=pairs.ZScore()).returns
    assert stats.sharpe(returns["gross"]) > 2
    assert stats.sharpe(returns["gross"]) > stats.sharpe(returns["net"])


def test_the_lowest_p_values_of_walks_earn_nothing_either():
    """The whole chain on noise: the formation window must not lend its luck to what follows."""
    worlds, size = 12, 18
    prices = markets.walks(DAYS, worlds * size, seed=2000)
    proposals = {
        str(world): [pairs.candidates(uninformed(prices.columns[world * size :][:size]))]
        for world in range(worlds)
    }
    formation, later = prices.iloc[:FORMATION], prices.iloc[FORMATION:]
    books = pairs.trade(proposals, formation=formation, later=later)
    gross = np.array([float(stats.sharpe(drawn[0].returns["gross"])) for drawn in books.values()])
    assert abs(t_statistic(gross)) < 2.5


@pytest.mark.slow
def test_intervals_of_null_worlds_hold_zero():
    """40 companies, four years, 100 worlds: a 95 % interval excludes zero about 5 times."""
    excluded = 0
    for seed in range(100):
        prices = markets.walks(1008, 40, seed=5000 + seed)
        formation, later = prices.iloc[:504], prices.iloc[504:]
        proposals = pairs.propose({"random": uninformed(prices.columns)}, formation, draws=1)
        book = pairs.trade(proposals, formation=formation, later=later)["random"][0]
        low, high = stats.intervals(book.returns["gross"], resamples=300, seed=seed)[0]
        excluded += bool(low > 0 or high < 0)
    assert excluded <= 11
