import numpy as np
import pandas as pd
import pytest

from finsae.checks import DataError
from finsae.pairs import Terms, last_prices, simulate
from finsae.pairs.rules import EXITS

PAIRS = pd.DataFrame({"y": ["A"], "x": ["B"]})
DAYS = pd.bdate_range("2020-01-06", periods=6, name="date")


def prices(a, b=10.0):
    return pd.DataFrame({"A": a, "B": b}, index=DAYS, dtype=float)


def held(*sides, hedge=1.0):
    """Weights of one pair, side by side."""
    legs = np.array([1.0, -hedge]) / (1.0 + hedge)
    return np.array(sides, dtype=float)[:, None, None] * legs


def codes(*reasons):
    return np.array([[EXITS.index(reason)] for reason in reasons], dtype=np.int8)


def test_a_trade_by_hand():
    """Half a unit of each leg: 0.05 shares at 10, sold at 12 and 10, at 10 bp a leg and side."""
    closes = prices([9, 9, 10, 11, 12, 13])
    book = simulate(held(0, 1, 1, 0, 0, 0), closes, pairs=PAIRS, terms=Terms(10, borrow_bps=0))
    trade = book.trades.iloc[0]
    assert (trade["entry"], trade["exit"], trade["days"]) == (DAYS[2], DAYS[4], 2)
    assert (trade["entry_y"], trade["exit_y"], trade["exit_x"]) == (10.0, 12.0, 10.0)
    assert (trade["shares_y"], trade["shares_x"]) == pytest.approx((0.05, -0.05))
    assert trade["gross"] == pytest.approx(0.05 * 2)
    assert trade["costs"] == pytest.approx(0.001 * (0.5 + 0.5 + 0.6 + 0.5))
    assert trade["net"] == pytest.approx(trade["gross"] - trade["costs"])
    assert book.returns["gross"].tolist() == pytest.approx([0, 0, 0, 0.05, 0.05, 0])
    assert book.returns["net"].tolist() == pytest.approx([0, 0, -0.001, 0.05, 0.05 - 0.0011, 0])
    assert book.returns["n_open"].tolist() == [0, 0, 1, 1, 0, 0]
    assert book.returns["gross_exposure"].tolist() == pytest.approx([0, 0, 1, 1.05, 0, 0])


def test_shares_are_fixed_while_the_weights_are():
    closes = prices([10, 10, 20, 40, 20, 10])
    book = simulate(held(1, 1, 1, 1, 1, 1), closes, pairs=PAIRS, terms=Terms(10, borrow_bps=0))
    assert book.traded[0].tolist() == pytest.approx([0, 1.0, 0, 0, 0, 0.5 + 0.5])
    assert len(book.trades) == 1


def test_a_turn_is_two_trades():
    closes = prices([10, 10, 11, 12, 11, 10])
    book = simulate(held(1, 1, -1, -1, -1, -1), closes, pairs=PAIRS, terms=Terms(10, borrow_bps=0))
    assert book.trades["side"].tolist() == [1, -1]
    assert book.trades["exit"][0] == book.trades["entry"][1] == DAYS[3]
    assert book.trades["gross"].tolist() == pytest.approx([0.05 * 2, 0.5 / 12 * 2])


def test_a_changed_hedge_trades_the_difference_within_one_trade():
    weights = np.concatenate([held(1, 1, hedge=1.0), held(1, 1, 0, 0, hedge=3.0)])
    book = simulate(weights, prices([10] * 6), pairs=PAIRS, terms=Terms(10, borrow_bps=0))
    assert book.traded[0].tolist() == pytest.approx([0, 1.0, 0, 0.25 + 0.25, 0, 1.0])
    assert len(book.trades) == 1
    assert book.trades["costs"][0] == pytest.approx(0.001 * 2.5)


def test_a_missing_price_delays_the_trade():
    closes = prices([10, np.nan, 10, 12, np.nan, 14])
    book = simulate(held(1, 1, 1, 0, 0, 0), closes, pairs=PAIRS, terms=Terms(0, borrow_bps=0))
    trade = book.trades.iloc[0]
    assert (trade["entry"], trade["exit"]) == (DAYS[2], DAYS[5])
    assert book.gross[0].tolist() == pytest.approx([0, 0, 0, 0.1, 0, 0.1])


def test_the_latest_decision_counts_after_a_gap():
    closes = prices([10, np.nan, np.nan, 10, 11, 12])
    book = simulate(held(1, 1, 0, 0, 0, 0), closes, pairs=PAIRS)
    assert len(book.trades) == 0 and (book.returns == 0).all(axis=None)


