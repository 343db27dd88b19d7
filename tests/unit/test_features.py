"""Pooling by hand, and features on disk."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from finsae.checks import DataError
from finsae.features import Features, TokenCodes, idf, pool, standing_out
from finsae.similarity import cosine

# three companies of 2, 0 and 3 tokens, two codes each; value 0 stands for "not active"
CODES = TokenCodes(
    values=np.array([1, 2, 3, 0, 1, 1, 4, 0.5, 0, 0], dtype=np.float16),
    indices=np.array([0, 2, 2, 3, 1, 3, 1, 0, 0, 4], dtype=np.int32),
    starts=np.array([0, 2, 4, 6, 8, 10]),
    offsets=np.array([0, 2, 2, 5]),
    spans=np.array([[0, 4], [5, 9], [0, 3], [4, 8], [8, 9]], dtype=np.int32),
)


@pytest.mark.parametrize(
    ("how", "normalised", "expected"),
    [
        ("sum", False, [[1, 0, 5, 0, 0], [0] * 5, [0.5, 5, 0, 1, 0]]),
        ("mean", False, [[0.5, 0, 2.5, 0, 0], [0] * 5, [0.5 / 3, 5 / 3, 0, 1 / 3, 0]]),
        ("mean", True, [[0.5, 0, 2.5, 0, 0], [0] * 5, [0.5 / 3, 5 / 3, 0, 1 / 3, 0]]),
        ("max", False, [[1, 0, 3, 0, 0], [0] * 5, [0.5, 4, 0, 1, 0]]),
        ("binary", False, [[1, 0, 1, 0, 0], [0] * 5, [1, 1, 0, 1, 0]]),
        ("log1p-sum", False, np.log([[2, 1, 6, 1, 1], [1] * 5, [1.5, 6, 1, 2, 1]])),
        ("sum", True, [[50, 0, 250, 0, 0], [0] * 5, [50 / 3, 500 / 3, 0, 100 / 3, 0]]),
        (
            "log1p-sum",
            True,
            np.log1p([[50, 0, 250, 0, 0], [0] * 5, [50 / 3, 500 / 3, 0, 100 / 3, 0]]),
        ),
    ],
)
def test_pooling_by_hand(how, normalised, expected):
    found = pool(CODES, 5, how=how, length_normalised=normalised)
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-6)
    assert found.dtype == np.float32
    assert found.nnz == 5  # no stored zeros


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"how": "log1p_sum"}, 'did you mean "log1p-sum"'),
        ({"how": "max", "length_normalised": True}, "no sum over tokens"),
        ({"n_features": 4}, r"latents 0\.\.4 of 4"),
        (
            {"codes": replace(CODES, values=-CODES.values)},
            "negative",
        ),
    ],
)
def test_pooling_refuses(arguments, says):
    with pytest.raises(DataError, match=says):
        pool(**{"codes": CODES, "n_features": 5, **arguments})


def test_codes_of_a_company_by_hand():
    np.testing.assert_array_equal(CODES.of_company(0, 2), [2, 3])
    np.testing.assert_array_equal(CODES.of_company(2, 1), [1, 4, 0])
    np.testing.assert_array_equal(CODES.of_company(2, 2), [0, 0, 0])
    assert not len(CODES.of_company(1, 0))


def test_codes_of_an_autoencoder():
    matrix = sparse.csr_array(np.array([[0, 2.5, 0], [0, 0, 0], [1, 0, 3]], dtype=np.float32))
    codes = TokenCodes.of(matrix, np.array([0, 1, 3]), np.zeros((3, 2), np.int32))
    assert codes.values.dtype == np.float16
    np.testing.assert_array_equal(pool(codes, 3, how="sum").toarray(), [[0, 2.5, 0], [1, 0, 3]])


def test_idf_by_hand():
    matrix = np.array([[1, 1, 0], [2, 0, 0]])
    for kind in (np.asarray, sparse.csr_array, sparse.csr_matrix):
        np.testing.assert_allclose(idf(kind(matrix)), [0, np.log(2), 0])


@pytest.fixture
def features():
    companies = pd.DataFrame(
        {
            "name": ["Alpha", "Beta", "Gamma"],
            "sic": ["0100", None, "7372"],
            "cik": pd.Series([None, None, None], dtype=object).to_numpy(),
            "date": pd.to_datetime(["2013-02-01", None, "2013-03-01"]),
            "description": ["corn fields", "", "big soft ware"],
        },
        index=pd.Index(["A", "B", "C"], name="ticker"),
    )
    labels = ["corn", "soft", "field", "ware", "none"]
    return Features.build(
        pool(CODES, 5), companies, labels, codes=CODES, provenance={"model": "toy"}
    )


def test_build_counts_owners(features):
    assert features.names["companies"].tolist() == [2, 1, 1, 1, 0]
    np.testing.assert_allclose(features.names["idf"], [np.log(1.5), *[np.log(3)] * 3, 0])
    assert features.names.index.name == "id"
    weighted = features.weighted(np.array([0, 1, 2, 1, 1.0]))
    np.testing.assert_allclose(
        weighted.matrix.toarray(), features.matrix.toarray() * [0, 1, 2, 1, 1]
    )
    assert weighted.matrix.dtype == np.float32


def test_build_takes_dense_vectors(features):
    vectors = np.array([[1.5, -2], [0, 0], [0, 3]])
    dense = Features.build(vectors, features.companies, ["x", "y"])
    np.testing.assert_array_equal(dense.matrix.toarray(), vectors)
    assert dense.codes is None


def test_shapes_must_agree(features):
    with pytest.raises(DataError, match="as many companies and names"):
        Features.build(features.matrix, features.companies[:2], list("abcde"))
    with pytest.raises(DataError, match="as many companies and names"):
        Features.build(features.matrix, features.companies, list("abc"))


def test_position_names_the_nearest_ticker(features):
    assert features.position("C") == 2
    with pytest.raises(DataError, match=r'unknown ticker "c".*did you mean "C"'):
        features.position("c")


def test_save_and_load_are_exact(features, tmp_path):
    features.save(tmp_path / "run" / "features")
    again = Features.load(tmp_path / "run" / "features")
    assert (again.matrix != features.matrix).nnz == 0
    assert again.matrix.dtype == np.float32
    pd.testing.assert_frame_equal(again.companies, features.companies)
    pd.testing.assert_frame_equal(again.names, features.names)
    for name in ("values", "indices", "starts", "offsets", "spans"):
        stored = getattr(again.codes, name)
        assert isinstance(stored, np.memmap)
        np.testing.assert_array_equal(stored, getattr(features.codes, name))
    assert again.provenance == {"model": "toy"}
    again.save(tmp_path / "run" / "features")  # onto the very files that are mapped
    assert (Features.load(tmp_path / "run" / "features").matrix != features.matrix).nnz == 0


def test_save_leaves_no_codes_of_earlier_features(features, tmp_path):
    features.save(tmp_path)
    Features.build(features.matrix, features.companies, list("abcde")).save(tmp_path)
    assert Features.load(tmp_path).codes is None


def test_a_wrong_folder_is_answered_with_the_way_out(features, tmp_path):
    features.save(tmp_path / "features")
    with pytest.raises(DataError, match=r'did you mean "features".*build-features --out'):
        Features.load(tmp_path / "featurs")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"without features\.npz, .*build-features"):
        Features.load(tmp_path / "empty")
    (tmp_path / "features" / "provenance.json").unlink()
    with pytest.raises(DataError, match="no finished features"):
        Features.load(tmp_path / "features")


@pytest.mark.parametrize(
    "name", ["features.npz", "names.parquet", "provenance.json", "codes/values.npy"]
)
def test_a_damaged_file_is_answered_with_the_way_out(features, tmp_path, name):
    features.save(tmp_path)
    (tmp_path / name).write_bytes(b"{ not this")
    with pytest.raises(DataError, match=r"cannot be read.*make them again"):
        Features.load(tmp_path)


def test_provenance_that_is_no_table_is_answered_with_the_way_out(features, tmp_path):
    features.save(tmp_path)
    (tmp_path / "provenance.json").write_text("[1]")
    with pytest.raises(DataError, match=r"cannot be read.*make them again"):
        Features.load(tmp_path)


def test_who_comes_second_waits_for_the_features_of_the_first(features, tmp_path):
    made, begun, finish = [], threading.Event(), threading.Event()

    def slow():
        made.append("slow")
        begun.set()
        finish.wait(10)
        return features

    def never():
        made.append("second")
        return features

    with ThreadPoolExecutor(2) as pool_of_two:
        first = pool_of_two.submit(Features.kept, tmp_path / "kept", slow)
        assert begun.wait(10)
        second = pool_of_two.submit(Features.kept, tmp_path / "kept", never)
        assert not second.done()
        finish.set()
        for one in (first, second):
            assert (one.result(10).matrix != features.matrix).nnz == 0
    assert made == ["slow"]


def test_a_save_that_fails_leaves_the_features_of_before(features, tmp_path, monkeypatch):
    features.save(tmp_path)
    monkeypatch.setattr(
        sparse, "save_npz", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        features.save(tmp_path)
    assert (Features.load(tmp_path).matrix != features.matrix).nnz == 0
    assert [path.name for path in tmp_path.glob("**/.*")] == [".lock"]


def test_standing_out_is_measured_from_the_first_that_is_left_out():
    matrix = sparse.csr_array(np.array([[5.0, 0, 3, 2, 1], [0, 4, 0, 4, 0], [0, 0, 0, 0, 0]]))
    np.testing.assert_array_equal(
        standing_out(matrix, 2).toarray(), [[3, 0, 1, 0, 0], [0, 4, 0, 4, 0], [0, 0, 0, 0, 0]]
    )
    assert standing_out(matrix, 0) is matrix and standing_out(matrix, 4) is matrix
    rng = np.random.default_rng(0)
    many = sparse.csr_array(rng.gamma(1, 1, (20, 50)) * (rng.random((20, 50)) < 0.8))
    found = standing_out(many, 10)
    assert (np.diff(found.indptr) == 10).all() and found.data.min() > 0
    for row in range(20):
        dense = many.toarray()[row]
        strongest = np.argsort(-dense)[:10]
        assert set(found.toarray()[row].nonzero()[0]) == set(strongest)
        level = np.sort(dense)[::-1][10]
        np.testing.assert_allclose(found.toarray()[row, strongest], dense[strongest] - level)


def test_texts_of_any_length_are_as_alike_once_features_stand_out():
    rng = np.random.default_rng(0)
    length = rng.integers(60, 600, 80)
    drawn = np.zeros((80, 2000))
    for row, count in enumerate(length):  # words at random: nobody is like anybody
        np.add.at(drawn[row], rng.integers(0, 2000, count), 1.0 + rng.random(count))
    first, second = np.triu_indices(80, 1)

    def follows(matrix):
        cells = cosine(matrix, [str(row) for row in range(80)]).to_numpy()[first, second]
        return np.corrcoef(cells, np.log(length)[first] + np.log(length)[second])[0, 1]

    rows = sparse.csr_array(drawn)
    assert follows(rows) > 0.5 and abs(follows(standing_out(rows, 40))) < 0.1
