"""The words follow the numbers: nothing is claimed or ranked that an interval does not bear."""

import re

import numpy as np
import pandas as pd
import pytest

from finsae.metrics import interval
from finsae.report.summary import differences, levels, separated, with_p
from finsae.report.verdict import standings, summary_lines
from finsae.result import SCORE_COLUMNS


def row(method, value, low, high, *, metric="peer_correlation", versus=""):
    return dict(
        zip(SCORE_COLUMNS, (method, metric, value, low, high, 9, "two-way", versus), strict=True)
    )


def lines(*rows, **facts):
    return summary_lines(pd.DataFrame(rows, columns=list(SCORE_COLUMNS)), facts)


SAE = row("sae", 0.43, 0.40, 0.46)
TFIDF = row("tfidf", 0.42, 0.39, 0.45)
DRAWS = {"interval": "draws"}


def r2(method, value, low, high, versus=""):
    return row(method, value, low, high, metric="peer_r2", versus=versus)


HEADLINE = [
    r2("sae", 0.15, 0.12, 0.18),
    r2("sic", 0.10, 0.07, 0.13),
    r2("tfidf", 0.16, 0.13, 0.19),
    r2("sae", 0.05, 0.03, 0.07, "sic"),
    r2("sae", -0.01, -0.03, 0.01, "tfidf"),
    r2("tfidf", 0.06, 0.04, 0.08, "sic"),
    r2("tfidf", 0.01, -0.01, 0.03, "sae"),
]


def test_the_first_two_lines_say_who_is_best_by_how_much_and_with_what_uncertainty():
    found = lines(*HEADLINE, SAE, TFIDF, k=5, method="sae")
    assert found[0] == (
        "Best at explaining later returns: TF-IDF, with a peer R² of 0.160 [0.130, 0.190], "
        "but not separated from SAE."
    )
    assert found[1] == (
        "It leads SIC, the best of those behind it, by 0.060 [0.040, 0.080]. "
        "Its leads over the others are not separated from 0: SAE +0.010 [-0.010, +0.030]."
    )
    assert "each company's 5 nearest peers" in found[2]
    assert found[3] == (
        "SAE, with a peer R² of 0.150 [0.120, 0.180]: above SIC +0.050 [+0.030, +0.070]; "
        "not separated from TF-IDF -0.010 [-0.030, +0.010]."
    )


def test_every_number_of_the_summary_has_its_interval():
    money = [row("sae", 0.3, -0.6, 1.2, metric="sharpe_net")]
    for line in lines(*HEADLINE, SAE, TFIDF, *money, k=5):
        numbers = re.findall(r"(?<![\[\d.])[+-]?\d+\.\d+(?!\d*[\],])", line)
        assert len(numbers) == len(re.findall(r"\d \[[^\]]+\]", line)), line


def test_a_method_above_all_others_is_said_to_be():
    rows = [r2("sae", 0.2, 0.1, 0.3), r2("sic", 0.1, 0.0, 0.2), r2("sae", 0.1, 0.02, 0.2, "sic")]
    found = lines(*rows)
    assert found[0].endswith("0.200 [0.100, 0.300], above all that it was compared with.")
    assert found[1] == "It leads SIC, the next, by 0.100 [0.020, 0.200]."


def test_who_was_not_compared_with_the_best_is_named():
    group = r2("sae-group", 0.14, 0.11, 0.17)
    found = lines(*HEADLINE, group)
    assert "Not compared with TF-IDF: Group SAE." in found


def test_a_difference_whose_interval_leaves_out_zero_is_claimed_with_it():
    above = lines(SAE, TFIDF, row("sae", 0.06, 0.04, 0.08, versus="sic"))
    assert (
        "SAE, with a peer correlation of 0.430 [0.400, 0.460]: above SIC +0.060 [+0.040, +0.080]."
        in above
    )
    below = lines(SAE, TFIDF, row("sae", -0.03, -0.05, -0.01, versus="past-correlation"))
    assert any("below Past correlation -0.030 [-0.050, -0.010]." in line for line in below)


def test_a_difference_whose_interval_covers_zero_is_not_separated():
    found = lines(SAE, TFIDF, row("sae", 0.003, -0.011, 0.016, versus="tfidf"))
    assert any("not separated from TF-IDF +0.003 [-0.011, +0.016]." in line for line in found)
    assert not any(" above " in line or " below " in line for line in found[:2])


