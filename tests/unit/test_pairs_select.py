import markets
import numpy as np
import pandas as pd
import pytest

from finsae.checks import DataError
from finsae.pairs import LowestPValue, candidates, pair_tests, same_issuer, within_clusters
from finsae.pairs.select import candidate_draws


def table(values, tickers="ABCD"):
    square = np.array(values, dtype=float)
    return pd.DataFrame(square + square.T, index=list(tickers), columns=list(tickers))


@pytest.fixture
def similarity():
    return table([[0, 0.9, 0.5, 0.1], [0, 0, 0.5, 0.2], [0, 0, 0, 0.7], [0, 0, 0, 0]])


def listed(frame):
    return [a + b for a, b in zip(frame["a"], frame["b"], strict=True)]


def test_candidates_are_the_most_similar_pairs(similarity):
    found = candidates(similarity, 2)
    assert listed(found) == ["AB", "CD"]
    assert found["similarity"].tolist() == [0.9, 0.7]


def test_ties_at_the_border_are_drawn(similarity):
    drawn = {listed(candidates(similarity, 3, random_state=seed))[2] for seed in range(30)}
    assert drawn == {"AC", "BC"}
    assert listed(candidates(similarity, 3, random_state=5)) == listed(
        candidates(similarity, 3, random_state=5)
    )


def test_all_pairs_where_there_are_fewer(similarity):
    assert len(candidates(similarity, 500)) == 6


def test_candidates_do_not_depend_on_the_order_of_companies(similarity):
    mirrored = similarity.loc[list("DBCA"), list("DBCA")]
    for seed in range(5):
        pd.testing.assert_frame_equal(
            candidates(similarity, 3, random_state=seed),
            candidates(mirrored, 3, random_state=seed),
        )


def test_excluded_and_unknown_pairs_are_not_proposed(similarity):
    similarity.loc["C", "D"] = similarity.loc["D", "C"] = np.nan
    exclude = pd.DataFrame({"a": ["B", "Z"], "b": ["A", "C"]})
    assert set(listed(candidates(similarity, 10, exclude=exclude))) == {"AC", "AD", "BC", "BD"}


def test_chance_draws_only_where_it_decides(similarity):
    assert len(candidate_draws(similarity, 2, draws=7)) == 1
    assert len(candidate_draws(similarity, 4, draws=7)) == 1
    draws = candidate_draws(similarity, 3, draws=7)
    assert len(draws) == 7 and len({tuple(listed(draw)) for draw in draws}) == 2


def test_random_candidates_are_uniform():
    nothing = table(np.zeros((4, 4)))
    drawn = pd.concat(candidate_draws(nothing, 2, draws=300))
    counts = (drawn["a"] + drawn["b"]).value_counts()
    assert len(counts) == 6 and counts.between(60, 140).all()


def test_clusters_propose_their_own_pairs(similarity):
    labels = pd.Series(
        ["x", "x", "x", "y", "y", None, -1, -1], index=list("ABCDEFGH"), dtype=object
    )
    everything = candidates(within_clusters(labels), 100)
    assert set(listed(everything)) == {"AB", "AC", "BC", "DE"}
    drawn = {listed(candidates(within_clusters(labels), 1, random_state=s))[0] for s in range(40)}
    assert drawn == {"AB", "AC", "BC", "DE"}
    ordered = candidates(within_clusters(labels[:4], similarity), 100)
    assert listed(ordered)[0] == "AB" and set(listed(ordered)) == {"AB", "AC", "BC"}


def test_bad_input_of_candidates(similarity):
    with pytest.raises(DataError, match="at least 1"):
        candidates(similarity, 0)
    with pytest.raises(DataError, match="same tickers"):
        candidates(similarity.iloc[:3], 2)


def test_share_classes_of_one_issuer_are_found():
    companies = pd.DataFrame(
        {
            "cik": ["1", "1", None, None, None, "7"],
            "name": ["Alpha A", "Alpha C", "Beta, Inc.", "BETA INC", None, ""],
            "description": ["one", "two", "three", "four", "Makes  steel.", "makes steel"],
        },
        index=["GOOGL", "GOOG", "BFB", "BFA", "X", "Y"],
    )
    found = same_issuer(companies)
    assert found.to_dict("split")["data"] == [
        ["GOOG", "GOOGL", "cik"],
        ["BFA", "BFB", "name"],
        ["X", "Y", "description"],
    ]
    assert len(same_issuer(companies[[]])) == 0


def test_a_parent_and_its_partnership_are_found():
    companies = pd.DataFrame(
        {
            "name": ["Phillips 66", "Phillips 66 Partners L.P.", "Citizens Inc.",
                     "Citizens Holding Co", "Acme Corp", "Bolt LLC"],
            "description": [
                "Refines crude oil.", "Owns pipelines and terminals.", "Sells insurance.",
                "A bank in Mississippi.", "Makes anvils.",
                "Makes screws. Bolt is a subsidiary of the Acme Corporation of Ohio.",
            ],
        },
        index=["PSX", "PSXP", "CIA", "CIZN", "ACM", "BLT"],
    )  # fmt: skip
    assert same_issuer(companies).to_dict("split")["data"] == [
        ["PSX", "PSXP", "parent"],
        ["ACM", "BLT", "parent"],
    ]


