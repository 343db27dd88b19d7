"""Reading texts, and leaving a test universe's companies out of them."""

import pandas as pd
import pytest

from finsae.checks import DataError
from finsae.sources.texts import company_key, exclude, read_texts, text_key


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_are_read_without_rows_that_have_no_text(tmp_path, kind):
    table = pd.DataFrame({"name": ["A", None, "C"], "description": ["one", "two", " "], "x": 1})
    path = tmp_path / f"texts.{kind}"
    table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
    found = read_texts(path)
    assert found.columns.tolist() == ["name", "description"]
    assert found.to_numpy().tolist() == [["A", "one"], ["", "two"]]


def test_plain_files_hold_one_text_a_line(tmp_path):
    (tmp_path / "texts.txt").write_text("one bank\n\ntwo mines\n", encoding="utf-8")
    found = read_texts(tmp_path / "texts.txt")
    assert found["description"].tolist() == ["one bank", "two mines"]
    assert found["name"].tolist() == ["", ""]


def test_files_that_hold_no_texts_are_named(tmp_path):
    with pytest.raises(DataError, match="no file"):
        read_texts(tmp_path / "none.csv")
    (tmp_path / "texts.csv").write_text("descriptin\nbank\n")
    with pytest.raises(DataError, match='no column "description"; did you mean "descriptin"'):
        read_texts(tmp_path / "texts.csv")
    (tmp_path / "texts.csv").write_text("description\n \n")
    with pytest.raises(DataError, match=r"no rows|holds no text"):
        read_texts(tmp_path / "texts.csv")
    (tmp_path / "texts.doc").write_text("bank")
    with pytest.raises(DataError, match=r"no \.csv or \.parquet"):
        read_texts(tmp_path / "texts.doc")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Cooper Companies, Inc.", "COOPER COS INC.  DL-,10"),
        ("Berkshire Hathaway Inc.", "BERKSHIRE HATHAWAY A DL 5".replace(" A ", "  ")),
        ("The Estée Lauder Companies Inc.", "Estee Lauder Cos Class A"),
        ("Abercrombie & Fitch Co.", "Abercrombie & Fitch Co. Class A"),
        ("D.R. Horton, Inc.", "DR Horton"),
        ("McDonald's Corporation", "McDonald\u2019s Corp"),
        ("UNITED RENTALS LTD", "United Rentals plc"),
    ],
)
def test_spellings_of_one_name_have_one_key(one, other):
    assert company_key(one) == company_key(other) != ""


def test_different_names_have_different_keys():
    names = ["Delta Air Lines", "Delta Apparel", "First Solar", "First Bank", "The Trust Company"]
    assert len({company_key(name) for name in names}) == len(names)


def test_texts_differing_in_case_and_marks_only_have_one_key():
    assert text_key("Makes caf\u00e9s;  and TEA.") == text_key("makes cafes and tea")
    assert text_key("Makes tea") != text_key("Makes teas")


def test_companies_of_a_test_universe_are_left_out_by_name_by_text_and_by_opening():
    texts = pd.DataFrame(
        [
            ("Acme Holdings Ltd", "Makes anvils."),  # by name
            ("Renamed Inc.", "Drills for oil, in TEXAS"),  # by text
            ("Enovis", "Colfax Corporation makes pumps."),  # by the name the text opens with
            ("", "A bank in Ohio that lends to Colfax Corporation."),  # stays: names it later on
            ("", "Acmeville has a brewery."),  # stays
        ],
        columns=["name", "description"],
    )
    others = pd.DataFrame(
        [
            ("ACME Inc.", "Sells anvils"),
            ("Oilco", "drills for oil in Texas."),
            ("Colfax Corp", "Pumps"),
            ("", ""),
        ],
        columns=["name", "description"],
    )
    kept = exclude(texts, others)
    assert kept["description"].tolist() == texts["description"].tolist()[3:]
    assert kept.index.tolist() == [0, 1]
    assert exclude(texts, others.iloc[3:]).equals(texts)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.csv", b"", "t.csv"),
        ("t.csv", "description\nCaf\xe9\n".encode("latin-1"), "UTF-8"),
        ("t.txt", b"Caf\xe9", "not UTF-8"),
        ("t.parquet", b"nothing", "t.parquet"),
    ],
)
def test_broken_files_of_texts_are_named(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_texts(tmp_path / name)
    with pytest.raises(DataError, match=f'did you mean "{name}"'):
        read_texts(tmp_path / name.replace("t.", "tt."))
