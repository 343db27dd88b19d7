"""Texts to train on: read from a file, without the companies of a test universe."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pandas as pd

from finsae.checks import DataError, nearest
from finsae.sources.tables import read_table

# What registers and vendors append to a company's name: legal forms, share classes, listings.
LEGAL = frozenset(
    re.findall(
        r"\w+",
        """ab ag adr and ads anonim as asa berhad bhd bv class co common companies company cos
        corp corporation cv de depositary doo each fpo gdr gmbh group hldg hldgs holding holdings
        inc incorporated inh international jsc kg kgaa kk limited llc llp lp ltd na nv on ord
        ordinary oyj pcl plc preferred pt pte public publ qpsc reg registered reit sa sab sas se
        share shares sirketi spa sponsored stock tbk the trust unit units usa""",
    )
)
# Words of a text's opening in which its company's name is looked for.
OPENING = 8
# German exchanges append currency and par value to a name: "COOPER COS INC.  DL-,10".
PAR_VALUE = re.compile(
    r"\s+(DL|EO|LS|SF|YC|DK|SK|NK|HD|RC|AD|CD|SD)\s*-?[\d,.]+.*$|\s+(DL|EO|LS)-.*$"
)


def read_texts(path: str | Path) -> pd.DataFrame:
    """Read company texts.

    Parameters
    ----------
    path : str or Path
        CSV or parquet with a column ``description`` (and ``name`` if known), or a ``.txt`` with one
        text a line.

    Returns
    -------
    DataFrame
        Columns name ("" where unknown) and description; rows without text are dropped.

    Raises
    ------
    DataError
        If the file is missing, of another kind, lacks the column or holds no text.
    """
    file = Path(path)
    if file.suffix == ".txt" and file.is_file():
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise DataError(f"{file.name} is not UTF-8 ({error}): save it as UTF-8") from None
        table = pd.DataFrame({"description": lines})
    else:
        table = read_table(file)
    if "description" not in table:
        raise DataError(f'"{path}" has no column "description"{nearest("description", table)}')
    name = table["name"] if "name" in table else pd.Series("", index=table.index)
    texts = pd.DataFrame({"name": name, "description": table["description"]}).fillna("").astype(str)
    texts = texts[texts["description"].str.strip() != ""].reset_index(drop=True)
    if texts.empty:
        raise DataError(f'"{path}" holds no text')
    return texts


def exclude(texts: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Drop the texts of companies that another table holds, by name and by text.

    A sparse autoencoder that has read a test company's text would be tested on its training data.
    Companies are renamed and their shares listed under shortened names, so the name with which a
    text opens counts as well ("Colfax Corporation operates ..."). Dropping a namesake costs little.

    Parameters
    ----------
    texts : DataFrame
        Columns name and description.
    others : DataFrame
        Companies to leave out: the same columns; an empty name or description matches nothing.

    Returns
    -------
    DataFrame
        The rows of `texts` that share neither name nor text with `others`, renumbered.
    """
    names = set(others["name"].map(company_key)) - {""}
    bodies = set(others["description"].map(text_key)) - {""}
    known = texts["name"].map(company_key).isin(names)
    known |= texts["description"].map(text_key).isin(bodies)
    known |= texts["description"].map(lambda text: not names.isdisjoint(_opening_names(text)))
    return texts[~known].reset_index(drop=True)


def _opening_names(text: str) -> set[str]:
    """Keys of every run of words with which a text opens, up to `OPENING` words."""
    words = text.split(maxsplit=OPENING)[:OPENING]
    return {company_key(" ".join(words[: i + 1])) for i in range(len(words))}


def company_key(name: str) -> str:
    """Reduce a company's name to what tells it from others.

    Case, accents, punctuation, legal form, share class and par value are dropped; a name made of
    nothing else keeps its words.
    """
    words = text_key(PAR_VALUE.sub("", name))
    bare = re.sub(r"\b(class|series) [a-z0-9]\b", " ", words).split()
    kept = [word for word in bare if word not in LEGAL]
    return "".join(kept or bare)


def text_key(text: str) -> str:
    """Reduce a text to its words: no case, accents, punctuation or double spaces."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return " ".join(re.findall(r"\w+", re.sub(r"['\u2019`.]", "", plain)))