def test_nearly_the_same_text_is_found():
    text = " ".join(f"word{number}" for number in range(60))
    texts = [
        text,
        text.replace("word30", "other"),
        text.replace("word1", "other"),
        "short",
        "",
        "short",
    ]
    companies = pd.DataFrame({"description": [*texts[:4], None, "brief"]}, index=list("ABCDEF"))
    found = same_issuer(companies)
    # Every tenth word changed costs more than a fifth of the runs: word1, word10, .. word19.
    assert found.to_dict("split")["data"] == [["A", "B", "text"]]


def test_trackers_are_found_by_their_returns():
    prices = markets.walks(200, 3, seed=4)
    noise = 1 + np.random.default_rng(5).normal(0, 5e-4, 200)
    prices["T"] = prices["W001"] * 2 * noise
    found = same_issuer(pd.DataFrame(index=prices.columns), prices=prices)
    assert found.to_dict("split")["data"] == [["T", "W001", "returns"]]


@pytest.fixture(scope="module")
def prices():
    """Five planted pairs, five walks; C follows A000 the wrong way round, D is B000 again."""
    market = markets.planted(300, 5, seed=1, half_life=4).join(markets.walks(300, 5, seed=2))
    noise = markets.walks(300, 1, seed=3)["W000"].pct_change().fillna(0) / 20
    market["C"] = 2500 / market["A000"] * (1 + noise)
    market["D"] = market["B000"] * 3
    return market


def test_both_directions_are_tested_and_the_better_kept(prices):
    forward = pair_tests(prices, pd.DataFrame({"a": ["A000"], "b": ["B000"]}))
    backward = pair_tests(prices, pd.DataFrame({"a": ["B000"], "b": ["A000"]}))
    columns = ["y", "x", "stat", "pvalue", "hedge", "half_life"]
    pd.testing.assert_frame_equal(forward[columns], backward[columns])
    assert 1 < forward["half_life"][0] < 40


def test_planted_pairs_are_selected(prices):
    everything = candidates(table(np.zeros((15, 15)), prices.columns[:15]), 105)
    chosen = LowestPValue(8).select(prices, everything)
    named = [{y, x} for y, x in zip(chosen["y"], chosen["x"], strict=True)]
    assert sum({f"A00{p}", f"B00{p}"} in named for p in range(5)) == 5
    assert chosen["pvalue"].is_monotonic_increasing
    assert (chosen["q"] >= chosen["pvalue"]).all() and chosen["q"].is_monotonic_increasing


def test_q_is_benjamini_and_hochbergs(prices):
    everything = candidates(table(np.zeros((10, 10)), prices.columns[:10]), 45)
    chosen = LowestPValue(45, min_leg=0.0).select(prices, everything)
    tested = pair_tests(prices, everything)["pvalue"].sort_values().to_numpy()
    adjusted = np.minimum.accumulate((tested * 45 / np.arange(1, 46))[::-1])[::-1]
    expected = dict(zip(tested, adjusted, strict=True))
    assert chosen["q"].tolist() == pytest.approx([expected[p] for p in chosen["pvalue"]])


def test_pairs_that_are_no_bet_on_a_difference_are_left_out(prices):
    named = pd.DataFrame({"a": ["A000", "B000", "A001"], "b": ["C", "D", "B001"]})
    tests = pair_tests(prices, named)
    assert tests["hedge"][0] < 0 and tests["pvalue"][0] < 0.01
    assert tests["stat"][1] == -np.inf
    assert LowestPValue(3).select(prices, named)["a"].tolist() == ["A001"]
    assert len(LowestPValue(3, min_leg=0.49).select(prices, named)) <= 1


def test_a_pair_with_few_common_days_is_not_selected(prices):
    holes = prices.copy()
    holes.loc[holes.index[:20], "A001"] = np.nan
    named = pd.DataFrame({"a": ["A001", "A002"], "b": ["B001", "B002"]})
    assert LowestPValue(2).select(holes, named)["a"].tolist() == ["A002"]
    assert len(LowestPValue(2, coverage=0.9).select(holes, named)) == 2


def test_tests_made_before_are_used(prices):
    named = pd.DataFrame({"a": ["A001", "A002"], "b": ["B001", "B002"]})
    selector = LowestPValue(2)
    again = selector.select(prices, pair_tests(prices, named))
    pd.testing.assert_frame_equal(again, selector.select(prices, named))


def test_a_ticker_without_prices_is_named(prices):
    with pytest.raises(DataError, match="ZZZ"):
        pair_tests(prices, pd.DataFrame({"a": ["A001"], "b": ["ZZZ"]}))


@pytest.mark.parametrize("price", [0.0, -1.0, np.inf])
def test_a_price_that_is_none_is_answered_in_one_line(prices, price):
    wrong = prices.copy()
    wrong.iloc[5, 0] = price
    with pytest.raises(DataError, match="above zero and finite, but 1") as caught:
        LowestPValue(5).select(wrong, pd.DataFrame({"a": ["A000"], "b": ["B000"]}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("days", [0, 1, 2])
def test_two_days_select_nothing_and_flat_prices_neither(prices, days):
    named = pd.DataFrame({"a": ["A000", "A001"], "b": ["B000", "B001"]})
    selector = LowestPValue(2)
    assert len(selector.select(prices.head(days), named)) == 0
    assert selector.outcome() == "2 candidates, 0 tested, 0 hedged: none is selected"
    assert len(selector.select(prices * 0 + 7.0, named)) == 0
