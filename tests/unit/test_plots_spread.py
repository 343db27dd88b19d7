"""The figure of one pair's spread."""

import numpy as np
import pandas as pd
import pytest

from finsae import plots

DAYS = pd.bdate_range("2012-01-02", periods=60, name="date")
START = DAYS[40]
Z = pd.Series(np.r_[np.sin(np.arange(40.0)), np.linspace(0.0, 5.0, 20)], index=DAYS)
TRADES = pd.DataFrame(
    {
        "side": [-1, 1],
        "entry": [DAYS[45], DAYS[52]],
        "exit": [DAYS[50], DAYS[57]],
        "net": [-0.02, 0.03],
        "reason": ["stop", "converged"],
    }
)


def drawn(trades):
    figure = plots.spread(Z, trades, pair=("AAA", "BBB"), start=START)
    return figure, {trace.name.split(" (")[0]: trace for trace in figure.plotly().data}


def test_formation_and_trading_are_drawn_apart_and_whole():
    _, traces = drawn(TRADES)
    np.testing.assert_allclose([*traces["formation"].y, *traces["trading"].y], Z, rtol=1e-6)
    assert traces["trading"].x[0] == f"{START:%Y-%m-%d}"


def test_positions_stand_on_the_spread_where_they_opened_and_closed():
    figure, traces = drawn(TRADES)
    assert traces["sold high: spread short"].x == (f"{DAYS[45]:%Y-%m-%d}",)
    assert traces["bought low: spread long"].y[0] == pytest.approx(Z[DAYS[52]])
    assert list(traces["closed"].y) == pytest.approx(list(Z[[DAYS[50], DAYS[57]]]))
    words = ("stop, net -2.0 %", "converged, net +3.0 %")
    assert all(word in text for word, text in zip(words, traces["closed"].text, strict=True))
    assert "Positions: 2 (1 stop, 1 converged), together +1.0 %" in figure.reading


def test_a_pair_that_never_traded_is_drawn_without_positions():
    figure, traces = drawn(TRADES.iloc[:0])
    assert len(traces["closed"].x) == 0 and "Positions: 0 (none)" in figure.reading
    assert "AAA and BBB" in figure.title
