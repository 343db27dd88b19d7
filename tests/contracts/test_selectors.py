"""What every pair selector of the menu must do."""

import markets
import numpy as np
import pandas as pd
import pytest

from finsae.pairs import candidates
from finsae.plugins import MENU, make
from finsae.similarity import uninformed


@pytest.fixture(params=MENU["selector"])
def selector(request):
    return make("selector", request.param, n=12)


@pytest.fixture(scope="module")
def prices():
    return markets.planted(300, 6, seed=1, half_life=3).join(markets.walks(300, 8, seed=2))


@pytest.fixture(scope="module")
def proposed(prices):
    return candidates(uninformed(prices.columns), 150, random_state=0)


def named(chosen):
    return [tuple(sorted(pair)) for pair in zip(chosen["y"], chosen["x"], strict=True)]


def test_chooses_among_the_candidates(selector, prices, proposed):
    chosen = named(selector.select(prices, proposed))
    assert 0 < len(chosen) <= 12
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= set(zip(proposed["a"], proposed["b"], strict=True))


def test_alters_neither_prices_nor_candidates(selector, prices, proposed):
    before = prices.copy(), proposed.copy()
    selector.select(prices, proposed)
    pd.testing.assert_frame_equal(prices, before[0])
    pd.testing.assert_frame_equal(proposed, before[1])


def test_order_of_candidates_and_companies_plays_no_part(selector, prices, proposed):
    shuffled = proposed.sample(frac=1, random_state=3)
    mirrored = prices[prices.columns[::-1]]
    assert named(selector.select(prices, proposed)) == named(selector.select(mirrored, shuffled))


def test_same_answer_twice(selector, prices, proposed):
    one, two = selector.select(prices, proposed), selector.select(prices, proposed)
    pd.testing.assert_frame_equal(one, two)


def test_nothing_to_choose_from(selector, prices, proposed):
    assert len(selector.select(prices, proposed.head(0))) == 0


def test_prices_that_cannot_be_tested(selector, prices, proposed):
    assert len(selector.select(prices * np.nan, proposed)) == 0
