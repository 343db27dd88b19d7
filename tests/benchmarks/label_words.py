"""How the deterministic labeller was chosen: on companies that labels are learnt from, only.

The companies held out by `finsae label` and `finsae score-labels` are not looked at: those learnt
from are halved, labels made from the one half and scored on the other.

    python tests/benchmarks/label_words.py
"""

import numpy as np
import pandas as pd

import finsae
from finsae.explain import meaning
from finsae.explain.corpus import Corpus
from finsae.explain.labellers.words import Words
from finsae.explain.scores import eligible, label_auc
from finsae.explain.scores.judge_free import crossed_auc, owners_of, truth_of, words_said
from finsae.pipeline.labelling import _Embedding, _meanings, split_companies

COUNT = 300


def scores(test, ids, labels, embed):
    """Mean embedding AUC, AUC of label words, and AUC of the strongest sentences."""
    words = crossed_auc(words_said(test, labels), owners_of(test, ids)).diagonal()
    strongest = truth_of(test, ids)
    for row, feature in enumerate(ids):
        found, values = test.words(feature)
        strongest[row] = False
        strongest[row, test.sentence[found[values >= values.max() / 2]]] = True
    sentences = [test.text_of(i) for i in range(len(test.starts))]
    strong = crossed_auc(embed(labels) @ embed(sentences).T, strongest).diagonal()
    return {
        "embedding AUC": np.nanmean(label_auc(test, ids, labels, embed)),
        "the same, strong sentences": np.nanmean(strong),
        "AUC of label words": np.nanmean(words),
    }


def main():
    features = finsae.build_features(finsae.sample(), finsae.Reading())
    learnt, _ = split_companies(len(features.companies))
    halves = np.array_split(np.random.default_rng(1).permutation(learnt), 2)
    train, test = (Corpus.of(features, np.sort(half)) for half in halves)
    ids = np.flatnonzero(eligible(train, test))
    ids = np.sort(np.random.default_rng(0).permutation(ids)[:COUNT]).tolist()
    embed = _Embedding()
    rows = {"names of the training text": scores(
        test, ids, features.names["label"].iloc[ids].tolist(), embed
    )}  # fmt: skip
    for power in (0, 1, 2, 3):
        for prior in (500.0, 5_000.0):
            meaning.POWER, meaning.PRIOR = power, prior
            known = _meanings(train, ids, features)
            for most in (3, 4, 5):
                name = f"activation^{power}, prior {prior:,.0f}, {most} words"
                rows[name] = scores(test, ids, Words(most=most).label(known), embed)
    print(pd.DataFrame(rows).T.round(3).to_string())


if __name__ == "__main__":
    main()