def test_what_is_open_at_the_end_is_sold_at_the_last_prices_known():
    closes = prices([10, 10, 12, 11, np.nan, np.nan])
    book = simulate(held(1, 1, 1, 1, 1, 1), closes, pairs=PAIRS, terms=Terms(10, borrow_bps=0))
    trade = book.trades.iloc[0]
    assert (trade["exit"], trade["exit_y"], trade["reason"]) == (DAYS[5], 11.0, "end of window")
    assert trade["costs"] == pytest.approx(0.001 * (1.0 + 0.55 + 0.5))
    assert book.held[0].iloc[-1] == 0.0


def test_nothing_is_opened_on_the_last_day():
    book = simulate(held(0, 0, 0, 0, 1, 1), prices([10] * 6), pairs=PAIRS)
    assert len(book.trades) == 0


def test_reasons_of_exits():
    closes = prices([10] * 6)
    stop = codes("", "", "", "stop", "", "")
    assert simulate(held(0, 1, 1, 0, 0, 0), closes, pairs=PAIRS, exits=stop).trades["reason"][
        0
    ] == ("stop")
    unnamed = simulate(held(0, 1, 1, 0, 0, 0), closes, pairs=PAIRS)
    assert unnamed.trades["reason"].tolist() == ["signal"]
    early = codes("stop", "", "", "", "", "")
    running = simulate(held(0, 1, 1, 1, 1, 1), closes, pairs=PAIRS, exits=early)
    assert running.trades["reason"].tolist() == ["end of window"]


def test_capital_is_committed_to_every_pair():
    closes = prices([10, 10, 12, 12, 12, 12]).assign(C=5.0, D=6.0)
    pairs = pd.DataFrame({"y": ["A", "C"], "x": ["B", "D"]})
    weights = np.concatenate([held(1, 1, 0, 0, 0, 0), held(0, 0, 0, 0, 0, 0)], axis=1)
    book = simulate(weights, closes, pairs=pairs, terms=Terms(0, borrow_bps=0))
    assert book.returns["gross"].sum() == pytest.approx(0.5 * 0.1)


def test_borrowing_is_paid_for_the_nights_it_lasts():
    """Short half a unit from Wednesday's close to Friday's: two nights at 3.65 % a year."""
    terms = Terms(0, borrow_bps=365)
    book = simulate(held(0, 1, 1, 0, 0, 0), prices([10] * 6), pairs=PAIRS, terms=terms)
    assert book.fees[0].tolist() == pytest.approx([0, 0, 0, 0.5e-4, 0.5e-4, 0])
    over_weekend = simulate(held(0, 0, 0, 1, 0, 0), prices([10] * 6), pairs=PAIRS, terms=terms)
    assert over_weekend.fees[0].tolist() == pytest.approx([0, 0, 0, 0, 0, 1.5e-4])
    assert over_weekend.trades["costs"][0] == pytest.approx(1.5e-4)


def test_costs_per_share():
    terms = Terms(0, borrow_bps=0, per_share=0.01)
    book = simulate(held(0, 1, 1, 0, 0, 0), prices([10] * 6), pairs=PAIRS, terms=terms)
    assert book.trades["costs"][0] == pytest.approx(0.01 * 4 * 0.05)


@pytest.mark.parametrize(
    ("loss", "sides", "gross"), [(0.0, 1, 0.1), (0.5, 1, -0.2), (0.5, -1, -0.4)]
)
def test_a_leg_without_prices_is_delisted(loss, sides, gross):
    closes = prices([10, 10, 12, np.nan, np.nan, np.nan])
    terms = Terms(0, borrow_bps=0, patience=2, delisting_loss=loss)
    book = simulate(sides * held(1, 1, 1, 1, 1, 1), closes, pairs=PAIRS, terms=terms)
    trade = book.trades.iloc[0]
    assert (trade["exit"], trade["reason"]) == (DAYS[4], "delisted")
    assert trade["exit_y"] == pytest.approx(12 * (1 - sides * loss))
    assert trade["gross"] == pytest.approx(gross)
    assert book.gross[0].tolist()[4:] == pytest.approx([-0.05 * 12 * loss, 0])


@pytest.mark.parametrize(
    ("ended", "loss", "reason"), [(True, 0.3, "delisted"), (False, 0.0, "end of window")]
)
def test_a_leg_that_ends_shortly_before_the_window_does_is_delisted(ended, loss, reason):
    """A window of 40 days; y has its last price on day 34, and patience lasts beyond the end."""
    days = pd.bdate_range("2020-01-06", periods=60, name="date")
    closes = pd.DataFrame({"A": 10.0, "B": 10.0}, index=days)
    closes.iloc[34:, 0] = np.nan
    known = last_prices(closes, patience=10)
    assert known == {"A": days[33]}
    assert last_prices(closes.head(40), patience=10) == {}  # nothing says yet that it is over
    terms = Terms(
        0, borrow_bps=0, patience=10, delisting_loss=0.3, ended=known if ended else {"A": days[50]}
    )
    book = simulate(held(*[1] * 40), closes.head(40), pairs=PAIRS, terms=terms)
    trade = book.trades.iloc[0]
    assert (trade["exit"], trade["reason"]) == (days[39], reason)
    assert trade["exit_x"] == 10.0 and trade["exit_y"] == pytest.approx(10 * (1 - loss))
    assert trade["gross"] == pytest.approx(-0.5 * loss)
    assert book.gross[0].iloc[:-1].eq(0).all()


