"""The words follow the numbers: nothing is claimed or ranked that an interval does not bear."""

import numpy as np
import pandas as pd
import pytest

from finsae.metrics import interval
from finsae.report.summary import differences, separated, summary_lines
from finsae.result import SCORE_COLUMNS


def row(method, value, low, high, *, metric="peer_correlation", versus=""):
    return dict(
        zip(SCORE_COLUMNS, (method, metric, value, low, high, 9, "two-way", versus), strict=True)
    )


def lines(*rows, **facts):
    return summary_lines(pd.DataFrame(rows, columns=list(SCORE_COLUMNS)), facts)


SAE = row("sae", 0.43, 0.40, 0.46)
TFIDF = row("tfidf", 0.42, 0.39, 0.45)


def test_a_difference_whose_interval_leaves_out_zero_is_claimed_with_it():
    above = lines(SAE, TFIDF, row("sae", 0.06, 0.04, 0.08, versus="sic"))
    assert "SAE is above SIC: difference +0.060 [+0.040, +0.080]." in above
    below = lines(SAE, TFIDF, row("sae", -0.03, -0.05, -0.01, versus="past-correlation"))
    assert "SAE is below Past correlation: difference -0.030 [-0.050, -0.010]." in below


def test_a_difference_whose_interval_covers_zero_is_not_separated():
    found = lines(SAE, TFIDF, row("sae", 0.003, -0.011, 0.016, versus="tfidf"))
    assert "SAE and TF-IDF are not separated: difference +0.003 [-0.011, +0.016]." in found
    assert not any(" above " in line or " below " in line for line in found)


@pytest.mark.parametrize(
    ("low", "high", "apart"),
    [(0.0, 0.1, False), (-0.1, 0.0, False), (0.001, 0.1, True), (-0.1, -0.001, True)],
)
def test_an_end_at_zero_covers_zero(low, high, apart):
    assert separated({"value": (low + high) / 2, "low": low, "high": high}) is apart


def test_the_first_method_is_compared_with_all_and_the_best_is_named_only_if_separated():
    rows = [
        SAE,
        row("sae", 0.06, 0.04, 0.08, versus="sic"),
        row("sae", -0.02, -0.04, -0.001, versus="past-correlation"),
        row("sic", -0.08, -0.1, -0.06, versus="past-correlation"),
        row("past-correlation", 0.08, 0.06, 0.1, versus="sic"),
    ]
    found = lines(*rows)
    assert sum("difference" in line for line in found) == 2
    best = "Past correlation is above all that it was compared with: closest is SAE, "
    assert f"{best}+0.020 [+0.001, +0.040]." in found
    rows[2] = row("sae", -0.02, -0.04, 0.001, versus="past-correlation")
    assert "No method is separated above all that it was compared with." in lines(*rows)


def test_each_pair_is_taken_once():
    both = pd.DataFrame(
        [row("tfidf", 0.1, 0.0, 0.2, versus="sic"), row("sic", -0.1, -0.2, 0.0, versus="tfidf")]
    )
    kept = differences(both, "peer_correlation")
    assert kept[["method", "versus"]].to_numpy().tolist() == [["sic", "tfidf"]]


def test_a_difference_without_interval_is_not_compared():
    found = lines(SAE, TFIDF, row("sae", 0.2, np.nan, np.nan, versus="tfidf"))
    assert any(line.startswith("SAE and TF-IDF are not compared") for line in found)
    assert not any("+0.2" in line for line in found)


def test_a_score_without_interval_claims_nothing():
    found = lines(row("sae", 0.43, np.nan, np.nan), TFIDF)
    assert "Without an interval, so nothing is claimed: SAE." in found
    assert "No paired differences were computed, so the methods are not compared." in found


def test_methods_are_listed_in_the_house_order_and_never_by_score():
    found = lines(row("random", 0.9, 0.8, 1.0), TFIDF, SAE, k=5)
    assert found[0].startswith(
        "Correlation of a company's later returns with those of its 5 nearest peers: "
        "SAE 0.430 [0.400, 0.460]; TF-IDF 0.420 [0.390, 0.450]; Random 0.900 [0.800, 1.000]."
    )


def test_an_empty_run_says_what_is_missing():
    assert lines() == [
        "No peer correlations were computed in this run.",
        "No pairs backtest was part of this run.",
    ]


def test_sharpe_ratios_are_stated_against_zero_and_not_ranked():
    sharpe = {"metric": "sharpe_net"}
    found = lines(
        row("sae", 0.3, -0.6, 1.2, **sharpe),
        row("sic", -1.1, -2.0, -0.2, **sharpe),
        row("random", np.nan, np.nan, np.nan, **sharpe),
    )
    assert "Separated from 0: SIC (loss)." in found
    assert "No trades, so no Sharpe ratio: Random." in found
    assert "The Sharpe ratios were not compared in pairs, so the methods are not ranked." in found
    none = lines(
        row("sae", 0.3, -0.6, 1.2, **sharpe), row("sae", 0.1, -0.5, 0.7, versus="sic", **sharpe)
    )
    assert "None of these Sharpe ratios is separated from 0." in none
    assert "No paired difference of Sharpe ratios is separated from 0." in none


def test_a_sharpe_ratio_beyond_three_is_called_an_error_before_a_finding():
    suspicious = lines(row("sae", -3.4, -4.0, -2.8, metric="sharpe_net"))
    assert any("more likely an error" in line for line in suspicious)
    assert not any(
        "error" in line for line in lines(row("sae", 2.9, 2.0, 3.8, metric="sharpe_net"))
    )


def test_interval_shows_what_is_there():
    assert interval(SAE) == "0.430 [0.400, 0.460]"
    assert interval(row("sae", 0.5, np.nan, np.nan), digits=1) == "0.5"
    assert interval(row("sae", -0.001, -0.5, 0.5), digits=1) == "0.0 [-0.5, 0.5]"
    assert interval(row("sae", None, None, None)) == "not available"