def test_standings_rank_by_estimate_and_say_who_is_separated():
    table = pd.DataFrame(HEADLINE)
    sure, unsure = (row("sic", p, 0, 0, metric="peer_r2_adjusted_p", versus="tfidf")
                    for p in (0.01, 0.06))  # fmt: skip
    scores = pd.DataFrame([*HEADLINE, sure])
    found = standings(levels(table, "peer_r2"), with_p(scores, "peer_r2"))
    assert found["method"].tolist() == ["tfidf", "sae", "sic"]
    assert found["standing"].tolist() == ["highest", "not separated from the highest", "behind"]
    assert found["behind"].iloc[2]["value"] == -0.06
    assert found["p"].iloc[2] == 0.01
    assert standings(levels(table, "peer_r2"), table.iloc[:0]).empty
    found = standings(
        levels(table, "peer_r2"), with_p(pd.DataFrame([*HEADLINE, unsure]), "peer_r2")
    )
    assert found["standing"].iloc[2] == "behind by its own interval only"


def test_a_lead_that_may_be_luck_among_many_is_not_told_as_one():
    p = row("tfidf", 0.06, 0.05, 0.07, metric="peer_r2_adjusted_p", versus="sic")
    found = lines(*HEADLINE, p)
    assert found[0].endswith("but not separated from SAE and SIC.")
    assert found[1].endswith(
        "By its own interval, but not once all differences are read at once, it leads "
        "SIC +0.060 [+0.040, +0.080] (p 0.06)."
    )
    assert "It leads" not in found[1]


def test_of_several_resamplings_the_first_is_the_headline():
    other = {**HEADLINE[4], "value": 0.9, "interval": "newey-west"}
    found = differences(pd.DataFrame([*HEADLINE, other]), "peer_r2")
    assert len(found) == 3 and set(found["interval"]) == {"two-way"}


@pytest.mark.parametrize(
    ("low", "high", "apart"),
    [(0.0, 0.1, False), (-0.1, 0.0, False), (0.001, 0.1, True), (-0.1, -0.001, True)],
)
def test_an_end_at_zero_covers_zero(low, high, apart):
    assert separated({"value": (low + high) / 2, "low": low, "high": high}) is apart


def test_each_pair_is_taken_once():
    both = pd.DataFrame(
        [row("tfidf", 0.1, 0.0, 0.2, versus="sic"), row("sic", -0.1, -0.2, 0.0, versus="tfidf")]
    )
    kept = differences(both, "peer_correlation")
    assert kept[["method", "versus"]].to_numpy().tolist() == [["sic", "tfidf"]]


def test_a_difference_without_interval_is_not_compared():
    found = lines(SAE, TFIDF, row("sae", 0.2, np.nan, np.nan, versus="tfidf"))
    assert any(
        line.endswith("not compared with TF-IDF: no interval is available.") for line in found
    )
    assert not any("+0.2" in line for line in found)


def test_a_score_without_interval_claims_nothing():
    found = lines(row("sae", 0.43, np.nan, np.nan), TFIDF)
    assert "Without an interval, so nothing is claimed: SAE." in found
    assert found[0].startswith("Highest estimate: TF-IDF") and "are not compared" in found[0]


def test_an_empty_run_says_what_is_missing():
    assert lines() == [
        "No scores of peers were computed in this run.",
        "No pairs backtest was part of this run.",
    ]


def test_sharpe_ratios_are_stated_against_zero_and_not_ranked():
    sharpe = {"metric": "sharpe_net"}
    found = lines(
        row("sae", 0.3, -0.6, 1.2, **sharpe),
        row("sic", -1.1, -2.0, -0.2, **sharpe),
        row("random", np.nan, np.nan, np.nan, **sharpe),
    )
    assert (
        "Trading the pairs, Sharpe ratio separated above 0 after costs: none; below 0: SIC."
        in found
    )
    assert "No trades, so no Sharpe ratio: Random." in found
    assert "The Sharpe ratios were not compared in pairs, so the methods are not ranked." in found
    none = lines(
        row("sae", 0.3, -0.6, 1.2, **sharpe), row("sae", 0.1, -0.5, 0.7, versus="sic", **sharpe)
    )
    assert "Trading the pairs, Sharpe ratio separated above 0 after costs: none." in none
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


def test_the_spread_of_random_draws_is_no_interval_of_an_estimate():
    chance = row("placebo", -0.5, -0.9, -0.1, metric="sharpe_net")
    found = lines(SAE, row("sae", -0.6, -1.0, -0.2, metric="sharpe_net"), {**chance, **DRAWS})
    words = " ".join(found)
    assert "above 0 after costs: none; below 0: SAE." in words
    assert "Random pairs -0.50 (the middle 95 % of its draws: -0.90 to -0.10)" in words


def test_differences_without_a_named_resampling_are_kept():
    bare = pd.DataFrame([row("sae", 0.05, np.nan, np.nan, versus="sic")]).assign(interval=None)
    assert len(differences(bare, "peer_correlation")) == 1