def test_a_leg_that_only_pauses_beside_one_that_ends_is_sold_at_its_last_price():
    closes = prices([10, 10, 10, np.nan, np.nan, np.nan], [10, 10, 10, 10, 10, np.nan])
    terms = Terms(0, borrow_bps=0, delisting_loss=0.3, ended={"A": DAYS[2]})
    trade = simulate(held(*[1] * 6), closes, pairs=PAIRS, terms=terms).trades.iloc[0]
    assert (trade["exit_y"], trade["exit_x"]) == (pytest.approx(7.0), 10.0)


def test_caps_let_in_the_first_pairs_of_the_book():
    closes = prices([10] * 6).assign(C=5.0, D=6.0)
    pairs = pd.DataFrame({"y": ["A", "C"], "x": ["B", "D"]})
    weights = np.concatenate([held(0, 1, 1, 0, 0, 0), held(1, 1, 1, 1, 1, 0)], axis=1)
    book = simulate(weights, closes, pairs=pairs, terms=Terms(gross_cap=0.5))
    assert book.trades["pair"].tolist() == [1]
    both = simulate(weights[:, ::-1], closes, pairs=pairs.iloc[::-1], terms=Terms(gross_cap=0.5))
    assert both.trades["pair"].tolist() == [1]
    later = simulate(weights[:, [0, 0]], closes, pairs=pairs, terms=Terms(gross_cap=0.5))
    assert later.trades["pair"].tolist() == [0]


def test_committed_and_employed_capital():
    closes = prices([10, 10, 12, 12, 12, 12]).assign(C=5.0, D=6.0)
    pairs = pd.DataFrame({"y": ["A", "C"], "x": ["B", "D"]})
    weights = np.concatenate([held(1, 1, 0, 0, 0, 0), held(0, 0, 0, 0, 0, 0)], axis=1)
    returns = simulate(weights, closes, pairs=pairs, terms=Terms(0, borrow_bps=0)).returns
    assert returns["employed"].tolist() == [0, 0.5, 0.5, 0.5, 0, 0]
    assert returns["net"].tolist() == pytest.approx([0, 0, 0.05, 0, 0, 0])
    assert returns["net_employed"].tolist() == pytest.approx([0, 0, 0.1, 0, 0, 0])
    assert returns["net_exposure"].tolist() == pytest.approx([0, 0, 0.05, 0, 0, 0])


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"cost_bps": -1.0}, "zero or more"),
        ({"per_share": np.nan}, "costs per share must be zero or more"),
        ({"borrow_bps": -1.0}, "borrow fee must be zero or more"),
        ({"gross_cap": 0.0}, "gross_cap must be above zero"),
        ({"patience": 0}, "at least 1 day"),
        ({"delisting_loss": 1.5}, "between 0 and 1"),
    ],
)
def test_impossible_terms_are_refused(terms, said):
    with pytest.raises(DataError, match=said):
        Terms(**terms)


def test_a_book_without_pairs_earns_nothing():
    empty = PAIRS.head(0)
    book = simulate(np.zeros((6, 0, 2)), prices([10] * 6), pairs=empty)
    assert (book.returns == 0).all(axis=None) and len(book.returns) == 6
    assert len(book.trades) == 0


def test_a_pair_that_was_not_traded_cannot_be_taken():
    book = simulate(held(1, 1, 0, 0, 0, 0), prices([10] * 6), pairs=PAIRS)
    with pytest.raises(DataError, match="B, A was not traded"):
        book.take(pd.DataFrame({"y": ["B"], "x": ["A"]}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weights": held(1, 1)}, "do not fit"),
        ({"weights": 3 * held(1, 1, 1, 1, 1, 1)}, r"\[-1, 1\]"),
        ({"weights": np.nan * held(1, 1, 1, 1, 1, 1)}, "not NaN"),
        ({"prices": prices([10, 10, 0, 10, 10, 10])}, "above zero"),
        ({"pairs": pd.DataFrame({"y": ["A"], "x": ["Z"]})}, "no prices for Z"),
        ({"exits": codes("", "")}, "exits of shape"),
    ],
)
def test_bad_input_is_named(change, said):
    valid = {"weights": held(0, 1, 1, 1, 0, 0), "prices": prices([10] * 6), "pairs": PAIRS}
    options = {**valid, **change}
    with pytest.raises(DataError, match=said):
        simulate(options.pop("weights"), options.pop("prices"), **options)
