import pytest

from finsae.checks import DataError, nearest, one_of


def test_problems_are_kept_apart_and_shown_together():
    error = DataError(["first", "second"])
    assert error.problems == ["first", "second"]
    assert str(error) == "first\nsecond"
    assert DataError("only").problems == ["only"]


@pytest.mark.parametrize(("given", "meant"), [("APPL", "AAPL"), ("aapl", "AAPL"), ("zzzzzz", None)])
def test_nearest_names_the_close_one_only(given, meant):
    found = nearest(given, ["AAPL", "MSFT"])
    assert found == (f'; did you mean "{meant}"?' if meant else "")


def test_one_of_returns_a_valid_name_and_lists_few_options():
    assert one_of("method", "sic", ["sae", "sic"]) == "sic"
    with pytest.raises(DataError, match=r'unknown method "sci" \(one of sae, sic\); did you mean'):
        one_of("method", "sci", ["sae", "sic"])


def test_one_of_counts_many_options_instead_of_listing_them():
    with pytest.raises(DataError, match=r"\(50 known\)"):
        one_of("ticker", "XXXX", [f"T{i}" for i in range(50)])
