"""Reference figures of the development data, measured before this package was written.

1,644 operating companies; mean correlation of monthly log returns 2013-01..2017-11 with ten peers.
"""

import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from finsae.benchmark import eligible
from finsae.benchmark.clusters import Clusters, cluster_correlation
from finsae.benchmark.draws import Draws
from finsae.benchmark.panel import CLIP, Panel
from finsae.benchmark.peers import Peers, peer_correlation
from finsae.similarity import cosine, past_correlation, shared_prefix, uninformed
from finsae.universe import Universe

pytestmark = [pytest.mark.shared, pytest.mark.slow]
CUT = "2012-12-31"


@pytest.fixture(scope="module")
def universe(shared):
    folder = shared / "us_equities"
    companies = pd.read_parquet(folder / "companies.parquet").set_index("ticker")
    return Universe.build(companies, pd.read_parquet(folder / "prices.parquet"))


@pytest.fixture(scope="module")
def same_footing(universe):
    return eligible(universe.companies, universe.monthly, cut=CUT)


def test_the_same_footing_universe(universe, same_footing):
    tickers, excluded = same_footing
    assert len(tickers) == 1644
    assert sorted([*tickers, *excluded["ticker"]]) == sorted(universe.companies.index)


def test_reference_figures(universe, same_footing):
    tickers, _ = same_footing
    past, future = universe.select(tickers).cut(CUT)
    texts = past.companies["description"]
    words = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=3, max_df=0.3)
    daily = past.daily()["2008":].clip(-CLIP, CLIP)
    monthly = past.monthly["2008":].clip(-CLIP, CLIP)
    methods = {
        "sic": shared_prefix(past.companies["sic"]),
        "major-group": shared_prefix(past.companies["sic"], digits=(2,)),
        "tfidf": cosine(words.fit_transform(texts), tickers),
        "daily": past_correlation(daily),
        "monthly": past_correlation(monthly),
        "random": uninformed(tickers),
    }
    itself = Draws.none(*future.monthly.shape)
    panel = Panel.of(future.monthly)
    peers = Peers.of(methods, 10, draws=20, seed=0)
    (levels,) = peer_correlation(peers, panel, itself, worst=False)
    found = dict(zip(peers.methods, levels.values[:, 0], strict=True))
    (everyone,) = cluster_correlation(Clusters.of({}, len(tickers)), panel, itself)
    found["population"] = everyone.values[0, 0]
    expected = {
        "sic": 0.259,
        "major-group": 0.238,
        "tfidf": 0.297,
        "daily": 0.336,
        "monthly": 0.280,
        "random": 0.153,
        "population": 0.153,
    }
    assert found == pytest.approx(expected, abs=0.005)
